"""Upgrades and WebSocket: allowed where a route says so, refused with 403 elsewhere; each direction ends by itself."""

import contextlib
import threading

import pytest
from websockets.sync.client import connect

from config_text import cluster, route
from peers import PATIENCE_S, eventually, request_bytes, response_bytes
from processes import BINARY, free_port

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "chat")]
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"


def upgrade_route(to, prefix="/", protocol="chat", **action):
    return route(to, prefix, upgrade_configs=[{"upgrade_type": protocol}], **action)


def tunnel_backend(stage, talk):
    """After the head of an upgrade, talk(stream) has the connection."""

    def serve(stream):
        backend.record(stream.request(), stream)
        stream.send(SWITCHED)
        talk(stream)

    backend = stage.backend(serve=serve)
    return backend


def open_tunnel(stage, backend, **options):
    proxy = stage.proxy(upgrade_route("backend"), clusters=[cluster("backend", backend)], **options)
    client = stage.client(proxy)
    answer = client.ask("/", fields=UPGRADE)
    assert answer.status == 101 and answer["upgrade"] == "chat" and answer["connection"].lower() == "upgrade"
    return proxy, client


def echo_all(stream):
    while stream.fill():
        stream.send(stream.take(len(stream.unread)))


# --- WebSocket ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def echo_service(shared):
    port = free_port()
    service = shared.process([BINARY, "echo", "--port", port, "--name", "ws"])
    service.wait_listening(port)
    service.port, service.host = port, "127.0.0.1"
    return service


def websocket_proxy(shared, echo_service, **action):
    return shared.proxy(route("ws", "/ws", **action), route("ws"), clusters=[cluster("ws", echo_service)])


@pytest.fixture(scope="module")
def websocket(shared, echo_service):
    return websocket_proxy(shared, echo_service, upgrade_configs=[{"upgrade_type": "websocket"}])


def test_websocket_frames_go_both_ways(websocket):
    with connect(f"ws://127.0.0.1:{websocket.port}/ws", open_timeout=PATIENCE_S, compression=None) as ws:
        for message in ["text", b"\x00\xff" * 300, "x" * 200_000, ""]:
            ws.send(message)
            assert ws.recv(PATIENCE_S) == message
        ws.ping().wait(PATIENCE_S)
    websocket.wait_stat("http.in.downstream_cx_upgrades_active", 0)


def test_many_websockets_at_once(websocket):
    with contextlib.ExitStack() as all_of_them:
        url = f"ws://127.0.0.1:{websocket.port}/ws"
        sockets = [all_of_them.enter_context(connect(url, open_timeout=PATIENCE_S)) for _ in range(20)]
        for i, ws in enumerate(sockets):
            ws.send(str(i))
        assert [ws.recv(PATIENCE_S) for ws in sockets] == [str(i) for i in range(20)]


def test_use_websocket_of_version_2_allows_it(shared, echo_service):
    port, admin = free_port(), free_port()
    proxy = shared.start(
        f"""
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.http_connection_manager
        config:
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
              - {{match: {{prefix: /ws}}, route: {{cluster: echo, use_websocket: true}}}}
              - {{match: {{prefix: /}}, route: {{cluster: echo}}}}
          http_filters: [{{name: envoy.router}}]
  clusters:
  - name: echo
    connect_timeout: 5s
    type: static
    hosts: [{{socket_address: {{address: 127.0.0.1, port_value: {echo_service.port}}}}}]
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
""",
        ports=[port],
        admin=admin,
    )
    with connect(f"ws://127.0.0.1:{port}/ws", open_timeout=PATIENCE_S) as ws:
        ws.send("1.7")
        assert ws.recv(PATIENCE_S) == "1.7"
    refused = shared.client(port).ask("/other", fields=[("Connection", "Upgrade"), ("Upgrade", "websocket")])
    assert refused.status == 403
    assert proxy.stat("http.in.downstream_rq_ws_on_non_ws_route") == 1


def test_a_plain_request_on_a_websocket_route_is_plain_http(websocket, shared):
    assert shared.client(websocket).ask("/ws").status in (400, 426)  # The echo service's own answer.


# --- allowed or not -----------------------------------------------------------------------------------------------


def test_an_upgrade_on_a_route_without_is_refused_and_counted(stage):
    backend = stage.backend()
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    assert client.ask("/", fields=UPGRADE).status == 403
    assert client.at_end(), "what follows may be another protocol"
    assert proxy.stat("http.in.downstream_rq_ws_on_non_ws_route") == 1
    assert backend.requests == []


