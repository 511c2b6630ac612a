"""Requests of HTTP/2, whole and malformed, through outrider and Envoy: what the client sees, the backend, the log and
the statistics."""

import pytest

from config_text import route
from h2_talk import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PRIORITIZED,
    H2Client,
    block,
    frame,
    frame_of_length,
    request_fields,
    rst_stream,
    settings,
)
from sides import COUNTED, both, different, needed, stable

pytestmark = needed

TRAILERS = block([("t", "1"), ("grpc-status", "0")])
CONNECT = [(":method", "CONNECT"), (":authority", "a:1")]


def head(fields, end=True, flags=END_HEADERS):
    return frame(HEADERS, flags | (END_STREAM if end else 0), 1, block(fields))


def plus(*fields, **options):
    return request_fields(fields=fields, **options)


def without(name):
    return [f for f in request_fields() if f[0] != name]


def data(content, end=True, flags=0):
    return frame(DATA, flags | (END_STREAM if end else 0), 1, content)


def post(*fields, end=False):
    return head(request_fields("/", "POST", fields), end)


HEADS = {
    "a request": request_fields(),
    "with a query": request_fields("/a?b=c%20d"),
    "of a host with a port": request_fields(authority="test.example:81"),
    "in upper case": request_fields(authority="Test.Example"),
    "https": request_fields(scheme="https"),
    "another scheme": request_fields(scheme="ftp"),
    "an empty scheme": request_fields(scheme=""),
    "HEAD": request_fields(method="HEAD"),
    "OPTIONS *": request_fields("*", "OPTIONS"),
    "GET *": request_fields("*"),
    "an unknown method": request_fields(method="BREW"),
    "a method in lower case": request_fields(method="get"),
    "a method with a blank": request_fields(method="GE T"),
    "an empty method": request_fields(method=""),
    "DELETE": request_fields(method="DELETE"),
    "TRACE": request_fields(method="TRACE"),
    "no method": without(":method"),
    "no path": without(":path"),
    "no scheme": without(":scheme"),
    "no authority": without(":authority"),
    "a host alone": [*without(":authority"), ("host", "h.example")],
    "a host too": plus(("host", "h.example")),
    "the same host too": plus(("host", "test.example")),
    "an empty authority": request_fields(authority=""),
    "an empty authority and a host": plus(("host", "h.example"), authority=""),
    "userinfo": request_fields(authority="me@test.example"),
    "an authority with a slash": request_fields(authority="a/b"),
    "an authority with a blank": request_fields(authority="a b"),
    "two authorities": [*request_fields(), (":authority", "b")],
    "two methods": [*request_fields(), (":method", "GET")],
    "two paths": [*request_fields(), (":path", "/")],
    "two schemes": [*request_fields(), (":scheme", "http")],
    "an empty path": request_fields(""),
    "a path without slash": request_fields("a"),
    "a whole URL": request_fields("http://test.example/a"),
    "a fragment": request_fields("/a#b"),
    "a blank in the path": request_fields("/a b"),
    "a tab in the path": request_fields("/a\tb"),
    "a control character in the path": request_fields("/a\x01b"),
    "a DEL in the path": request_fields("/a\x7fb"),
    "a byte above 127 in the path": request_fields("/a\xe9b"),
    "a backslash in the path": request_fields("/a\\b"),
    "dots in the path": request_fields("/a/../b"),
    "two slashes": request_fields("//a"),
    "an unknown pseudo field": [(":x", "1"), *request_fields()],
    "a status": [(":status", "200"), *request_fields()],
    "a pseudo field behind others": [("x", "1"), *request_fields()],
    "a name in upper case": plus(("X-A", "1")),
    "an empty name": plus(("", "1")),
    "a name with a blank": plus(("x a", "1")),
    "a name with a colon": plus(("x:a", "1")),
    "a name with an underscore": plus(("x_a", "1")),
    "a name with a byte above 127": plus(("x\xe9", "1")),
    "an empty value": plus(("x", "")),
    "blanks round a value": plus(("x", " a ")),
    "tabs round a value": plus(("x", "\ta\t")),
    "a tab in a value": plus(("x", "a\tb")),
    "a line break in a value": plus(("x", "a\nb")),
    "a carriage return in a value": plus(("x", "a\rb")),
    "a NUL in a value": plus(("x", "a\0b")),
    "a control character in a value": plus(("x", "a\x01b")),
    "a DEL in a value": plus(("x", "a\x7fb")),
    "a byte above 127 in a value": plus(("x", "a\xe9b")),
    "connection": plus(("connection", "close")),
    "connection: te": plus(("connection", "te")),
    "keep-alive": plus(("keep-alive", "1")),
    "proxy-connection": plus(("proxy-connection", "x")),
    "transfer-encoding": plus(("transfer-encoding", "chunked")),
    "upgrade": plus(("upgrade", "h2c")),
    "te: trailers": plus(("te", "trailers")),
    "te: gzip": plus(("te", "gzip")),
    "te: Trailers": plus(("te", "Trailers")),
    "two cookies": plus(("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")),
    "fields of a name": plus(("x", "a"), ("x", "b")),
    "priority": plus(("priority", "u=1")),
    "a length of nothing": plus(("content-length", "0")),
    "a length without body": plus(("content-length", "5")),
    "a length that is none": plus(("content-length", "x")),
    "a length with a sign": plus(("content-length", "+5")),
    "two lengths": plus(("content-length", "0"), ("content-length", "0")),
    "two lengths that differ": plus(("content-length", "0"), ("content-length", "1")),
    "a list of lengths": plus(("content-length", "0, 0")),
    "95 fields": plus(*[(f"x-{i}", "y") for i in range(95)]),
    "200 fields": plus(*[(f"x-{i}", "y") for i in range(200)]),
    "expect: 100-continue": plus(("expect", "100-continue")),
    "expect something": plus(("expect", "tea")),
    "x-forwarded-for": plus(("x-forwarded-for", "1.2.3.4")),
    "x-forwarded-proto": plus(("x-forwarded-proto", "https")),
    "grpc": request_fields("/s/m", "POST", [("content-type", "application/grpc"), ("te", "trailers")]),
    "CONNECT": CONNECT,
    "CONNECT with a path": [*CONNECT, (":path", "/")],
    "CONNECT with a scheme": [*CONNECT, (":scheme", "http")],
    "CONNECT without a port": [(":method", "CONNECT"), (":authority", "a")],
    "an extended CONNECT": [(":protocol", "websocket"), *request_fields(method="CONNECT")],
    "a protocol without CONNECT": [(":protocol", "websocket"), *request_fields()],
}

