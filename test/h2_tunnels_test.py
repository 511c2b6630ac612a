"""Tunnels over HTTP/2: WebSocket by extended CONNECT (RFC 8441), to and from upgrades of HTTP/1.1, and CONNECT."""

import base64
import socket

import pytest

from config_text import cluster, http2_cluster, route
from h2_talk import CANCEL, CONNECT, DATA, END_STREAM, INTERNAL_ERROR, NO_ERROR, H2Backend, H2Client, frame, settings
from peers import Client, eventually, request_bytes, response_bytes

UPGRADE = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"), ("x-own", "1")]
WEBSOCKET = {"upgrade_configs": [{"upgrade_type": "websocket"}]}
EXTENDED = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/ws"),
]


def serve1(stream):
    """A service that upgrades, and says back what it hears."""
    request = stream.head()
    stream.heard = request
    if request["upgrade"] != "websocket":
        stream.send(response_bytes("400 Bad Request"))
        return
    stream.send("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-own: 2\r\n\r\n")
    while stream.fill():
        stream.send(stream.take(len(stream.unread)))


def serve2(talk):
    """The same, of HTTP/2."""
    said = {}
    while (f := talk.next()) is not None:
        a = talk.streams.get(f.stream)
        if a is None or a.fields is None:
            continue
        if f.stream not in said:
            said[f.stream] = 0
            good = a.fields.get(":protocol") == "websocket" or a.fields.get(":method") == "CONNECT"
            talk.send(talk.headers(f.stream, [(":status", "200" if good else "400"), ("x-own", "2")], not good))
        new = a.body[said[f.stream] :]
        said[f.stream] = len(a.body)
        if f.kind == DATA and (new or a.ended):
            talk.send(frame(DATA, END_STREAM if a.ended else 0, f.stream, new))


def way(stage, up, action=None, hcm=WEBSOCKET, match=None, **fields):
    options = {"allow_connect": True}
    if up == "http1":
        backend = stage.backend(serve=serve1, name="backend")
        to = cluster("backend", backend)
    else:
        backend = stage.ending.enter_context(H2Backend(talk=serve2, first=settings(CONNECT=1), name="backend"))
        to = http2_cluster("backend", backend, http2=options)
    routes = [route("backend", match=match, **(action or {}))]
    return backend, stage.proxy(
        *routes, clusters=[to], codec_type="AUTO", http2_protocol_options=options, **{**hcm, **fields}
    )


def opened(client, fields):
    client.last += 2
    client.send(client.headers(client.last, fields))
    a = client.answer(client.last)
    client.until(lambda: a.fields is not None or a.over)
    return client.last, a


def talks(client, stream, a):
    """Bytes go both ways, and ends too."""
    heard = len(a.body)
    for word in (b"one", b"two", b"x" * 100_000):
        client.send_body(stream, word, end=False)
        heard += len(word)
        assert client.until(lambda: len(a.body) >= heard)
        assert a.body.endswith(word)


@pytest.mark.parametrize("up", ["http1", "http2"])
def test_a_websocket_of_a_client_of_http2(stage, up):
    backend, proxy = way(stage, up)
    with H2Client(proxy.port) as client:
        client.pong()
        assert client.peer_settings.get(CONNECT) == 1
        stream, a = opened(client, [*EXTENDED, ("sec-websocket-version", "13"), ("x-own", "1")])
        assert a.status == 200 and a["x-own"] == "2" and not a.ended
        assert "upgrade" not in a.fields and "connection" not in a.fields
        talks(client, stream, a)
        other, b = opened(client, [*EXTENDED, ("sec-websocket-version", "13")])
        talks(client, other, b)
        client.send(frame(DATA, END_STREAM, stream))
        assert client.whole(stream).over
        talks(client, other, b)
    if up == "http1":
        heard = backend.streams[0].heard
        assert heard.start_line == "GET /ws HTTP/1.1" and heard["upgrade"] == "websocket" and heard["x-own"] == "1"
        assert len(base64.b64decode(heard["sec-websocket-key"])) == 16  # Which HTTP/2 does without.
        assert len(backend.streams) == 2
    else:
        heard = backend.talks[0].streams[1].fields
        assert heard.get(":protocol") == "websocket" and heard.get(":path") == "/ws" and heard.get("x-own") == "1"
        assert len(backend.streams) == 1
    proxy.wait_stat("http.in.downstream_cx_upgrades_active", 0)
    assert proxy.stat("http.in.downstream_cx_upgrades_total") == 2