def test_upgrades_of_the_connection_manager_hold_for_every_route_and_a_route_may_forbid(stage):
    backend = tunnel_backend(stage, echo_all)
    forbidding = route("backend", "/no", upgrade_configs=[{"upgrade_type": "chat", "enabled": False}])
    proxy = stage.proxy(
        forbidding, route("backend"), clusters=[cluster("backend", backend)], upgrade_configs=[{"upgrade_type": "chat"}]
    )
    assert stage.client(proxy).ask("/no", fields=UPGRADE).status == 403
    assert stage.client(proxy).ask("/yes", fields=UPGRADE).status == 101


def test_the_upgrade_reaches_the_backend_as_it_was_asked(stage):
    backend = tunnel_backend(stage, echo_all)
    open_tunnel(stage, backend)
    assert backend.requests[0]["upgrade"] == "chat" and backend.requests[0]["connection"].lower() == "upgrade"


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_a_backend_that_does_not_upgrade_answers_plainly_and_for_the_last_time(stage, status):
    backend = stage.backend(lambda r: response_bytes(status, body=b"plain"))
    proxy = stage.proxy(upgrade_route("backend"), clusters=[cluster("backend", backend)])
    client = stage.client(proxy)
    client.send(request_bytes(fields=UPGRADE) + b"bytes of another protocol\r\n\r\n")
    answer = client.response()
    assert answer.start_line == f"HTTP/1.1 {status}" and answer.body == b"plain"
    assert answer["connection"] == "close" and client.at_end()
    proxy.wait_stat("cluster.backend.upstream_cx_active", 0)
    assert len(backend.requests) == 1


def test_a_websocket_client_gets_no_body_that_it_did_not_ask_for(stage):
    backend = stage.backend(lambda r: response_bytes("200 OK", [("X-A", "1")], b"plain"))
    proxy = stage.proxy(upgrade_route("backend", protocol="websocket"), clusters=[cluster("backend", backend)])
    answer = stage.client(proxy).ask(fields=[("Connection", "Upgrade"), ("Upgrade", "WebSocket")])
    assert (answer.status, answer.body, answer["x-a"]) == (200, b"", "1")


def test_h2c_is_no_upgrade(stage):
    backend = stage.backend()
    answer = stage.client(stage.proxy(backend)).ask(
        "/",
        fields=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")],
    )
    assert answer.status == 200
    assert not {"upgrade", "http2-settings", "connection"} & {n for n, _ in backend.requests[0].fields}


# --- the tunnel ---------------------------------------------------------------------------------------------------


def test_bytes_flow_both_ways_and_the_gauge_follows(stage):
    proxy, client = open_tunnel(stage, tunnel_backend(stage, echo_all))
    assert proxy.stat("http.in.downstream_cx_upgrades_active") == 1
    for data in (b"one", b"two" * 100_000):
        client.send(data)
        assert client.exactly(len(data)) == data
    client.close()
    proxy.wait_stat("http.in.downstream_cx_upgrades_active", 0)
    assert proxy.stat("http.in.downstream_cx_upgrades_total") == 1


def test_bytes_behind_the_upgrade_request_are_not_lost(stage):
    backend = tunnel_backend(stage, echo_all)
    client = stage.client(stage.proxy(upgrade_route("backend"), clusters=[cluster("backend", backend)]))
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nearly")
    assert client.response().status == 101
    assert client.exactly(5) == b"early"