PRIORITY = b"\0\0\0\0\x10"
BODIES = {
    "a body": post() + data(b"body"),
    "a body with its length": post(("content-length", "4")) + data(b"body"),
    "a body in pieces": post() + data(b"bo", False) + data(b"dy"),
    "an empty end": post() + data(b"body", False) + data(b""),
    "a body with padding": post() + data(b"\x03body\0\0\0", True, PADDED),
    "no body": post(end=True),
    "an empty body": post() + data(b""),
    "more than its length": post(("content-length", "3")) + data(b"body"),
    "less than its length": post(("content-length", "5")) + data(b"body"),
    "more than its length in pieces": post(("content-length", "3")) + data(b"bo", False) + data(b"dy"),
    "a body of a GET": head(request_fields(), False) + data(b"body"),
    "a body of a HEAD": head(request_fields(method="HEAD"), False) + data(b"body"),
    "trailers": post() + data(b"body", False) + frame(HEADERS, END_HEADERS | END_STREAM, 1, TRAILERS),
    "trailers alone": post() + frame(HEADERS, END_HEADERS | END_STREAM, 1, TRAILERS),
    "trailers that do not end": post() + data(b"body", False) + frame(HEADERS, END_HEADERS, 1, TRAILERS),
    "a path in trailers": post() + frame(HEADERS, END_HEADERS | END_STREAM, 1, block([(":path", "/")])),
    "upper case in trailers": post() + frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("T", "1")])),
    "a length in trailers": post() + frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("content-length", "1")])),
    "a head in pieces": frame(HEADERS, END_STREAM, 1, block(request_fields()[:2]))
    + frame(CONTINUATION, END_HEADERS, 1, block(request_fields()[2:])),
    "a head with priority": frame(
        HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, PRIORITY + block(request_fields())
    ),
    "a head with padding": frame(
        HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x02" + block(request_fields()) + b"\0\0"
    ),
    "a large field": head(plus(("x", "y" * 15_000))),
    "a head of 70 KB": frame(HEADERS, END_STREAM, 1, block(request_fields()))
    + b"".join(frame(CONTINUATION, 0, 1, block([("x", "y" * 14_000)])) for _ in range(5))
    + frame(CONTINUATION, END_HEADERS, 1, block([("z", "z")])),
    "a reset": post() + rst_stream(1, 8),
    "a reset without error": post() + rst_stream(1, 0),
    "DATA behind the end": post(end=True) + data(b"late"),
    "DATA of stream 0": frame(DATA, 0, 0, b"x"),
    "DATA of an idle stream": frame(DATA, 0, 5, b"x"),
    "HEADERS of stream 0": frame(HEADERS, END_HEADERS | END_STREAM, 0, block(request_fields())),
    "HEADERS of stream 2": frame(HEADERS, END_HEADERS | END_STREAM, 2, block(request_fields())),
    "padding that is too long": post() + data(b"\x09ab", True, PADDED),
    "a frame that is too large": post() + frame_of_length(16_385, DATA, END_STREAM, 1) + b"x" * 16_385,
    "bytes that are no HPACK": frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"),
    "a window out of range": frame(4, 0, 0, b"\0\4\xff\xff\xff\xff"),
    "a push that is allowed": settings(ENABLE_PUSH=1) + head(request_fields()),
    "HTTP/1": b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
}


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, codec_type="HTTP2", routes=[route("backend")], delayed_close_timeout="0.02s")