def test_a_websocket_of_a_client_of_http1_crosses_http2(stage):
    backend, proxy = way(stage, "http2")
    with Client(proxy.port) as client:
        client.send(request_bytes("/ws", fields=[*UPGRADE, ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]))
        response = client.response()
        assert response.status == 101 and response["upgrade"] == "websocket" and response["x-own"] == "2"
        assert response["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # Which HTTP/2 does without.
        for word in (b"one", b"x" * 300_000):
            client.send(word)
            assert client.exactly(len(word)) == word
        heard = backend.talks[0].streams[1].fields
        assert (heard.get(":method"), heard.get(":protocol")) == ("CONNECT", "websocket")
        assert "connection" not in heard and "upgrade" not in heard
    eventually(lambda: backend.talks[0].streams[1].over, "the end of the stream")


def test_a_client_that_goes_ends_the_tunnel(stage):
    backend, proxy = way(stage, "http2")
    with H2Client(proxy.port) as client:
        stream, a = opened(client, EXTENDED)
        talks(client, stream, a)
    eventually(lambda: backend.talks[0].streams[1].over, "the end of the stream")
    proxy.wait_stat("http.in.downstream_cx_upgrades_active", 0)


def test_a_backend_that_goes_ends_the_tunnel(stage):
    backend, proxy = way(stage, "http1")
    with H2Client(proxy.port) as client:
        stream, a = opened(client, EXTENDED)
        assert a.status == 200
        backend.streams[0].socket.shutdown(socket.SHUT_RDWR)
        assert client.whole(stream).over
        assert a.ended or a.reset in (NO_ERROR, INTERNAL_ERROR, CANCEL, 10)
        assert client.pong()


def test_an_upgrade_that_nobody_allows_is_refused(stage):
    _, proxy = way(stage, "http1", hcm={})
    with H2Client(proxy.port) as client:
        assert opened(client, EXTENDED)[1].status == 403


@pytest.mark.parametrize("up", ["http1", "http2"])
def test_a_connect_ends_in_tcp(stage, up):
    """What the tunnel holds goes to the cluster as it is."""
    backend = stage.backend(serve=lambda s: [s.send(s.exactly(4).upper()), s.rest()], name="backend")
    terminate = {"upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}
    proxy = stage.proxy(
        route("backend", match={"connect_matcher": {}}, **terminate),
        clusters=[cluster("backend", backend)],
        codec_type="AUTO",
        http2_protocol_options={"allow_connect": True},
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
    )
    if up == "http1":
        with Client(proxy.port) as client:
            client.send("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n")
            assert client.head().status == 200
            assert client.send(b"ping").exactly(4) == b"PING"
        return
    with H2Client(proxy.port) as client:
        stream, a = opened(client, [(":method", "CONNECT"), (":authority", "a:1")])
        assert a.status == 200
        client.send(frame(DATA, 0, stream, b"ping"))
        assert client.until(lambda: a.body == b"PING")


def test_a_connect_is_passed_on(stage):
    backend, proxy = way(
        stage, "http2", match={"connect_matcher": {}}, hcm={"upgrade_configs": [{"upgrade_type": "CONNECT"}]}
    )
    with H2Client(proxy.port) as client:
        stream, a = opened(client, [(":method", "CONNECT"), (":authority", "a:1")])
        assert a.status == 200
        talks(client, stream, a)
        heard = backend.talks[0].streams[1].fields
        assert heard.get(":method") == "CONNECT" and heard.get(":authority") == "a:1" and ":path" not in heard
