"""The same requests through outrider and Envoy: status line, fields, body, access log, what the backend sees."""

import pytest

from config_text import cluster, route
from peers import Client, request_bytes, response_bytes
from sides import both, compare, different, needed, stable

pytestmark = needed


def answer(request):
    special = {
        "/204": response_bytes("204 No Content", length=False),
        "/304": response_bytes("304 Not Modified", [("ETag", '"a"')], length=False),
        "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        "/server": response_bytes(
            fields=[("Server", "mine"), ("Date", "yesterday"), ("X-Many", "1"), ("X-Many", "2")], body=b"x"
        ),
        "/hop": response_bytes(
            fields=[("Connection", "close, x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=1")], body=b"x"
        ),
        "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response_bytes(body=b"x"),
        "/broken": b"nonsense\r\n\r\n",
        "/503": response_bytes("503 Service Unavailable", body=b"mine"),
    }
    if request.target == "/die":
        return None
    if request.target == "/silent":
        request.stream.rest()
        return None
    return special.get(request.target, response_bytes(body=b"backend"))


def redirect(prefix, **action):
    return {"match": {"prefix": prefix}, "redirect": action}


def regex(pattern, substitution):
    return {"pattern": {"regex": pattern}, "substitution": substitution}


ROUTES = [
    redirect("/r/host", host_redirect="new.example"),
    redirect("/r/hostport", host_redirect="new.example:81", port_redirect=82),
    redirect("/r/port", port_redirect=8443),
    redirect("/r/path", path_redirect="/new"),
    redirect("/r/query", path_redirect="/new?c=d"),
    redirect("/r/prefix", prefix_rewrite="/v2"),
    redirect("/r/regex", regex_rewrite=regex("^/r/regex/(.*)$", r"/moved/\1")),
    redirect("/r/tls", https_redirect=True),
    redirect("/r/tlsport", https_redirect=True, port_redirect=8443),
    redirect("/r/scheme", scheme_redirect="ftp"),
    redirect("/r/strip", host_redirect="n", strip_query=True),
    redirect("/r/stripath", path_redirect="/p", strip_query=True),
    redirect("/r/302", host_redirect="n", response_code="FOUND"),
    redirect("/r/303", host_redirect="n", response_code="SEE_OTHER"),
    redirect("/r/307", host_redirect="n", response_code="TEMPORARY_REDIRECT"),
    redirect("/r/308", host_redirect="n", response_code="PERMANENT_REDIRECT"),
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 418, "body": {"inline_string": "tea"}}},
    {"match": {"prefix": "/bare"}, "direct_response": {"status": 204}},
    route("backend", "/w/prefix/", prefix_rewrite="/"),
    route("backend", "/w/same", prefix_rewrite="/w/same"),
    route("backend", match={"path": "/w/path"}, prefix_rewrite="/exact"),
    route("backend", "/w/regex", regex_rewrite=regex("^/w/regex/([a-z]+)/([a-z]+)", r"/\2/\1")),
    route("backend", "/w/host", host_rewrite_literal="myapp"),
    route("backend", "/w/samehost", host_rewrite_literal="test.example"),
    route("dead", "/uf"),
    route("empty", "/uh"),
    route("full", "/uo"),
    route("backend", "/silent", timeout="0.2s"),
    route("backend", "/t/zero", timeout="0s"),
    route("backend", "/t/30", timeout="30s"),
    route("backend", "/ws", upgrade_configs=[{"upgrade_type": "websocket"}]),
    *[
        route("backend", match={"path": p})
        for p in ("/", "/204", "/304", "/chunked", "/server", "/hop", "/hints", "/broken", "/503", "/die", "/echo")
    ],
]


def clusters(backend):
    full = cluster("full", backend, circuit_breakers={"thresholds": [{"max_requests": 0}]})
    return [cluster("backend", backend), cluster("dead", 1), cluster("empty"), full]


PARTS = {"answer": answer, "routes": ROUTES, "clusters": clusters}


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, **PARTS)


