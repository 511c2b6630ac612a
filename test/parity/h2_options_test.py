"""What outrider and Envoy say first on a connection of HTTP/2, how they end it, and what their options change."""

import pytest

from config_text import http2_cluster, route
from h2_talk import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    WINDOW_UPDATE,
    SETTINGS,
    GOAWAY,
    INITIAL_WINDOW,
    RST_STREAM,
    H2Backend,
    H2Client,
    block,
    frame,
    request_fields,
)
from peers import Client, eventually, request_bytes
from sides import Side, different, needed, stable

pytestmark = needed

OPTIONS = {
    "none": {},
    "a table": {"hpack_table_size": 0},
    "streams": {"max_concurrent_streams": 7},
    "windows": {"initial_stream_window_size": 100_000, "initial_connection_window_size": 200_000},
    "the least windows": {"initial_stream_window_size": 65_535, "initial_connection_window_size": 65_535},
    "connect": {"allow_connect": True},
    "a frame": {"max_outbound_frames": 5},
    "a custom setting": {"custom_settings_parameters": [{"identifier": 77, "value": 5}]},
}


# The default windows are outrider's own (Envoy grants 16 and 24 MiB), and 65 535, which holds anyway, is not said.
WINDOWS = {262_144, 16_777_216, 65_535}
GRANTS = {983_041, 25_100_289}


def told(frames):
    """SETTINGS, without windows that are known to differ."""
    return [{k: v for k, v in f.settings.items() if k != INITIAL_WINDOW or v not in WINDOWS} for f in frames]


def first_words(talk):
    """SETTINGS and the connection's WINDOW_UPDATE."""
    talk.ask()
    grants = {f.number for f in talk.frames if f.kind == WINDOW_UPDATE and not f.stream}
    return {"settings": told(settings_of(talk)), "window": sorted(grants - GRANTS)}


def settings_of(talk):
    return [f for f in talk.frames if f.kind == SETTINGS and not f.flags]


def sides(stage, **options):
    return Side(stage, "outrider", **options), Side(stage, "envoy", **options)


def alike(ours, theirs):
    found = different(ours, theirs)
    assert not found, found


@pytest.mark.parametrize("name", OPTIONS)
def test_what_a_client_is_told_first(stage, name):
    def said(side):
        with H2Client(side.proxy.port) as client:
            return first_words(client)

    alike(*map(said, sides(stage, codec_type="HTTP2", http2_protocol_options=OPTIONS[name], routes=[route("backend")])))


@pytest.mark.parametrize("name", OPTIONS)
def test_what_a_backend_is_told_first(stage, name):
    def said(which):
        backend = stage.ending.enter_context(H2Backend())
        to = http2_cluster("backend", backend, http2=OPTIONS[name])
        side = Side(stage, which, routes=[route("backend")], clusters=lambda _: [to])
        with Client(side.proxy.port) as client:
            assert client.ask("/a?b", fields=[("te", "trailers"), ("x-a", "1")]).status == 200
        talk, request = backend.talks[0], backend.requests[0]
        return {"settings": told(settings_of(talk)), "fields": stable(request.fields)}

    alike(said("outrider"), said("envoy"))


