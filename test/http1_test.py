"""HTTP/1 on both sides (RFC 9110, RFC 9112): connections, framing, interim responses, limits."""

import http.client
import json
import socket
import subprocess

import pytest

from config_text import cluster, http1_cluster, http_filter, http_filters, route
from peers import Client, request_bytes, response_bytes, tally


@pytest.fixture(scope="module")
def echo(shared):
    """A backend that answers with what it saw, and the proxy before it."""

    def answer(request):
        seen = {
            "line": request.start_line,
            "fields": list(request.fields),
            "body": request.body.decode("latin-1"),
            "trailers": list(request.trailers),
            "chunks": [len(c) for c in request.chunks],
        }
        return response_bytes(body=json.dumps(seen).encode())

    return shared.proxy(shared.backend(answer, name="echo"))


# --- connections --------------------------------------------------------------------------------------------------


def test_many_requests_use_one_connection_on_each_side(stage):
    backend = stage.backend()
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    for i in range(20):
        assert client.ask(f"/{i}").body == b"backend"
    assert len(backend.streams) == 1
    assert proxy.stat("http.in.downstream_cx_total") == 1
    assert proxy.stat("http.in.downstream_rq_2xx") == 20


def test_curl_reuses_its_connection(stage):
    proxy = stage.proxy(stage.backend())
    url = f"http://127.0.0.1:{proxy.port}/"
    shown = subprocess.run(
        ["curl", "-sS", "-w", "%{num_connects}\n", url, url, url], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "backend1\nbackend0\nbackend0\n"


def test_connection_close_of_the_client_ends_the_connection_behind_the_response(echo):
    with Client(echo.port) as client:
        response = client.ask(fields=[("Connection", "close")])
        assert response.status == 200 and response["connection"] == "close"
        assert client.at_end()


def test_connection_close_of_the_backend_is_not_the_clients_business(stage):
    backend = stage.backend(lambda r: response_bytes(fields=[("Connection", "close")], body=b"last"))
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    for _ in range(3):
        response = client.ask()
        assert response.body == b"last" and "connection" not in response.fields
    assert len(backend.streams) == 3


def test_pipelined_requests_are_answered_in_their_order(stage):
    backend = stage.backend(lambda r: response_bytes(body=r.target.encode()))
    client = stage.client(stage.proxy(backend))
    client.send(b"".join(request_bytes(f"/{i}") for i in range(50)))
    assert [client.response().body for _ in range(50)] == [b"/%d" % i for i in range(50)]


def test_pipelined_requests_with_bodies_keep_their_borders(echo):
    with Client(echo.port) as client:
        chunked = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        client.send(request_bytes("/a", "POST", body=b"GET /x HTTP/1.1\r\n\r\n") + chunked + request_bytes("/d"))
        answers = [client.response().json() for _ in range(3)]
        assert [a["line"] for a in answers] == ["POST /a HTTP/1.1", "POST /c HTTP/1.1", "GET /d HTTP/1.1"]
        assert [a["body"] for a in answers] == ["GET /x HTTP/1.1\r\n\r\n", "abc", ""]


def test_a_request_that_comes_byte_by_byte_is_read(echo):
    with Client(echo.port) as client:
        for byte in request_bytes("/slow", "PUT", body=b"drop by drop"):
            client.send(bytes([byte]))
        answer = client.response().json()
        assert answer["line"] == "PUT /slow HTTP/1.1" and answer["body"] == "drop by drop"


def test_empty_lines_before_a_request_are_skipped(echo):
    with Client(echo.port) as client:
        client.send(b"\r\n" + request_bytes("/"))
        assert client.response().status == 200


def test_the_python_standard_client_is_served(echo):
    connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=20)
    for i in range(3):
        connection.request(
            "POST", f"/{i}", body=iter([b"ab", b"cd"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        assert json.loads(connection.getresponse().read())["body"] == "abcd"
    connection.close()


# --- bodies -------------------------------------------------------------------------------------------------------


def test_a_request_body_with_length_arrives_with_its_length(echo):
    with Client(echo.port) as client:
        answer = client.ask("/", "POST", body=b"x" * 100_000).json()
        assert ["content-length", "100000"] in answer["fields"] and len(answer["body"]) == 100_000


def test_a_chunked_request_stays_chunked(echo):
    with Client(echo.port) as client:
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n6\r\n"
            " world\r\n0\r\n\r\n"
        )
        answer = client.response().json()
        assert answer["body"] == "hello world"
        assert ["transfer-encoding", "chunked"] in answer["fields"]
        assert "content-length" not in dict(answer["fields"])


def test_a_chunked_response_stays_chunked(stage):
    backend = stage.backend(
        lambda r: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwith\r\n4\r\nout \r\n6\r\nlength\r\n0\r\n\r\n"
        )
    )
    client = stage.client(stage.proxy(backend))
    for _ in range(2):
        response = client.ask()
        assert response.body == b"without length"
        assert response["transfer-encoding"] == "chunked" and "content-length" not in response.fields


@pytest.mark.parametrize("enabled", [True, False])
def test_trailers_go_both_ways_whatever_enable_trailers_says(stage, enabled):
    backend = stage.backend(
        lambda r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-End: yes\r\n\r\n"
    )
    options = {"enable_trailers": enabled}
    upstream = http1_cluster("backend", backend, http1=options)
    proxy = stage.proxy(route("backend"), clusters=[upstream], http_protocol_options=options)
    client = stage.client(proxy)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Check: 42\r\n\r\n")
    response = client.response()
    assert response.body == b"ok"
    assert response.trailers == [("x-sum", "1"), ("x-end", "yes")]
    assert backend.requests[0].trailers == [("x-check", "42")]


def test_a_response_until_close_becomes_chunked(stage):
    def serve(stream):
        stream.request()
        stream.send("HTTP/1.1 200 OK\r\n\r\nuntil the end")

    client = stage.client(stage.proxy(stage.backend(serve=serve)))
    for _ in range(2):
        response = client.ask()
        assert response.body == b"until the end" and response["transfer-encoding"] == "chunked"


def test_a_post_without_body_is_sent_with_length_zero(echo):
    with Client(echo.port) as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert ["content-length", "0"] in client.response().json()["fields"]


def test_head_is_answered_without_body_but_with_its_length(stage):
    client = stage.client(stage.proxy(stage.backend()))
    head = client.ask("/", "HEAD")
    assert head.status == 200 and head["content-length"] == "7"
    assert client.ask("/").body == b"backend"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_204_and_304_have_no_body(stage, status):
    client = stage.client(stage.proxy(stage.backend(lambda r: response_bytes(status, [("ETag", '"a"')], length=False))))
    for _ in range(2):
        response = client.ask()
        assert response.status == int(status[:3]) and response["etag"] == '"a"'
        assert "transfer-encoding" not in response.fields and "content-length" not in response.fields


def test_a_direct_response_that_cannot_have_a_body_has_no_length(stage):
    direct = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 204, "body": {"inline_string": "nobody sees this"}},
    }
    response = stage.client(stage.proxy(direct)).ask()
    assert response.status == 204 and "content-length" not in response.fields