GETS = [
    "/",
    "/nothing",
    "/204",
    "/304",
    "/chunked",
    "/server",
    "/503",
    "/broken",
    "/die",
    "/silent",
    "/uf",
    "/uh",
    "/uo",
    "/direct",
    "/bare",
    "/w/prefix/a?b",
    "/w/same/x",
    "/w/path",
    "/w/path?x=/w/path",
    "/w/regex/one/two/three?q",
    "/w/host",
    "/w/samehost",
    "/t/zero",
    "/t/30",
    "/ws",
    "/?query",
    "/%2e%2e/x",
    "/a/../204",
    "//204",
    *[
        f"/r/{kind}{rest}"
        for kind in (
            "host",
            "hostport",
            "port",
            "path",
            "query",
            "prefix",
            "regex",
            "tls",
            "tlsport",
            "scheme",
            "strip",
            "stripath",
            "302",
            "303",
            "307",
            "308",
        )
        for rest in ("", "/deep?a=b")
    ],
]


@pytest.mark.parametrize("path", GETS)
def test_get(sides, path):
    compare(sides, request_bytes(path))


@pytest.mark.parametrize("path", ["/", "/direct", "/uf", "/204", "/304", "/chunked", "/nothing", "/r/host", "/bare"])
def test_head(sides, path):
    compare(sides, request_bytes(path, "HEAD"), "HEAD")


@pytest.mark.parametrize("host", ["test.example:80", "TEST.example", "test.example:443", "[::1]:80", "a.b.c"])
@pytest.mark.parametrize("path", ["/r/port", "/r/tls", "/r/tlsport", "/r/path", "/"])
def test_hosts_with_ports(sides, host, path):
    compare(sides, request_bytes(path, host=host))


OTHERS = {
    "POST with a body": request_bytes("/echo", "POST", body=b"12345"),
    "POST without a body": b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST in chunks": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PUT": request_bytes("/echo", "PUT", body=b""),
    "DELETE": request_bytes("/echo", "DELETE"),
    "PATCH": request_bytes("/echo", "PATCH", body=b"p"),
    "OPTIONS": request_bytes("/echo", "OPTIONS"),
    "TRACE": request_bytes("/echo", "TRACE"),
    "an upgrade to h2c": request_bytes(
        "/", fields=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "x")]
    ),
    "connection close": request_bytes("/", fields=[("Connection", "close")]),
    "proxy-connection": request_bytes("/", fields=[("Proxy-Connection", "keep-alive")]),
    "hop-by-hop": request_bytes("/", fields=[("Connection", "x-a"), ("X-A", "1"), ("Keep-Alive", "1"), ("TE", "gzip")]),
    "te trailers": request_bytes("/", fields=[("TE", "trailers")]),
    "repeated fields": request_bytes(
        "/", fields=[("X-A", "1"), ("X-B", "2"), ("x-a", "3"), ("Cookie", "a=1"), ("Cookie", "b=2")]
    ),
    "empty values": request_bytes("/", fields=[("X-A", ""), ("X-B", "  padded\t ")]),
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with host": b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "an absolute target": b"GET http://other.example/echo?x HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "an absolute target without path": b"GET http://other.example HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "an absolute target with https": b"GET https://other.example/ HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "too large a head": request_bytes("/", fields=[("X-Big", "a" * 70_000)]),
    "too many fields": request_bytes("/", fields=[(f"X-{i}", "1") for i in range(101)]),
    "forwarded fields": request_bytes(
        "/",
        fields=[
            ("X-Forwarded-For", "10.1.2.3, 10.9.9.9"),
            ("X-Forwarded-Proto", "https"),
            ("X-Request-Id", "mine"),
            ("X-Envoy-Internal", "true"),
            ("X-Forwarded-Host", "h"),
            ("X-Envoy-External-Address", "1.2.3.4"),
        ],
    ),
    "envoy's own request fields": request_bytes(
        "/",
        fields=[
            ("X-Envoy-Expected-Rq-Timeout-Ms", "1"),
            ("X-Envoy-Original-Path", "/o"),
            ("X-Envoy-Upstream-Rq-Timeout-Ms", "5000"),
            ("X-Envoy-Max-Retries", "1"),
        ],
    ),
    "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "an upgrade that is not allowed": request_bytes("/", fields=[("Connection", "upgrade"), ("Upgrade", "websocket")]),
    "an upgrade of a redirect": request_bytes("/r/host", fields=[("Connection", "upgrade"), ("Upgrade", "websocket")]),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a version of the future": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "a strange method": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a broken request line": b"nonsense\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "a line without colon": b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "a value with a NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "length and chunked": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a bad length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a bad chunk": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_requests(sides, name):
    compare(sides, OTHERS[name])


