"""The filter lua: scripts on requests and responses, and what they cannot do to the proxy."""

import threading

import pytest

from config_text import bootstrap, cluster, listener, route, typed, virtual_host
from peers import PATIENCE_S, response_bytes
from processes import free_port

LUA = "envoy.extensions.filters.http.lua.v3.Lua"
PER_ROUTE = "envoy.extensions.filters.http.lua.v3.LuaPerRoute"
NAME = "envoy.filters.http.lua"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": typed("envoy.extensions.filters.http.router.v3.Router"),
}


def script(code, **fields):
    return {"name": NAME, "typed_config": typed(LUA, default_source_code={"inline_string": code}, **fields)}


def start(stage, *codes, answer=None, routes=None, **fields):
    backend = stage.backend(answer)
    proxy = stage.proxy(
        *(routes or [route("backend")]),
        clusters=[cluster("backend", backend)],
        http_filters=[*(script(code, **fields) for code in codes), ROUTER],
    )
    return proxy, backend


def ask_once(stage, code, answer=None, **request):
    proxy, backend = start(stage, code, answer=answer)
    with stage.client(proxy) as client:
        return client.ask(**request), proxy, backend


HEADLESS = "function envoy_on_request(h) {} end"


def broken(stage, code):
    """A script that ends in an error leaves the request as it is, and the error in the log and the counter."""
    response, proxy, backend = ask_once(stage, HEADLESS.format(code))
    assert response.status == 200 and len(backend.requests) == 1
    assert proxy.stat("http.in.lua.errors") == 1
    return proxy


