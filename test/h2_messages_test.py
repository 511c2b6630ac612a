"""Messages over HTTP/2: from a client of it to backends of HTTP/1.1 and HTTP/2, and from HTTP/1.1 to HTTP/2."""

import threading

import pytest

from config_text import http1_cluster, http2_cluster, route
from h2_attacks import pushed
from h2_talk import (
    CANCEL,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    INITIAL_WINDOW,
    INTERNAL_ERROR,
    MAX_CONCURRENT_STREAMS,
    NO_ERROR,
    REFUSED_STREAM,
    DATA,
    PREFACE,
    H2Backend,
    H2Client,
    frame,
    rst_stream,
    settings,
    window_update,
)
from peers import PATIENCE_S, Client, eventually, response_bytes

LARGE = bytes(range(256)) * 8 * 1024  # 2 MiB
FIELDS = [("x-a", "1"), ("x-b", "two")]


def echo1(request):
    """What it got, as the answer; trailers too."""
    said = [("x-method", request.method), ("x-path", request.target), ("x-host", request["host"])]
    said += [(n, v) for n, v in request.fields if n in ("x-a", "x-b", "te", "cookie")]
    if not request.trailers:
        return response_bytes(fields=said, body=request.body)
    chunk = b"%x\r\n%s\r\n" % (len(request.body), request.body) if request.body else b""
    tail = "".join(f"{n}: {v}\r\n" for n, v in request.trailers).encode()
    head = response_bytes(fields=[*said, ("transfer-encoding", "chunked"), ("trailer", "t")], length=False)
    return head + chunk + b"0\r\n" + tail + b"\r\n"


def echo2(request):
    said = [("x-method", request.method), ("x-path", request.path), ("x-host", request.authority)]
    said += [(n, v) for n, v in request.fields if n in ("x-a", "x-b", "te", "cookie")]
    request.reply(fields=said, body=request.body, trailers=request.trailers)


class Way:
    """A proxy before a backend, the protocols of both, and a client of it."""

    def __init__(self, stage, down, up, answer=None, first=None, flags=(), begun=None, cluster_fields=None, **hcm):
        self.down = down
        if up == "http2":
            self.backend = stage.ending.enter_context(H2Backend(answer, begun, first=first))
            to = http2_cluster("backend", self.backend, **(cluster_fields or {}))
        else:
            self.backend = stage.backend(answer)
            to = http1_cluster("backend", self.backend, http1={"enable_trailers": True})
        codec = "HTTP2" if down == "http2" else "AUTO"
        routes = hcm.pop("routes", None) or [route("backend")]
        http1 = {"http_protocol_options": {"enable_trailers": True}, **hcm}
        self.proxy = stage.proxy(*routes, clusters=[to], codec_type=codec, flags=flags, **http1)

    def ask(self, path="/", method="GET", fields=(), body=None, trailers=None):
        """What the client sees: (status, fields, body, trailers)."""
        if self.down == "http2":
            with H2Client(self.proxy.port) as client:
                a = client.ask(path, method, fields, body, trailers)
                assert a.reset is None and a.ended
                return a.status, a.fields, a.body, list(a.trailers)
        with Client(self.proxy.port) as client:
            if not trailers:
                r = client.ask(path, method, fields, body)
                return r.status, r.fields, r.body, list(r.trailers)
            lines = "".join(f"{n}: {v}\r\n" for n, v in [*fields, ("transfer-encoding", "chunked"), ("te", "trailers")])
            chunk = b"%x\r\n%s\r\n" % (len(body), body)
            tail = "".join(f"{n}: {v}\r\n" for n, v in trailers)
            client.send(f"{method} {path} HTTP/1.1\r\nhost: test.example\r\n{lines}\r\n")
            client.send(chunk + b"0\r\n" + tail.encode() + b"\r\n")
            r = client.response()
            return r.status, r.fields, r.body, list(r.trailers)