def test_expect_continue(sides):
    def talk(side):
        lines = len(side.logged())
        with Client(side.proxy.port) as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            first = client.head()
            client.send(b"abc")
            response = client.response()
            side.wait_logged(lines + 1)
            return first.head, response.start_line, stable(response.fields), stable(side.backend.requests[-1].fields)

    assert talk(sides[0]) == talk(sides[1])


# --- where outrider differs on purpose ----------------------------------------------------------------------------

# Requests that Envoy takes and outrider refuses, because RFC 9112 says so.
STRICTER = {
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "LF alone": b"GET / HTTP/1.1\r\nHost: a\nX: a\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", STRICTER)
def test_outrider_is_stricter(sides, name):
    ours, theirs = (side.exchange(STRICTER[name], "GET") for side in sides)
    assert ours["line"] == "HTTP/1.1 400 Bad Request" and ours["backend"] == []
    assert theirs["line"] == "HTTP/1.1 200 OK"


# Where the answer differs, and what is different then.
OTHERWISE = {
    # RFC 9110 section 7.6.1: fields that Connection names end here, in responses as in requests.
    "a response with hop-by-hop fields": (request_bytes("/hop"), {"fields"}),
    # RFC 9110 section 15.2: interim responses are forwarded.
    "early hints": (request_bytes("/hints"), {"informational"}),
    # A body that is here already is read, and the connection goes on.
    "POST to a redirect": (request_bytes("/r/host", "POST", body=b"12345"), {"fields", "log"}),
    "POST to a direct response": (request_bytes("/direct", "POST", body=b"12345"), {"fields", "log"}),
    # Nothing at all of a head that is refused is in the log.
    "a fragment": (b"GET /#fragment HTTP/1.1\r\nHost: a\r\n\r\n", {"log"}),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_differs_in_no_more_than_this(sides, name):
    data, parts = OTHERWISE[name]
    ours, theirs = (side.exchange(data, "HEAD" if data.startswith(b"HEAD") else "GET") for side in sides)
    assert {key for key in ours if ours[key] != theirs[key]} == parts, different(ours, theirs)


SETTINGS = {
    "use_remote_address": {"use_remote_address": True},
    "no request id": {"generate_request_id": False},
    "server name": {"server_name": "us"},
    "server appended": {"server_header_transformation": "APPEND_IF_ABSENT"},
    "server passed": {"server_header_transformation": "PASS_THROUGH"},
    "http 1.0": {"http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "fallback"}},
    "small heads": {"max_request_headers_kb": 1},
    "few fields": {"common_http_protocol_options": {"max_headers_count": 10}},
    "one request": {"common_http_protocol_options": {"max_requests_per_connection": 1}},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(stage, name):
    pair = both(stage, **PARTS, **SETTINGS[name])
    for request in ("forwarded fields", "HTTP/1.0", "HTTP/1.0 with host", "repeated fields", "connection close"):
        compare(pair, OTHERS[request])
    for path in ("/server", "/direct", "/", "/uf"):
        compare(pair, request_bytes(path))
    compare(pair, request_bytes("/", fields=[("X-Big", "a" * 2000)]))
    compare(pair, request_bytes("/", fields=[(f"X-{i}", "1") for i in range(12)]))