UNANSWERED = rst_stream(1)[:9]  # Of a reset.


def seen(side, pieces):
    lines, requests, before = len(side.logged()), len(side.backend.requests), side.proxy.stats((*COUNTED, "http2."))
    with H2Client(side.proxy.port) as client:
        client.send(pieces)
        a = client.answer(1)
        client.until(lambda: a.over or UNANSWERED in pieces)
        alive = not client.ended and client.pong()
    side.proxy.wait_stat("http.in.downstream_cx_active", 0)
    side.proxy.wait_stat("http.in.downstream_rq_active", 0)
    after = side.proxy.stats((*COUNTED, "http2."))
    if after["http.in.downstream_rq_total"] > before["http.in.downstream_rq_total"]:
        side.wait_logged(lines + 1)
    changed = {n: v - before.get(n, 0) for n, v in after.items() if not any(w in n for w in UNCOUNTED)}
    got = side.backend.requests[requests:]
    return {
        "fields": a.fields and stable(a.fields),
        "informational": [f.get(":status") for f in a.informational],
        "body": a.body,
        "trailers": list(a.trailers),
        "reset": a.reset,
        "alive": alive,
        "log": side.logged()[lines:],
        "counted": [f"{n} {v}" for n, v in sorted(changed.items()) if v],
        "backend": [{"line": r.start_line, "fields": stable(r.fields), "body": r.body} for r in got],
    }


# Gauges of what is about to go, and what depends on who is first.
UNCOUNTED = (
    *("_bytes_", "_active", "nghttp2", "_cx_", "tx_flush"),
    *("upstream_rq_total", "upstream_rq_pending_total", "upstream_rq_cancelled", "upstream_rq_rx_reset"),
)


def compare(sides, pieces):
    ours, theirs = (seen(side, pieces) for side in sides)
    found = different(ours, theirs)
    assert not found, found


# Where outrider does otherwise than Envoy.
OTHERWISE = {
    "expect: 100-continue",  # 100 is sent when somebody wants the body.
    "an empty body",  # Told as a length to HTTP/1.
    "te: Trailers",  # Passed on as it is.
    *("trailers that do not end", "a path in trailers", "upper case in trailers"),  # Not counted as trailers.
    *("a reset", "a reset without error", "a length in trailers"),  # Before their cluster was known.
    *("more than its length", "less than its length", "more than its length in pieces"),  # Likewise.
    "DATA behind the end",  # Only its stream ends.
}


@pytest.mark.parametrize("name", sorted(HEADS.keys() - OTHERWISE))
def test_a_head(sides, name):
    compare(sides, head(HEADS[name]))


@pytest.mark.parametrize("name", sorted(BODIES.keys() - OTHERWISE))
def test_a_message(sides, name):
    compare(sides, BODIES[name])