@pytest.mark.parametrize(
    "body", ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
def test_the_body_of_an_upgrade_request_is_no_part_of_the_tunnel(stage, body):
    backend = tunnel_backend(stage, echo_all)
    client = stage.client(stage.proxy(upgrade_route("backend"), clusters=[cluster("backend", backend)]))
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n{body}early")
    assert client.response().status == 101
    assert client.exactly(5) == b"early" and backend.requests[0].body == b"hello"
    assert client.send(b"late").exactly(4) == b"late"


def test_a_backend_that_upgrades_before_the_request_is_whole_is_refused(stage):
    backend = stage.backend(serve=lambda stream: (stream.head(), stream.send(SWITCHED), stream.rest()))
    client = stage.client(stage.proxy(upgrade_route("backend"), clusters=[cluster("backend", backend)]))
    client.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\nContent-Length: 50\r\n\r\nhello")
    assert client.response().status == 502


def test_bytes_behind_the_101_are_not_lost(stage):
    def talk(stream):
        stream.fill()

    backend = stage.backend(serve=lambda s: (s.request(), s.send(SWITCHED + b"greeting"), s.fill()))
    _, client = open_tunnel(stage, backend)
    assert client.exactly(8) == b"greeting"


def test_the_client_may_end_its_side_and_still_read(stage):
    def talk(stream):
        asked = stream.rest()
        stream.send(b"you said " + asked)

    _, client = open_tunnel(stage, tunnel_backend(stage, talk))
    client.send(b"all of it")
    client.half_close()
    assert client.rest() == b"you said all of it"


def test_the_backend_may_end_its_side_and_still_read(stage):
    heard = []

    def talk(stream):
        stream.send(b"last word")
        stream.half_close()
        heard.append(stream.rest())

    _, client = open_tunnel(stage, tunnel_backend(stage, talk))
    assert client.rest() == b"last word"
    client.send(b"a late ")
    client.send(b"answer")
    client.half_close()
    assert eventually(lambda: heard, "the end of the tunnel") == [b"a late answer"]


def test_a_backend_that_resets_ends_the_tunnel(stage):
    proxy, client = open_tunnel(stage, tunnel_backend(stage, lambda stream: (stream.fill(), stream.reset())))
    client.send(b"x")
    with pytest.raises(ConnectionResetError):
        client.fill()
    proxy.wait_stat("http.in.downstream_cx_upgrades_active", 0)


def test_a_client_that_resets_ends_the_tunnel(stage):
    ended = []

    def talk(stream):
        stream.send(b"hello")
        stream.rest()
        ended.append(True)

    proxy, client = open_tunnel(stage, tunnel_backend(stage, talk))
    assert client.exactly(5) == b"hello"
    client.reset()
    eventually(lambda: ended, "the end at the backend")
    proxy.wait_stat("http.in.downstream_cx_upgrades_active", 0)


def test_a_tunnel_outlives_the_route_timeout(stage):
    silent = stage.backend(serve=lambda s: s.rest(), name="silent")
    proxy = stage.proxy(
        route("silent", "/silent", timeout="2s"),
        upgrade_route("backend", timeout="1.5s"),
        clusters=[cluster("silent", silent), cluster("backend", tunnel_backend(stage, echo_all))],
    )
    client = stage.client(proxy)
    assert client.ask("/", fields=UPGRADE).status == 101
    assert stage.client(proxy).ask("/silent").status == 504  # So long at least it is open.
    client.send(b"still here")
    assert client.exactly(10) == b"still here"


# --- CONNECT ------------------------------------------------------------------------------------------------------

CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"


def connect_proxy(stage, serve, **config):
    backend = stage.backend(serve=serve)
    upgrade = {"upgrade_type": "CONNECT", **config}
    to = {"match": {"connect_matcher": {}}, "route": {"cluster": "backend", "upgrade_configs": [upgrade]}}
    return stage.proxy(to, clusters=[cluster("backend", backend)])


def test_what_follows_a_connect_reaches_no_backend_that_refuses_it(stage):
    heard = []

    def serve(stream):
        stream.head()
        stream.send(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
        heard.append(stream.rest())

    client = stage.client(connect_proxy(stage, serve))
    client.send(CONNECT + b"GET /inside HTTP/1.1\r\nHost: b\r\n\r\n")
    assert client.response().status == 405 and client.at_end()
    assert eventually(lambda: heard, "the end at the backend") == [b""]


def test_what_follows_a_connect_goes_through_once_it_is_accepted(stage):
    accept = threading.Event()

    def serve(stream):
        stream.head()
        accept.wait(PATIENCE_S)
        stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        echo_all(stream)

    proxy = connect_proxy(stage, serve)
    client = stage.client(proxy)
    data = bytes(i % 251 for i in range(6_000_000))
    sender = threading.Thread(target=client.send, args=[CONNECT + data])
    sender.start()
    proxy.wait_stat("cluster.backend.upstream_rq_active", 1)
    accept.set()
    assert client.head().status == 200
    assert client.exactly(len(data)) == data
    sender.join()


def test_what_follows_a_connect_that_ends_here_goes_to_the_host(stage):
    client = stage.client(connect_proxy(stage, echo_all, connect_config={}))
    client.send(CONNECT + b"early")
    assert client.head().status == 200
    assert client.exactly(5) == b"early"


def test_a_client_names_no_field_for_filters_to_lose(stage):
    backend = tunnel_backend(stage, echo_all)
    own = [{"header": {"key": "x-own", "value": "of the proxy"}}]
    proxy = stage.proxy(
        {**upgrade_route("backend"), "request_headers_to_add": own}, clusters=[cluster("backend", backend)]
    )
    fields = [("Connection", "Upgrade, x-own, x-request-id"), ("Upgrade", "chat"), ("x-own", "of the client")]
    assert stage.client(proxy).ask("/", fields=fields).status == 101
    seen = backend.requests[0]
    assert (seen["connection"], seen["x-own"]) == ("upgrade", "of the proxy") and seen["x-request-id"]