WAYS = [("http2", "http1"), ("http2", "http2"), ("http1", "http2")]


@pytest.fixture(scope="module", params=WAYS, ids=["-".join(w) for w in WAYS])
def way(shared, request):
    down, up = request.param
    return Way(shared, down, up, echo2 if up == "http2" else echo1)


def test_a_get(way):
    status, fields, body, _ = way.ask("/a?b=c", fields=FIELDS)
    assert (status, body) == (200, b"")
    said = {n: v for n, v in fields if n.startswith("x-") and "envoy" not in n}
    assert said == {"x-method": "GET", "x-path": "/a?b=c", "x-host": "test.example", "x-a": "1", "x-b": "two"}


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 65_535, 65_536, len(LARGE)])
def test_a_body_goes_both_ways(way, size):
    status, _, body, _ = way.ask(method="POST", body=LARGE[:size])
    assert status == 200 and body == LARGE[:size]


def test_trailers_go_both_ways(way):
    _, _, body, trailers = way.ask(method="POST", body=b"body", trailers=[("t", "1"), ("x-sum", "abc")])
    assert body == b"body" and trailers == [("t", "1"), ("x-sum", "abc")]


def test_a_head_has_no_body(way):
    status, fields, body, _ = way.ask(method="HEAD")
    assert (status, body, fields.get("x-method")) == (200, b"", "HEAD")


def test_crumbs_of_a_cookie_are_one_field(way):
    """Those of HTTP/2; the fields of HTTP/1 may go on as they are."""
    _, fields, _, _ = way.ask(fields=[("cookie", "a=1"), ("cookie", "b=2")])
    assert fields.all("cookie") == (["a=1; b=2"] if way.down == "http2" else ["a=1", "b=2"])


@pytest.mark.parametrize("up", ["http1", "http2"])
def test_many_streams_are_answered_on_one_connection(stage, up):
    way = Way(stage, "http2", up, echo2 if up == "http2" else echo1)
    with H2Client(way.proxy.port) as client:
        streams = [client.open(f"/{i}", fields=[("x-a", str(i))]) for i in range(100)]
        answers = [client.whole(s) for s in streams]
        assert [a["x-path"] for a in answers] == [f"/{i}" for i in range(100)]
    assert way.proxy.stat("http.in.downstream_cx_http2_total") == 1
    if up == "http2":
        assert len(way.backend.streams) == 1
        assert way.proxy.stat("cluster.backend.upstream_cx_http2_total") == 1


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("down,up", WAYS)
def test_statuses_without_a_body(stage, down, up, status):
    def answer(request):
        if up == "http2":
            return request.reply(status)
        return response_bytes(f"{status} x", length=False)

    way = Way(stage, down, up, answer)
    got, fields, body, _ = way.ask()
    assert (got, body, fields.get("transfer-encoding")) == (status, b"", None)


@pytest.mark.parametrize("up", ["http1", "http2"])
def test_informational_responses_go_on(stage, up):
    def answer(request):
        if up == "http2":
            request.send_head(103, [("link", "</a>")])
            return request.reply(body=b"x")
        return b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + response_bytes(body=b"x")

    # Envoy passes on 103 only where it is told to.
    way = Way(stage, "http2", up, answer)
    with H2Client(way.proxy.port) as client:
        a = client.ask()
    assert a.status == 200 and a.body == b"x"
    assert [f.get(":status") for f in a.informational] in (["103"], [])


@pytest.mark.parametrize("up", ["http1", "http2"])
def test_a_client_that_waits_for_100_is_told_to_go_on(stage, up):
    way = Way(stage, "http2", up, echo2 if up == "http2" else echo1)
    with H2Client(way.proxy.port) as client:
        stream = client.open(method="POST", fields=[("expect", "100-continue")], end=False)
        a = client.answer(stream)
        assert client.until(lambda: a.informational) and a.informational[0].get(":status") == "100"
        client.send_body(stream, b"body")
        assert client.whole(stream).body == b"body"