BROKEN = {
    "a global that is not there": ("nothing.at.all()", "attempt to index global 'nothing'"),
    "an error that is a table": ("error({})", "unspecified lua error"),
    "a yield of its own": ("coroutine.yield()", "script performed an unexpected yield"),
    "a wait in a coroutine of its own": ("coroutine.wrap(function() h:body() end)()", "cannot wait for the stream"),
    "a name that is none": ('h:headers():add("a b", "c")', "invalid header name"),
    "a value of two lines": ('h:headers():add("a", "b\\r\\nc: d")', "invalid header value"),
    "a path of two lines": ('h:headers():replace(":path", "/ HTTP/1.1\\r\\n")', "invalid header value"),
    "a path with a space": ('h:headers():replace(":path", "/ x")', "invalid :path"),
    "a method of the class with another object": ("h.body(h:headers())", "bad argument #1"),
    "a change during a walk": (
        "for k in pairs(h:headers()) do h:headers():remove(k) end",
        "header map cannot be modified while iterating",
    ),
    "bytes that are not there": ("h:body(true):getBytes(0, 1)", "index/length must be"),
    "a status that is none": ('h:respond({[":status"] = "99"}, "x")', ":status must be between 200-599"),
    "an answer in a coroutine of its own": (
        'coroutine.wrap(function() h:respond({[":status"] = "403"}, "x") end)()',
        "cannot wait for the stream",
    ),
    "an answer that could not be given, and a yield": (
        'pcall(string.gsub, "a", "a", function() h:respond({[":status"] = "403"}, "x") end) coroutine.yield()',
        "script performed an unexpected yield",
    ),
    "endless answers": (
        'local t = {[":status"] = "1"} for i = 1, 9999 do pcall(h.respond, h, t) end h:respond(t)',
        "the script sends too much",
    ),
    "endless lengths": (
        'local b = h:body(true) for i = 1, 200000 do b:setBytes("x") end',
        "too many header fields",
    ),
    "a cluster that is none": ('h:httpCall("none", {}, "", 1)', "http call cluster invalid"),
    "half a request": ('h:httpCall("backend", {[":path"] = "/"}, "", 1)', "http call headers must include"),
    "an option that is none": ('h:httpCall("backend", {}, "", {x = 1})', "is not valid key"),
    "metadata that is a function": ('h:streamInfo():dynamicMetadata():set("a", "b", print)', "metadata cannot hold"),
    "metadata in circles": (
        't = {} t.t = t h:streamInfo():dynamicMetadata():set("a", "b", t)',
        "metadata cannot hold",
    ),
    "endless metadata": (
        'local v = string.rep("x", 1e6) for i = 1, 99 do h:streamInfo():dynamicMetadata():set("a", "k" .. i, v) end',
        "metadata cannot hold",
    ),
    "endless fields": (
        'local v = string.rep("x", 1e6) for i = 1, 99 do h:headers():add("a", v) end',
        "too many header fields",
    ),
    "compiled code": ('assert(load("\\27LJ", "x", "b"))', "wrong mode"),
    "the end of the process": ("os.exit(1)", "attempt to call field 'exit'"),
    "another process": ('os.execute("true")', "attempt to call field 'execute'"),
    "the machine's own tables": ("debug.getregistry()", "attempt to call field 'getregistry'"),
    "foreign functions": ('require("ffi")', "module 'ffi' not found"),
    "the type of an object": ("getmetatable(h).__index = nil", "attempt to index a boolean value"),
    "the type of a file": ("getmetatable(io.stdout).__gc = nil", "attempt to index a boolean value"),
    "an endless recursion": ("local function f() return 1 + f() end f()", "stack overflow"),
    "an endless recursion through C": (
        'local function f() return (string.gsub("a", "a", f)) end f()',
        "C stack overflow",
    ),
    "an endless recursion of sorting": (
        "local function f() table.sort({3, 2, 1}, f) end f()",
        "C stack overflow",
    ),
    "crypto": ('h:importPublicKey("a", 1)', "importPublicKey() is not built"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_error_ends_the_script_and_not_the_request(stage, name):
    code, said = BROKEN[name]
    proxy = broken(stage, code)
    assert said in proxy.wait_line("script log: ")


def test_an_answer_that_raised_is_none(stage):
    code = 'coroutine.wrap(function() pcall(h.respond, h, {[":status"] = "418"}, "x") end)()'
    response, _, backend = ask_once(stage, HEADLESS.format(code))
    assert response.status == 200 and len(backend.requests) == 1


HOP_BY_HOP = ["connection", "upgrade", "te", "keep-alive", "proxy-connection", "expect"]


def test_fields_of_one_hop_are_not_the_scripts_to_send(stage):
    fields = ", ".join(f'["{name}"] = "x"' for name in HOP_BY_HOP)
    target = '[":method"] = "GET", [":path"] = "/called", [":authority"] = "a"'
    code = f'h:httpCall("backend", {{{target}, {fields}}}, nil, 5000)'
    code += ' h:headers():add("connection", "close, x-own") h:headers():add("x-own", "1") h:headers():add("te", "x")'
    response, _, backend = ask_once(stage, HEADLESS.format(code))
    assert response.status == 200
    assert [r.target for r in backend.requests] == ["/called", "/"]
    for request in backend.requests:
        assert not {name for name, _ in request.fields} & {*HOP_BY_HOP, "x-own"}


@pytest.mark.parametrize(
    "code",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "xpcall(function() while true do end end, function() while true do end end)",
        "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
    ],
)
def test_a_script_that_never_ends_is_ended(stage, code):
    proxy = broken(stage, code)
    assert proxy.stat("http.in.lua.instructions_exceeded") == 1
    with stage.client(proxy) as client:
        assert client.ask().status == 200


@pytest.mark.parametrize(
    "code",
    [
        "t = {} for i = 1, 1e9 do t[i] = {} end",
        'local s = "x" while true do s = s .. s end',
        'string.rep("x", 1e9)',
    ],
)
def test_a_script_that_takes_all_memory_is_ended(stage, code):
    proxy = broken(stage, code)
    assert proxy.stat("http.in.lua.memory_exceeded") == 1
    assert "not enough memory" in proxy.wait_line("script log: ")


def test_a_handle_means_nothing_to_other_requests(stage):
    code = """
      function envoy_on_request(h)
        if kept then h:headers():add("x-kept", tostring(pcall(kept.headers, kept))) end
        if body then h:headers():add("x-body", tostring(pcall(body.length, body))) end
        kept = h
        body = h:body()
      end
      function envoy_on_response(h)
        h:headers():add("x-kept", tostring(pcall(kept.headers, kept)))
        h:headers():add("x-own", tostring(pcall(h.headers, h)))
      end"""
    proxy, backend = start(stage, code)
    with stage.client(proxy) as client:
        for _ in range(3):
            response = client.ask(method="POST", body=b"abc")
            assert response["x-kept"] == "false" and response["x-own"] == "true"
    assert backend.requests[2]["x-kept"] == "false" and backend.requests[2]["x-body"] == "false"
    assert proxy.stat("http.in.lua.errors") == 0
    assert proxy.stat("http.in.lua.executions") == 6


def test_a_chunk_means_nothing_once_the_next_has_come(stage):
    code = """
      function envoy_on_response(h)
        h:headers():remove("content-length")
        local first
        for chunk in h:bodyChunks() do
          if first then chunk:setBytes(tostring(pcall(first.length, first))) end
          first = first or chunk
        end
      end"""

    seen = threading.Event()

    def serve(stream):
        stream.request()
        stream.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        seen.wait(PATIENCE_S)
        stream.send(b"3\r\ndef\r\n0\r\n\r\n")

    backend = stage.backend(serve=serve)
    proxy = stage.proxy(route("b"), clusters=[cluster("b", backend)], http_filters=[script(code), ROUTER])
    with stage.client(proxy) as client:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        client.until(b"abc\r\n")
        seen.set()
        assert client.until(b"0\r\n\r\n").startswith(b"5\r\nfalse\r\n")


def test_a_chunk_is_not_lost_with_the_attempt_that_it_was_read_for(stage):
    code = """
      function envoy_on_request(h)
        for chunk in h:bodyChunks() do
          h:httpCall("slow", {[":method"] = "GET", [":path"] = "/", [":authority"] = "s"}, nil, 0)
          chunk:setBytes("<" .. chunk:getBytes(0, chunk:length()) .. ">")
        end
      end"""
    called, answer = threading.Event(), threading.Event()

    def slow(request):
        called.set()
        answer.wait(PATIENCE_S)
        return response_bytes()

    def serve(stream):
        if len(backend.streams) > 1:
            return backend.serve_requests(stream)
        stream.head()
        called.wait(PATIENCE_S)
        stream.send(b"HTTP/1.1 503 Not Yet\r\ncontent-length: 0\r\n\r\n")

    backend = stage.backend(serve=serve)
    proxy = stage.proxy(
        route("backend", retry_policy={"retry_on": "5xx"}, timeout="0s"),
        clusters=[cluster("backend", backend), cluster("slow", stage.backend(slow))],
        http_filters=[script(code), ROUTER],
    )
    with stage.client(proxy) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        proxy.wait_stat("cluster.backend.upstream_rq_total", 2)
        answer.set()
        client.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert client.response().status == 200
    assert b"".join(r.body for r in backend.requests) == b"<first><second>"


def test_a_body_of_any_size_goes_through_a_script(stage):
    code = """
      function envoy_on_request(h)
        local size = 0
        for chunk in h:bodyChunks() do size = size + chunk:length() end
        h:streamInfo():dynamicMetadata():set("size", "size", size)
      end
      function envoy_on_response(h)
        h:headers():add("x-size", tostring(h:streamInfo():dynamicMetadata():get("size").size))
      end"""
    body = bytes(i % 251 for i in range(3_000_000))
    response, _, backend = ask_once(stage, code, method="POST", body=body)
    assert response["x-size"] == "3000000"
    assert backend.requests[0].body == body


def test_a_body_that_is_too_long_to_be_whole_is_refused(stage):
    response, _, backend = ask_once(stage, HEADLESS.format("h:body()"), method="POST", body=b"x" * 1_100_000)
    assert response.status == 413 and backend.requests == []


def test_chunks_that_do_not_keep_the_told_length_break_the_response(stage):
    code = 'function envoy_on_response(h) for c in h:bodyChunks() do c:setBytes("longer than it was") end end'
    proxy, _ = start(stage, code)
    with stage.client(proxy) as client:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        head = client.head()
        assert head["content-length"] == "7" and b"was" not in client.rest()


def test_calls_that_nobody_waits_for_outlive_the_request(stage):
    code = """
      function envoy_on_request(h)
        local to = {[":method"] = "POST", [":path"] = "/note", [":authority"] = "a"}
        h:httpCall("backend", to, h:headers():get(":path"), {asynchronous = true})
        h:respond({[":status"] = "200"}, "at once")
      end"""
    proxy, backend = start(stage, code)
    with stage.client(proxy) as client:
        assert client.ask("/one").body == b"at once"
    assert backend.wait_requests(1)[0].body == b"/one"


def test_routes_choose_their_script(stage):
    def mark(text):
        return f'function envoy_on_response(h) h:headers():add("x-script", "{text}") end'

    def with_script(prefix, **fields):
        return {**route("backend", prefix), "typed_per_filter_config": {NAME: typed(PER_ROUTE, **fields)}}

    routes = [
        with_script("/off", disabled=True),
        with_script("/named", name="b"),
        with_script("/unknown", name="c"),
        with_script("/own", source_code={"inline_string": mark("own")}),
        route("backend"),
    ]
    proxy, _ = start(stage, mark("all"), routes=routes, source_codes={"b": {"inline_string": mark("b")}})
    with stage.client(proxy) as client:
        said = {p: client.ask(p)["x-script"] for p in ("/off", "/named", "/unknown", "/own", "/")}
    assert said == {"/off": None, "/named": "b", "/unknown": None, "/own": "own", "/": "all"}


def test_the_context_of_a_route_is_the_scripts_to_read(stage):
    code = """
      function envoy_on_request(h)
        local c = h:filterContext()
        h:headers():add("x-context", c:get("deep") and c:get("deep").list[2] or "none")
      end"""
    context = {"filter_context": {"deep": {"list": ["a", "b"]}}}
    routes = [
        {**route("backend", "/c"), "typed_per_filter_config": {NAME: typed(PER_ROUTE, **context)}},
        route("backend"),
    ]
    proxy, backend = start(stage, code, routes=routes)
    with stage.client(proxy) as client:
        client.ask("/c"), client.ask("/")
    assert [r["x-context"] for r in backend.requests] == ["b", "none"]


def test_every_worker_has_globals_of_its_own_and_a_script_waits_alone(stage):
    code = """
      count = 0
      function envoy_on_request(h)
        count = count + 1
        h:httpCall("backend", {[":method"] = "GET", [":path"] = "/slow", [":authority"] = "a"}, "", 20000)
        h:headers():add("x-count", tostring(count))
      end"""
    proxy, backend = start(stage, code)
    clients = [stage.client(proxy) for _ in range(5)]
    for client in clients:
        client.send(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n")
    assert [c.response().status for c in clients] == [200] * 5
    counts = sorted(int(r["x-count"]) for r in backend.requests if r.target == "/x")
    assert counts[-1] == 5


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"default_source_code": {"inline_string": "function f("}}, "default_source_code: script load error: "),
        ({"inline_code": "local x = = 1"}, "default_source_code: script load error: "),
        ({"inline_code": "error('no way')"}, "no way"),
        ({"inline_code": "while true do end"}, "executes more than"),
        ({"default_source_code": {"filename": "/no/such/file.lua"}}, "cannot read '/no/such/file.lua': No such file"),
        ({"default_source_code": {"filename": "/tmp"}}, "cannot read '/tmp': not a regular file"),
        ({"source_codes": {"a": {"filename": "/dev/zero"}}}, "cannot read '/dev/zero': not a regular file"),
        ({"source_codes": {"a": {"inline_string": "?"}}}, "unexpected symbol"),
    ],
)
def test_a_script_that_cannot_be_loaded_is_refused_with_luas_words(stage, fields, said):
    first = {"name": NAME, "typed_config": typed(LUA, **fields)}
    hosts = [virtual_host(route("b"))]
    text = bootstrap([listener(free_port(), hosts, http_filters=[first, ROUTER])], [cluster("b", 1)])
    process = stage.start(text, wait=False)
    assert process.wait() == 1
    assert any(said in line for line in process.lines["stderr"])