REQUESTS = {
    "a request": request_bytes("/a?b=c", fields=[("x-a", "1")]),
    "HEAD": request_bytes(method="HEAD"),
    "a body": request_bytes(method="POST", body=b"body"),
    "chunks": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "trailers": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nt: 1\r\n\r\n",
    "te": request_bytes(fields=[("te", "gzip, trailers"), ("connection", "te")]),
    "connection fields": request_bytes(fields=[("connection", "keep-alive, x-a"), ("x-a", "1"), ("keep-alive", "5")]),
    "proxy-connection": request_bytes(fields=[("proxy-connection", "keep-alive")]),
    "upgrade: h2c": request_bytes(
        fields=[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")]
    ),
    "cookies": request_bytes(fields=[("cookie", "a=1"), ("cookie", "b=2")]),
    "expect": request_bytes(method="POST", fields=[("expect", "100-continue")], body=b"body"),
    "upper case": request_bytes(fields=[("X-UPPER", "Value")], host="Test.Example"),
    "a host with a port": request_bytes(host="a:81"),
    "a whole URL": b"GET http://b.example/x?y HTTP/1.1\r\nhost: a\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\nhost: a\r\n\r\n",
}


@pytest.fixture(scope="module")
def before_http2(shared):
    made = []
    for which in ("outrider", "envoy"):
        backend = shared.ending.enter_context(H2Backend(name="h2"))
        made.append((Side(shared, which, routes=[route("to")], clusters=before(backend), **HTTP1), backend))
    return made


HTTP1 = {"http_protocol_options": {"accept_http_10": True, "enable_trailers": True}}


def before(backend):
    return lambda _: [http2_cluster("to", backend)]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_of_http1_as_a_backend_of_http2_gets_it(before_http2, name):
    def seen(side, backend):
        requests = len(backend.requests)
        said = side.exchange(REQUESTS[name], "HEAD" if name == "HEAD" else "GET")
        if name == "expect":  # Whose body is here already has nothing to wait for: outrider sends no 100.
            del said["informational"]
        got = backend.requests[requests:]
        for request in got:
            eventually(lambda r=request: r.answer.over, "the end of the request")
        said["got"] = [(stable(r.fields), r.body, list(r.trailers)) for r in got]
        return said

    alike(*(seen(*each) for each in before_http2))


MALFORMED = {
    "upper case": request_fields(fields=[("X-A", "1")]),
    "no path": [f for f in request_fields() if f[0] != ":path"],
    "a connection field": request_fields(fields=[("connection", "close")]),
    "a length of more": request_fields(fields=[("content-length", "5")]),
}
LENIENT = {"override_stream_error_on_invalid_http_message": True}


@pytest.fixture(scope="module")
def lenient(shared):
    options = {"codec_type": "HTTP2", "routes": [route("backend")], "delayed_close_timeout": "0.02s"}
    return sides(shared, http2_protocol_options=LENIENT, **options)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_head_where_only_its_stream_shall_end(lenient, name):
    def seen(side):
        lines = len(side.logged())
        with H2Client(side.proxy.port) as client:
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(MALFORMED[name])))
            a = client.whole(1)
            said = {"reset": a.reset, "status": a.status, "stays": not client.ended and client.pong()}
        side.wait_logged(lines + 1)
        return {**said, "log": side.logged()[lines:]}

    alike(*map(seen, lenient))


ENDINGS = {
    "requests": {"common_http_protocol_options": {"max_requests_per_connection": 2}},
    "age": {"common_http_protocol_options": {"max_connection_duration": "0.3s"}},
    "idle": {"common_http_protocol_options": {"idle_timeout": "0.3s"}},
}
# Envoy waits for the client to close behind GOAWAY, up to its delayed_close_timeout; outrider closes.
UNCOUNTED = ("bytes_total", "bytes_buffered", "delayed_close_timeout")


@pytest.mark.parametrize("name", ENDINGS)
def test_how_a_connection_ends(stage, name):
    def seen(side):
        with H2Client(side.proxy.port) as client:
            for _ in range(2):
                client.ask()
            client.to_end()
            ends = [(f.name, f.payload) for f in client.frames if f.kind in (GOAWAY, RST_STREAM)]
        side.proxy.wait_stat("http.in.downstream_cx_active", 0)
        counted = side.proxy.stats("http.in.downstream_cx_")
        return {"ends": ends, "counted": [f"{n} {v}" for n, v in counted.items() if v and not n.endswith(UNCOUNTED)]}

    options = {"codec_type": "HTTP2", "routes": [route("backend")], "drain_timeout": "0.1s"}
    alike(*map(seen, sides(stage, **options, **ENDINGS[name])))