def test_304_keeps_the_length_of_what_it_stands_for(stage):
    client = stage.client(
        stage.proxy(stage.backend(lambda r: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"))
    )
    for _ in range(2):
        response = client.ask()
        assert response.status == 304 and response["content-length"] == "500"


# --- interim responses --------------------------------------------------------------------------------------------


def test_expect_continue_is_answered_before_the_body_and_not_forwarded(echo):
    with Client(echo.port) as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert client.head().start_line == "HTTP/1.1 100 Continue"
        client.send("body")
        answer = client.response().json()
        assert answer["body"] == "body" and "expect" not in dict(answer["fields"])


def test_an_expectation_is_the_backends_to_answer_where_the_configuration_says_so(stage):
    def serve(stream):
        head = stream.head()
        assert head["expect"] == "100-continue"
        if head.target == "/no":
            return stream.send(response_bytes("417 Expectation Failed"))
        stream.send("HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n")
        stream.send(response_bytes(fields=[("Connection", "close")], body=stream.exactly(4)))

    proxy = stage.proxy(stage.backend(serve=serve), proxy_100_continue=True)
    asking = "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    client = stage.client(proxy).send(asking.format("/yes"))
    assert client.head().head == b"HTTP/1.1 100 Continue\r\nx-a: 1\r\n\r\n"
    assert client.send("body").response().body == b"body"
    refused = stage.client(proxy).send(asking.format("/no")).response()
    assert refused.status == 417 and refused.informational == [] and refused["connection"] == "close"


def test_curl_sends_its_body_after_100_continue(echo):
    shown = subprocess.run(
        [
            "curl",
            "-sS",
            "-i",
            "-H",
            "Expect: 100-continue",
            "--expect100-timeout",
            "20",
            "-d",
            "payload",
            f"http://127.0.0.1:{echo.port}/",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith("HTTP/1.1 100 Continue") and '"body": "payload"' in shown.stdout


def test_expect_continue_on_a_route_that_answers_at_once_needs_no_body(stage):
    proxy = stage.proxy({"match": {"prefix": "/"}, "direct_response": {"status": 403, "body": {"inline_string": "no"}}})
    client = stage.client(proxy)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    response = client.response()
    assert response.status == 403 and response.informational == []


def test_early_hints_reach_the_client(stage):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    client = stage.client(stage.proxy(stage.backend(lambda r: hints + response_bytes(body=b"page"))))
    response = client.ask()
    assert [(m.status, m["link"]) for m in response.informational] == [(103, "</style.css>; rel=preload")]
    assert response.body == b"page"


def test_100_continue_of_the_backend_is_not_repeated(stage):
    client = stage.client(
        stage.proxy(stage.backend(lambda r: b"HTTP/1.1 100 Continue\r\n\r\n" + response_bytes(body=b"x")))
    )
    response = client.ask()
    assert response.informational == [] and response.body == b"x"


# --- targets and versions -----------------------------------------------------------------------------------------


def test_an_absolute_target_names_the_host(echo):
    with Client(echo.port) as client:
        client.send("GET http://other.example/path?q=1 HTTP/1.1\r\nHost: ignored.example\r\n\r\n")
        answer = client.response().json()
        assert answer["line"] == "GET /path?q=1 HTTP/1.1" and dict(answer["fields"])["host"] == "other.example"


def test_options_of_the_whole_server(echo):
    with Client(echo.port) as client:
        client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().status == 404  # As Envoy: no route matches `*`.


def test_http_10_is_told_to_upgrade(echo):
    with Client(echo.port) as client:
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        response = client.response()
        assert response.status == 426 and response["connection"] == "close"
        assert client.at_end()


def test_http_10_is_served_where_it_is_accepted(stage):
    backend = stage.backend(lambda r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    proxy = stage.proxy(backend, http_protocol_options={"accept_http_10": True, "default_host_for_http_10": "fallback"})
    client = stage.client(proxy)
    client.send("GET / HTTP/1.0\r\n\r\n")
    response = client.response()
    assert response.status == 200 and response.body == b"abc" and "transfer-encoding" not in response.fields
    assert backend.requests[0].version == "HTTP/1.1" and backend.requests[0]["host"] == "fallback"


@pytest.mark.parametrize("codec, http2", [("AUTO", True), ("HTTP1", False)])
def test_the_preface_of_http2_is_taken_where_the_codec_allows_it(stage, codec, http2):
    backend = stage.backend()
    proxy = stage.proxy(backend, codec_type=codec)
    client = stage.client(proxy)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))  # And DATA on stream 0, which is an error.
    answer = client.rest()
    goaway_of_a_protocol_error = b"\x07" + bytes(12) + b"\x01"
    assert answer.startswith(b"HTTP/1.1 4") != http2 and (goaway_of_a_protocol_error in answer) == http2
    assert proxy.stat("http.in.downstream_cx_http2_total") == int(http2)
    assert proxy.stat("http.in.downstream_cx_protocol_error") == 1
    assert backend.requests == []


# --- fields -------------------------------------------------------------------------------------------------------


def test_hop_by_hop_fields_do_not_pass(stage):
    backend = stage.backend(
        lambda r: response_bytes(
            fields=[
                ("Connection", "keep-alive, X-Mine"),
                ("Keep-Alive", "timeout=5"),
                ("X-Mine", "1"),
                ("Proxy-Connection", "x"),
                ("X-Kept", "1"),
            ]
        )
    )
    client = stage.client(stage.proxy(backend))
    response = client.ask(
        fields=[
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("TE", "gzip"),
            ("Upgrade-Insecure-Requests", "1"),
        ]
    )
    seen = backend.requests[0].fields
    assert not {"connection", "x-hop", "keep-alive", "proxy-connection", "te"} & {n for n, _ in seen}
    assert "upgrade-insecure-requests" in seen
    assert not {"connection", "keep-alive", "proxy-connection"} & {n for n, _ in response.fields}
    assert response["x-kept"] == "1"


ADDED = [
    ("connection", "close"),
    ("connection", "keep-alive, x-hop"),
    ("te", "gzip"),
    ("te", "trailers"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "gzip"),
    ("keep-alive", "timeout=5"),
    ("upgrade", "websocket"),
    ("proxy-connection", "keep-alive"),
    ("http2-settings", "x"),
    ("content-length", "5"),
]
SCRIPT = """function envoy_on_request(h)
  h:headers():replace(h:headers():get("x-name"), h:headers():get("x-value"))
end"""


def adding(stage, by, backend):
    """A proxy that puts a field of ADDED into each request: by its route, or by a script."""
    if by == "script":
        filters = http_filters(http_filter("lua", "Lua", default_source_code={"inline_string": SCRIPT}))
        return stage.proxy(backend, http_filters=filters)
    routes = []
    for i, (name, value) in enumerate(ADDED):
        add = {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        routes.append({**route("backend", f"/{i}/"), "request_headers_to_add": [add]})
    return stage.proxy(*routes, clusters=[cluster("backend", backend)])


@pytest.mark.parametrize("by", ["route", "script"])
@pytest.mark.parametrize("body", [None, b"abc"], ids=["empty", "body"])
def test_fields_of_one_hop_that_are_added_do_not_pass(stage, by, body):
    """Envoy lets them pass: the backend waits for chunks that never come, or takes a body for the next request."""
    backend = stage.backend()
    client = stage.client(adding(stage, by, backend))
    for i, (name, value) in enumerate(ADDED):
        fields = [("X-Hop", "1"), ("X-Name", name), ("X-Value", value)]
        assert client.ask(f"/{i}/", "POST" if body else "GET", fields, body).status == 200
        seen = backend.requests[i]
        assert (seen.target, seen.body) == (f"/{i}/", body or b"")
        assert ("x-hop" in seen.fields) == ("x-hop" not in value)
        left = {n: v for n, v in seen.fields if n in dict(ADDED)}
        length = {"content-length": str(len(body or b""))} if body or name == "content-length" else {}
        assert left == {**({"te": "trailers"} if value == "trailers" else {}), **length}
    assert len(backend.streams) == 1


def test_te_trailers_passes(stage):
    backend = stage.backend()
    stage.client(stage.proxy(backend)).ask(fields=[("Connection", "TE"), ("TE", "trailers")])
    assert backend.requests[0]["te"] == "trailers"


def test_repeated_fields_keep_their_number_and_order(stage):
    backend = stage.backend(lambda r: response_bytes(fields=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    response = stage.client(stage.proxy(backend)).ask(fields=[("X-Many", "1"), ("Accept", "a"), ("X-Many", "2")])
    assert backend.requests[0].fields.all("x-many") == ["1", "2"]
    assert response.fields.all("set-cookie") == ["a=1", "b=2"]


def test_a_request_id_is_made_and_is_new_each_time(stage):
    backend = stage.backend()
    client = stage.client(stage.proxy(backend))
    for _ in range(5):
        client.ask()
    ids = [r["x-request-id"] for r in backend.requests]
    assert len(set(ids)) == 5 and all(len(i) == 36 and i[14] == "4" for i in ids)


def test_fields_that_proxies_say_to_each_other_are_not_believed(stage):
    """As Envoy: only those of internal addresses would be, and by default there are none."""
    backend = stage.backend()
    claims = {
        "X-Envoy-Internal": "true",
        "X-Envoy-Retry-On": "5xx",
        "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
        "X-Forwarded-Client-Cert": "By=me",
        "X-Envoy-Force-Trace": "1",
        "X-Other": "kept",
    }
    stage.client(stage.proxy(backend)).ask(fields=claims)
    assert {n for n, _ in backend.requests[0].fields} & {n.lower() for n in claims} == {"x-other"}


def test_the_address_of_the_client_is_told_where_the_world_connects(stage):
    backend = stage.backend()
    client = stage.client(stage.proxy(backend, use_remote_address=True))
    client.ask(
        fields={
            "X-Forwarded-For": "10.0.0.9",
            "X-Forwarded-Proto": "https",
            "X-Request-Id": "mine",
            "X-Envoy-External-Address": "1.1.1.1",
        }
    )
    seen = backend.requests[0]
    told, machine = seen["x-forwarded-for"].split(",")
    assert told == "10.0.0.9" and seen["x-forwarded-proto"] == "http"
    # Others cannot reach this client by 127.0.0.1: they are told the machine's address, if it has one.
    with socket.socket() as own:
        own.bind((machine, 0))
    assert seen["x-envoy-external-address"] == "127.0.0.1" and seen["x-request-id"] != "mine"


def test_every_address_that_a_client_came_by_is_kept(stage):
    backend = stage.backend()
    fields = [("X-Forwarded-For", "10.0.0.8"), ("X-Forwarded-For", "10.0.0.9")]
    stage.client(stage.proxy(backend, use_remote_address=True)).ask(fields=fields)
    (value,) = backend.requests[0].fields.all("x-forwarded-for")
    assert value.split(",")[:2] == ["10.0.0.8", "10.0.0.9"] and value.count(",") == 2


# --- limits -------------------------------------------------------------------------------------------------------


def big_head(size):
    head = request_bytes(fields=[("X-Big", "")])
    return head.replace(b"X-Big: ", b"X-Big: " + b"a" * (size - len(head)))


def test_a_head_over_60_kib_is_refused_with_431(echo):
    with Client(echo.port) as client:
        client.send(big_head(61 * 1024 + 200))
        response = client.response()
        assert response.status == 431 and client.at_end()


def test_a_head_below_60_kib_passes(echo):
    with Client(echo.port) as client:
        client.send(big_head(59 * 1024))
        assert client.response().status == 200


def test_the_limit_of_the_head_can_be_set(stage):
    backend = stage.backend()
    proxy = stage.proxy(backend, max_request_headers_kb=2)
    client = stage.client(proxy)
    client.send(big_head(1900))
    assert client.response().status == 200
    client.send(big_head(4000))
    assert client.response().status == 431
    assert len(backend.requests) == 1


def test_more_than_100_fields_are_refused_with_431(echo):
    with Client(echo.port) as client:
        client.send(request_bytes(fields=[(f"X-{i}", "1") for i in range(101)]))
        assert client.response().status == 431 and client.at_end()


def test_an_endless_head_is_not_collected(echo):
    with Client(echo.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        with_reset = (ConnectionResetError, BrokenPipeError)
        try:
            for _ in range(100):
                client.send(b"a" * 10_000)
        except with_reset:
            pass
        try:
            assert client.response().status == 431
        except with_reset:
            pass  # Closed with our bytes on the way: also an end.


def test_a_response_head_over_its_limit_is_answered_with_502(stage):
    backend = stage.backend(lambda r: response_bytes(fields=[("X-Big", "a" * 90_000)]))
    response = stage.client(stage.proxy(backend)).ask()
    assert response.status == 502


def test_the_status_of_each_class_is_counted(stage):
    proxy = stage.proxy(stage.backend(lambda r: response_bytes(f"{r.target[1:]} X", length=r.target != "/204")))
    client = stage.client(proxy)
    statuses = [200, 201, 302, 404, 404, 500, 204]
    assert [client.ask(f"/{s}").status for s in statuses] == statuses
    proxy.wait_stat("http.in.downstream_rq_completed", 7)
    classes = tally(s // 100 for s in statuses)
    assert {k: proxy.stat(f"http.in.downstream_rq_{k}xx") for k in classes} == classes
    assert {k: proxy.stat(f"cluster.backend.upstream_rq_{k}xx") for k in classes} == classes
