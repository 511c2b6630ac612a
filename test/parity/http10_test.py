"""HTTP/1.0 clients, where they are accepted and where they are not."""

import pytest

from config_text import route
from peers import Client, response_bytes
from sides import both, compare, different, needed

pytestmark = needed


def answer(request):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    if request.target == "/chunked":
        return chunked + b"3\r\nabc\r\n0\r\n\r\n"
    if request.target == "/304":
        return response_bytes("304 Not Modified", length=False)
    if request.target == "/204":
        return response_bytes("204 No Content", length=False)
    if request.target == "/close":
        request.stream.send(b"HTTP/1.0 200 OK\r\n\r\nabc")
        return None
    return response_bytes(body=b"backend")


ROUTES = [
    {"match": {"path": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "tea"}}},
    {"match": {"path": "/bare"}, "direct_response": {"status": 404}},
    {"match": {"path": "/redirect"}, "redirect": {"path_redirect": "/new"}},
    route("backend"),
]
SETTINGS = {
    "accepted": {"http_protocol_options": {"accept_http_10": True}},
    "accepted, with a default host": {
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "fallback"}
    },
    "refused": {"http_protocol_options": {"default_host_for_http_10": "fallback"}},
}


@pytest.fixture(scope="module", params=SETTINGS)
def sides(request, shared):
    return both(shared, answer=answer, routes=ROUTES, **SETTINGS[request.param])


def http10(path="/", method="GET", fields=("Host: a",), body=""):
    return "\r\n".join([f"{method} {path} HTTP/1.0", *fields, "", body]).encode()


KEPT = ("Host: a", "Connection: keep-alive")


@pytest.mark.parametrize("path", ["/", "/chunked", "/close", "/204", "/304", "/direct", "/bare", "/redirect"])
@pytest.mark.parametrize("fields", [(), ("Host: a",), ("Host:",), KEPT], ids=["none", "host", "empty host", "kept"])
def test_get(sides, path, fields):
    compare(sides, http10(path, fields=fields))


@pytest.mark.parametrize(
    "data",
    [
        http10(method="POST", fields=("Host: a", "Content-Length: 3"), body="abc"),
        http10(method="POST"),
        http10("http://b/x", fields=()),
        http10("http://b/x"),
        http10(fields=("Host: a", "Connection: Keep-Alive")),
        http10(fields=("Host: a", "Proxy-Connection: keep-alive")),
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    ],
)
def test_other_requests(sides, data):
    compare(sides, data)


def accepting(stage):
    return both(stage, answer=answer, routes=ROUTES, **SETTINGS["accepted"])


@pytest.mark.parametrize("path", ["/", "/chunked", "/direct", "/bare"])
def test_head(stage, path):
    compare(accepting(stage), http10(path, "HEAD", KEPT), "HEAD")


def test_a_connection_is_kept_for_who_asks_for_it(stage):
    def talk(side):
        with Client(side.proxy.port) as client:
            answers = [client.send(http10(p, fields=KEPT)).response() for p in ("/", "/direct", "/chunked")]
            return [(r.start_line, r["connection"], r.body) for r in answers], client.at_end()

    ours, theirs = map(talk, accepting(stage))
    assert ours == theirs
    assert ours[0][2] == ("HTTP/1.0 200 OK", "close", b"abc") and ours[1]


def test_where_outrider_keeps_to_the_rfcs(stage):
    ours, theirs = accepting(stage)
    # RFC 9112 section 6.1: chunks are none of HTTP/1.0's.
    chunks = http10(method="POST", fields=("Host: a", "Transfer-Encoding: chunked"), body="3\r\nabc\r\n0\r\n\r\n")
    assert ours.exchange(chunks, "GET")["line"] == "HTTP/1.1 400 Bad Request"
    assert theirs.exchange(chunks, "GET")["line"] == "HTTP/1.0 200 OK"
    # RFC 9112 section 9.3: `close` is heeded whatever stands beside it.
    doubtful = http10(fields=("Host: a", "Connection: close, keep-alive"))
    assert dict(ours.exchange(doubtful, "GET")["fields"])["connection"] == "close"
    assert dict(theirs.exchange(doubtful, "GET")["fields"])["connection"] == "keep-alive"
    # RFC 9110 sections 10.1.1 and 15.2: no interim response for an HTTP/1.0 client.
    expecting = http10(method="POST", fields=("Host: a", "Content-Length: 3", "Expect: 100-continue"), body="abc")
    a, b = (side.exchange(expecting, "GET") for side in (ours, theirs))
    assert a.pop("informational") == [] and b.pop("informational") == ["HTTP/1.0 100 Continue"]
    assert not different(a, b)
