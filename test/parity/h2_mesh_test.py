"""outrider between Envoys and Envoy between outriders, HTTP/2 from proxy to proxy: nothing is lost on the way."""

import random

import pytest

from config_text import cluster, http1_cluster, http2_cluster, route
from h2_talk import CONNECT, DATA, END_STREAM, H2Backend, H2Client, frame, settings
from h2_tunnels_test import EXTENDED, UPGRADE, opened, serve1, serve2, talks
from peers import Client, request_bytes, response_bytes
from processes import BINARY
from sides import ENVOY, needed

pytestmark = needed

LARGE = bytes(range(256)) * 16 * 1024  # 4 MiB
CHAINS = [("envoy", "outrider", "envoy"), ("outrider", "envoy", "outrider"), ("outrider", "outrider")]


def start(stage, kind, to):
    """A proxy that takes both protocols, before the cluster `to`."""
    flags = ["--base-id", str(random.randrange(1 << 20)), "-l", "error"] if kind == "envoy" else []
    return stage.proxy(
        route("next", match={"connect_matcher": {}}),
        route("next"),
        clusters=[to],
        flags=flags,
        codec_type="AUTO",
        http_protocol_options={"enable_trailers": True},
        http2_protocol_options={"allow_connect": True},
        upgrade_configs=[{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
        options={"binary": ENVOY if kind == "envoy" else BINARY},
    )


def chain(stage, kinds, last):
    """The first of the proxies."""
    for kind in reversed(kinds):
        proxy = start(stage, kind, last)
        last = http2_cluster("next", proxy.port, http2={"allow_connect": True})
    return proxy


def echo1(request):
    return response_bytes(fields=[("x-method", request.method)], body=request.body)


def echo2(request):
    if request.path == "/only-trailers":
        return request.send_head(200, [("content-type", "application/grpc"), ("grpc-status", "5")], True)
    request.reply(fields=[("x-te", request["te"] or "none")], body=request.body, trailers=request.trailers)


@pytest.fixture(scope="module", params=CHAINS, ids="-".join)
def to_http1(shared, request):
    return chain(shared, request.param, http1_cluster("next", shared.backend(echo1)))


@pytest.fixture(scope="module", params=CHAINS, ids="-".join)
def to_http2(shared, request):
    backend = shared.ending.enter_context(H2Backend(echo2, first=settings(CONNECT=1)))
    return chain(shared, request.param, http2_cluster("next", backend, http2={"allow_connect": True}))


@pytest.fixture(scope="module", params=CHAINS, ids="-".join)
def to_tunnels(shared, request):
    backend = shared.ending.enter_context(H2Backend(talk=serve2, first=settings(CONNECT=1)))
    return chain(shared, request.param, http2_cluster("next", backend, http2={"allow_connect": True}))


@pytest.fixture(scope="module", params=CHAINS, ids="-".join)
def to_websocket(shared, request):
    return chain(shared, request.param, cluster("next", shared.backend(serve=serve1)))


def test_bodies_of_http1(to_http1):
    with Client(to_http1.port) as client:
        assert client.ask().status == 200
        for size in (1, 65_535, 65_536, len(LARGE)):
            assert client.ask(method="POST", body=LARGE[:size]).body == LARGE[:size]
        assert client.ask(method="HEAD")["x-method"] == "HEAD"


def test_bodies_of_http2(to_http2):
    with H2Client(to_http2.port) as client:
        for size in (0, 1, 65_535, 65_536, len(LARGE)):
            assert client.ask(method="POST", body=LARGE[:size]).body == LARGE[:size]
        streams = [client.open(f"/{i}") for i in range(100)]
        assert {client.whole(s).status for s in streams} == {200}


def test_a_call_of_grpc(to_http2):
    fields = [("content-type", "application/grpc"), ("te", "trailers")]
    with H2Client(to_http2.port) as client:
        a = client.ask("/s/m", "POST", fields, b"\0\0\0\0\3abc", [("grpc-status", "0"), ("grpc-message", "well")])
        assert (a.status, a.body, a["x-te"]) == (200, b"\0\0\0\0\3abc", "trailers")
        assert list(a.trailers) == [("grpc-status", "0"), ("grpc-message", "well")]
        only = client.ask("/only-trailers", "POST", fields, b"\0\0\0\0\0")
        assert only.ended and only["grpc-status"] == "5" and only.body == b"" and not only.trailers


def test_a_websocket_of_http1(to_websocket):
    with Client(to_websocket.port) as client:
        client.send(request_bytes("/ws", fields=UPGRADE))
        response = client.response()
        assert response.status == 101 and response["upgrade"] == "websocket" and response["x-own"] == "2"
        for word in (b"one", b"x" * 300_000):
            assert client.send(word).exactly(len(word)) == word


def test_a_websocket_of_http2(to_websocket):
    with H2Client(to_websocket.port) as client:
        client.pong()
        stream, a = opened(client, [*EXTENDED, ("sec-websocket-version", "13")])
        assert a.status == 200 and a["x-own"] == "2"
        talks(client, stream, a)


def test_a_websocket_of_http2_all_the_way(to_tunnels):
    with H2Client(to_tunnels.port) as client:
        client.pong()
        stream, a = opened(client, EXTENDED)
        assert a.status == 200 and a["x-own"] == "2"
        talks(client, stream, a)
        other, b = opened(client, EXTENDED)
        talks(client, other, b)
        client.send(frame(DATA, END_STREAM, stream))
        assert client.whole(stream).over
        talks(client, other, b)


def test_a_websocket_of_http1_to_a_service_of_http2(to_tunnels):
    with Client(to_tunnels.port) as client:
        client.send(request_bytes("/ws", fields=UPGRADE))
        assert client.response().status == 101
        for word in (b"one", b"x" * 300_000):
            assert client.send(word).exactly(len(word)) == word


@pytest.mark.parametrize("down", ["http1", "http2"])
def test_a_connect_is_passed_on(to_tunnels, down):
    if down == "http2":
        with H2Client(to_tunnels.port) as client:
            stream, a = opened(client, [(":method", "CONNECT"), (":authority", "a:1")])
            assert a.status == 200 and a["x-own"] == "2"
            return talks(client, stream, a)
    with Client(to_tunnels.port) as client:
        client.send("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n")
        assert client.head().status == 200
        for word in (b"one", b"x" * 300_000):
            assert client.send(word).exactly(len(word)) == word


def test_a_websocket_that_is_refused(to_websocket):
    with Client(to_websocket.port) as client:
        fields = [(n, v if n != "upgrade" else "other") for n, v in UPGRADE]
        assert client.ask("/ws", fields=fields).status in (400, 403)