def test_the_proxy_takes_no_more_than_the_reader(stage):
    """A body is not read from the backend faster than the client takes it."""
    way = Way(stage, "http2", "http1", lambda request: response_bytes(body=LARGE * 2))
    with H2Client(way.proxy.port, first=settings(INITIAL_WINDOW=1000), reads=False) as client:
        stream = client.open()
        a = client.answer(stream)
        client.until(lambda: len(a.body) == 1000)
        assert client.pong() and len(a.body) == 1000
        client.send(window_update(stream, 500))
        client.until(lambda: len(a.body) == 1500)
        assert client.pong() and len(a.body) == 1500
        client.send(window_update(stream, 2**30), window_update(0, 2**30))
        assert client.whole(stream).body == LARGE * 2


def test_settings_that_shrink_a_window_are_heeded(stage):
    way = Way(stage, "http2", "http1", lambda request: response_bytes(body=b"x" * 100_000))
    with H2Client(way.proxy.port, first=settings(INITIAL_WINDOW=10), reads=False) as client:
        stream = client.open()
        a = client.answer(stream)
        client.until(lambda: len(a.body) == 10)
        client.send(settings(INITIAL_WINDOW=0), window_update(stream, 5))
        assert client.pong() and len(a.body) == 10
        client.send(settings(INITIAL_WINDOW=20))
        client.until(lambda: len(a.body) == 25)
        assert client.pong() and len(a.body) == 25
        client.send(rst_stream(stream))
    way.proxy.wait_stat("http2.rx_reset", 1)


def test_a_stream_that_waits_does_not_hold_up_another(stage):
    way = Way(stage, "http2", "http1", lambda request: response_bytes(body=LARGE if request.target == "/" else b"x"))
    with H2Client(way.proxy.port, first=settings(INITIAL_WINDOW=10), reads=False) as client:
        stuck = client.open()
        client.until(lambda: client.answer(stuck).body)
        for _ in range(20):
            assert client.ask("/other").body == b"x"


def test_a_client_s_reset_reaches_the_backend(stage):
    way = Way(stage, "http2", "http2", begun=lambda request: None)
    with H2Client(way.proxy.port) as client:
        stream = client.open(method="POST", end=False)
        request = way.backend.wait_requests(1)[0]
        client.send(rst_stream(stream, CANCEL))
        eventually(lambda: request.answer.reset is not None, "a reset at the backend")
    assert request.answer.reset in (CANCEL, NO_ERROR, INTERNAL_ERROR)
    way.proxy.wait_stat("http.in.downstream_rq_rx_reset", 1)
    way.proxy.wait_stat("cluster.backend.http2.tx_reset", 1)


def test_a_backend_that_dies_within_its_answer_resets_the_stream_only(stage):
    def answer(request):
        if request.target == "/":
            request.stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            return None
        return response_bytes(body=b"x")

    way = Way(stage, "http2", "http1", answer)
    with H2Client(way.proxy.port) as client:
        a = client.ask("/")
        assert a.status == 200 and a.reset == INTERNAL_ERROR
        assert client.ask("/other").body == b"x"


def test_an_answer_before_the_request_is_whole(stage):
    """The client is told that the rest is not wanted."""
    way = Way(stage, "http2", "http1", routes=[{"match": {"prefix": "/"}, "direct_response": {"status": 413}}])
    with H2Client(way.proxy.port) as client:
        a = client.whole(client.open(method="POST", end=False))
        assert a.status == 413
        client.until(lambda: a.reset is not None)
        assert a.reset == NO_ERROR
        assert client.ask().status == 413


def stalled(stream):
    """Takes heads and no bodies, and says nothing."""
    stream.head()
    threading.Event().wait(PATIENCE_S)


