"""What a proxy tells the backend of the client, and what it passes on besides requests and responses."""

import pytest

from config_text import http1_cluster, route
from peers import Client, request_bytes, response_bytes
from sides import LOG, both, compare, compare_counted, needed, stable

pytestmark = needed

OURSELVES = LOG + " %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(X-FORWARDED-FOR)%"
FORWARDED = {
    "nothing": [],
    "one address": [("X-Forwarded-For", "1.2.3.4")],
    "a list": [("X-Forwarded-For", "10.1.1.1,  10.2.2.2")],
    "two lists": [("X-Forwarded-For", "1.1.1.1"), ("X-Other", "x"), ("X-Forwarded-For", "2.2.2.2, 3.3.3.3")],
    "loopback": [("X-Forwarded-For", "127.0.0.1"), ("X-Envoy-Internal", "true")],
    "nonsense": [("X-Forwarded-For", "nonsense")],
    "an external address": [("X-Envoy-External-Address", "9.9.9.9")],
    "a scheme": [("X-Forwarded-Proto", "https")],
}


@pytest.fixture(scope="module", params=[None, False, True], ids=["default", "behind a proxy", "at the edge"])
def told(request, shared):
    options = {} if request.param is None else {"use_remote_address": request.param}
    return both(shared, routes=[route("backend")], log=OURSELVES, **options)


@pytest.mark.parametrize("name", FORWARDED)
def test_a_client_on_this_machine(told, name):
    compare(told, request_bytes(fields=FORWARDED[name]))


def test_the_machine_may_be_known_by_its_ipv6_address(stage):
    flags = ["--local-address-ip-version", "v6"]
    compare(both(stage, routes=[route("backend")], flags=flags, use_remote_address=True), request_bytes())


# --- 100 Continue -------------------------------------------------------------------------------------------------

CONTINUE = b"HTTP/1.1 100 Continue\r\n"


def serve_expecting(stream):
    """The path says what the backend thinks of the expectation."""
    while True:
        head = stream.head()
        if head.target == "/refused":
            stream.send(response_bytes("417 Expectation Failed"))
            continue
        if head.target == "/twice":
            stream.send(CONTINUE + b"X-A: 1\r\n\r\n" + CONTINUE + b"\r\n")
        elif head.target == "/promised":
            stream.send(CONTINUE + b"\r\n")
        body = stream.exactly(3)
        told = str([f for f in stable(head.fields) if f[0] != "x-request-id"]).encode()
        stream.send(response_bytes(body=told + body))


@pytest.fixture(scope="module")
def expecting(shared):
    return both(shared, serve=serve_expecting, routes=[route("backend")], proxy_100_continue=True)


def talk(path, expect=True, body_at_once=False):
    fields = "Expect: 100-continue\r\n" if expect else ""

    def with_client(client):
        client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n{fields}\r\n")
        if body_at_once:
            client.send("abc")
        first = client.head()
        if first.status != 100:
            return first.start_line, stable(first.fields), client.exactly(int(first["content-length"]))
        if not body_at_once:
            client.send("abc")
        response = client.response()
        return first.head, response.start_line, stable(response.fields), response.body

    return with_client


@pytest.mark.parametrize("path", ["/promised", "/twice", "/refused"])
def test_the_backend_decides_on_an_expectation(expecting, path):
    compare_counted(expecting, talk(path))


def test_a_100_that_nobody_asked_for_is_passed_on(expecting):
    compare_counted(expecting, talk("/promised", expect=False))


@pytest.mark.parametrize("path", ["/promised", "/nothing"])
def test_a_body_that_does_not_wait(expecting, path):
    compare_counted(expecting, talk(path, body_at_once=True))


def test_our_own_100_is_counted(stage):
    sides = both(stage, serve=serve_expecting, routes=[route("backend")])
    assert "http.in.downstream_rq_1xx 1" in compare_counted(sides, talk("/nothing"))["counted"]


# --- trailers -----------------------------------------------------------------------------------------------------

TRAILED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
TRAILING = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Check: 42\r\n\r\n"


@pytest.mark.parametrize("enabled", [False, True])
def test_trailers_pass_whatever_enable_trailers_says(stage, enabled):
    """Envoy drops them unless it is told not to."""
    options = {"http_protocol_options": {"enable_trailers": enabled}}

    def clusters(backend):
        return [http1_cluster("backend", backend, http1=options["http_protocol_options"])]

    sides = both(stage, answer=lambda r: TRAILED, routes=[route("backend")], clusters=clusters, **options)
    for side in sides:
        with Client(side.proxy.port) as client:
            response = client.send(TRAILING).response()
        passed = enabled or side.name == "outrider"
        assert response.body == b"ok" and side.backend.requests[0].body == b"x"
        assert response.trailers == ([("x-sum", "1")] if passed else [])
        assert side.backend.requests[0].trailers == ([("x-check", "42")] if passed else [])