def test_streams_above_the_limit_are_refused(stage):
    backend = stage.backend(serve=stalled)
    proxy = stage.proxy(backend, codec_type="HTTP2", http2_protocol_options={"max_concurrent_streams": 3})
    with H2Client(proxy.port) as client:
        client.pong()
        assert client.peer_settings[MAX_CONCURRENT_STREAMS] == 3
        for _ in range(3):
            client.open()
        assert client.whole(client.open()).reset == REFUSED_STREAM
        backend.wait(lambda b: len(b.streams) == 3)
    assert proxy.stat("http2.stream_refused_errors") == 1


def test_a_backend_s_limit_makes_another_connection(stage):
    held = []
    way = Way(stage, "http2", "http2", begun=held.append, first=settings(MAX_CONCURRENT_STREAMS=2))
    with H2Client(way.proxy.port) as client:
        client.open()
        way.backend.wait_requests(1)
        streams = [client.open() for _ in range(4)]
        way.backend.wait_requests(5)
        assert len(way.backend.streams) > 1
        for request in held:
            request.reply()
        assert [client.whole(s).status for s in (1, *streams)] == [200] * 5


def test_max_requests_of_a_connection_to_a_backend(stage):
    fields = {"common": {"max_requests_per_connection": 2}}
    way = Way(stage, "http2", "http2", echo2, cluster_fields=fields)
    for _ in range(6):
        assert way.ask()[0] == 200
    assert len(way.backend.streams) == 3
    assert way.proxy.stat("cluster.backend.upstream_cx_max_requests") == 3


def test_a_request_that_a_goaway_refuses_may_be_sent_again(stage):
    def begun(request):
        if len(request.talk.goaways) or request.talk is not way.backend.talks[0]:
            return request.reply(body=b"second")
        request.talk.send(frame(7, payload=(0).to_bytes(4, "big") + (0).to_bytes(4, "big")))

    retry = {"retry_policy": {"retry_on": "reset", "num_retries": 1}}
    way = Way(stage, "http2", "http2", begun=begun, routes=[route("backend", **retry)])
    with H2Client(way.proxy.port) as client:
        a = client.ask()
    assert a.status == 200 and a.body == b"second"
    assert way.proxy.stat("cluster.backend.upstream_cx_close_notify") == 1


def test_more_than_the_window_is_a_flow_control_error(stage):
    proxy = stage.proxy(
        stage.backend(serve=stalled),
        codec_type="HTTP2",
        http2_protocol_options={"initial_stream_window_size": 65535, "initial_connection_window_size": 65535},
        listener={"per_connection_buffer_limit_bytes": 65535},
    )
    with H2Client(proxy.port) as client:
        client.pong()
        stream = client.open(method="POST", end=False)
        pushed(client, [frame(DATA, 0, stream, b"x" * 16_384)] * 1000)
        a = client.whole(stream)
        assert a.reset == FLOW_CONTROL_ERROR or FLOW_CONTROL_ERROR in client.to_end()


@pytest.mark.parametrize("codec", ["AUTO", "HTTP2"])
def test_prior_knowledge_is_known_by_its_first_bytes(stage, codec):
    proxy = stage.proxy(stage.backend(), codec_type=codec)
    with H2Client(proxy.port, begins=False) as client:
        for byte in PREFACE if codec == "HTTP2" else [PREFACE]:
            client.send(bytes([byte]) if codec == "HTTP2" else byte)
        client.send(settings())
        assert client.ask().body == b"backend"
    assert proxy.stat("http.in.downstream_cx_http2_total") == 1
    if codec == "AUTO":
        with Client(proxy.port) as client:
            assert client.ask().body == b"backend"
        assert proxy.stat("http.in.downstream_cx_http1_total") == 1


def test_a_connection_of_http1_only_takes_no_prior_knowledge(stage):
    proxy = stage.proxy(stage.backend(), codec_type="HTTP1")
    with Client(proxy.port) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert not client.rest().startswith(b"HTTP/1.1 2")
