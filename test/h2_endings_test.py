"""How connections of HTTP/2 end: drains in two steps, time-outs, limits of requests, PINGs that keep them."""

import threading

import pytest

from config_text import bootstrap, cluster, http2_cluster, listener, route, virtual_host
from h2_attacks import get, pushed
from h2_talk import ACK, GOAWAY, LARGEST_WINDOW, NO_ERROR, PING, H2Backend, H2Client
from peers import PATIENCE_S, eventually, response_bytes
from processes import free_port, write_config


class Held:
    """A backend whose answers to /held wait."""

    def __init__(self, stage):
        self.go_on = threading.Event()
        self.backend = stage.backend(self.answer)

    def answer(self, request):
        if request.target == "/held":
            self.go_on.wait(PATIENCE_S)
        return response_bytes(body=b"held" if request.target == "/held" else b"x")


def lasts(client):
    """The last streams of the GOAWAYs that came."""
    return [last for last, _ in client.goaways]


def two_steps(client, stream):
    """The first GOAWAY takes all streams, the second those that were begun; both without error."""
    assert lasts(client)[0] == LARGEST_WINDOW and lasts(client)[-1] == stream
    assert {code for _, code in client.goaways} == {NO_ERROR}


def test_max_connection_duration_ends_it_in_two_steps(stage):
    held = Held(stage)
    proxy = stage.proxy(
        held.backend,
        codec_type="HTTP2",
        common_http_protocol_options={"max_connection_duration": "0.2s"},
        drain_timeout="0.2s",
    )
    with H2Client(proxy.port) as client:
        first = client.open("/held")
        assert client.until(lambda: client.goaways)
        late = client.open("/late")  # It cannot have known of the second GOAWAY.
        assert client.whole(late).body == b"x"
        assert client.until(lambda: len(client.goaways) == 2)
        held.go_on.set()
        assert client.whole(first).body == b"held"
        client.to_end()
        two_steps(client, late)
    assert proxy.stat("http.in.downstream_cx_max_duration_reached") == 1


def test_max_requests_of_a_connection(stage):
    proxy = stage.proxy(
        stage.backend(),
        codec_type="HTTP2",
        common_http_protocol_options={"max_requests_per_connection": 3},
        drain_timeout="0.1s",
    )
    with H2Client(proxy.port) as client:
        for _ in range(3):
            assert client.ask().body == b"backend"
        client.to_end()
        two_steps(client, 5)
    assert proxy.stat("http.in.downstream_cx_max_requests_reached") == 1


def test_an_idle_connection_ends(stage):
    proxy = stage.proxy(
        stage.backend(),
        codec_type="HTTP2",
        common_http_protocol_options={"idle_timeout": "0.2s"},
        drain_timeout="0.1s",
    )
    with H2Client(proxy.port) as client:
        assert client.ask().body == b"backend"
        assert set(client.to_end()) == {NO_ERROR}
    assert proxy.stat("http.in.downstream_cx_idle_timeout") == 1


def test_a_connection_with_a_stream_is_not_idle(stage):
    held = Held(stage)
    proxy = stage.proxy(held.backend, codec_type="HTTP2", common_http_protocol_options={"idle_timeout": "0.2s"})
    with H2Client(proxy.port) as client:
        stream = client.open("/held")
        threading.Timer(0.6, held.go_on.set).start()
        assert client.whole(stream).body == b"held"


def test_a_stream_without_progress_is_reset(stage):
    proxy = stage.proxy(stage.backend(), codec_type="HTTP2", stream_idle_timeout="0.2s")
    with H2Client(proxy.port) as client:
        a = client.whole(client.open(method="POST", end=False))
        assert (a.status, a.body) == (408, b"stream timeout")
        assert client.ask().body == b"backend"
    assert proxy.stat("http.in.downstream_rq_idle_timeout") == 1


@pytest.mark.parametrize("field", ["request_timeout", "request_headers_timeout"])
def test_a_request_that_is_not_whole_in_time(stage, field):
    proxy = stage.proxy(stage.backend(), codec_type="HTTP2", **{field: "0.2s"})
    with H2Client(proxy.port) as client:
        if field == "request_timeout":
            a = client.whole(client.open(method="POST", end=False))
            assert a.status == 408
        else:
            client.send(client.headers(1, [(":method", "GET")], flags=0))  # Its head goes on, but it does not.
            client.until(lambda: client.answer(1).over)
            assert client.ended or client.answer(1).over


def test_sigterm_drains_what_is_begun(stage):
    held = Held(stage)
    proxy = stage.proxy(held.backend, codec_type="HTTP2", drain_timeout="0.2s", flags=["--drain-time-s", "20"])
    with H2Client(proxy.port) as client:
        stream = client.open("/held")
        held.backend.wait_requests(1)
        ended = threading.Thread(target=proxy.terminate)
        ended.start()
        assert client.until(lambda: client.goaways)
        held.go_on.set()
        assert client.whole(stream).body == b"held"
        client.to_end()
        two_steps(client, stream)
        ended.join(PATIENCE_S)
        assert not proxy.alive


def test_a_listener_that_leaves_drains_its_connections(stage):
    held = Held(stage)
    stays, leaves, admin = free_port(), free_port(), free_port()
    hosts = [virtual_host(route("backend"))]
    options = {"codec_type": "HTTP2", "drain_timeout": "0.1s"}
    listeners = [listener(p, hosts, name=str(p), **options) for p in (stays, leaves)]
    config = [bootstrap(x, [cluster("backend", held.backend)], admin) for x in (listeners, listeners[:1])]
    proxy = stage.start(config[0], "--drain-time-s", "1", ports=[stays, leaves], admin=admin)
    with H2Client(leaves) as client, H2Client(stays) as other:
        assert other.ask().body == b"x"
        stream = client.open("/held")
        held.backend.wait_requests(1)
        write_config(proxy.config, config[1])
        proxy.signal(1)
        assert client.until(lambda: client.goaways)
        held.go_on.set()
        assert client.whole(stream).body == b"held"
        client.to_end()
        two_steps(client, stream)
        assert other.ask().body == b"x" and not other.goaways


def test_pings_keep_a_connection_and_find_a_dead_one(stage):
    keepalive = {"connection_keepalive": {"interval": "0.1s", "timeout": "0.3s"}}
    proxy = stage.proxy(stage.backend(), codec_type="HTTP2", http2_protocol_options=keepalive)
    with H2Client(proxy.port) as client:
        client.until(lambda: sum(f.kind == PING and not f.flags & ACK for f in client.frames) >= 3)
        assert client.ask().body == b"backend"
        client.acknowledges = False
        client.to_end()
    assert proxy.stat("http2.keepalive_timeout") == 1


def test_pings_find_a_dead_backend(stage):
    def silent(talk):
        talk.acknowledges = False
        talk.until(lambda: False)

    keepalive = {"connection_keepalive": {"interval": "0.1s", "timeout": "0.2s"}}
    backend = stage.ending.enter_context(H2Backend(talk=silent))
    proxy = stage.proxy(
        route("backend"), clusters=[http2_cluster("backend", backend, http2=keepalive)], codec_type="HTTP2"
    )
    with H2Client(proxy.port) as client:
        assert client.ask().status == 503
    assert proxy.stat("cluster.backend.http2.keepalive_timeout") == 1
    assert any(f.kind == PING for f in backend.talks[0].frames)


def test_an_idle_connection_to_a_backend_ends(stage):
    backend = stage.ending.enter_context(H2Backend())
    to = http2_cluster("backend", backend, common={"idle_timeout": "0.2s"})
    proxy = stage.proxy(route("backend"), clusters=[to], codec_type="HTTP2")
    with H2Client(proxy.port) as client:
        assert client.ask().body == b"backend"
        proxy.wait_stat("cluster.backend.upstream_cx_idle_timeout", 1)
        eventually(lambda: backend.talks[0].ended, "the end of the connection")
        assert client.ask().body == b"backend"
    assert len(backend.streams) == 2


def test_a_backend_that_goes_away_finishes_what_it_has(stage):
    go_on = threading.Event()

    def begun(request):
        if request.path == "/last":
            request.talk.send(goaway_of(request.stream))
            go_on.wait(PATIENCE_S)
        request.reply(body=request.path.encode())

    backend = stage.ending.enter_context(H2Backend(begun=begun))
    proxy = stage.proxy(route("backend"), clusters=[http2_cluster("backend", backend)], codec_type="HTTP2")
    with H2Client(proxy.port) as client:
        last = client.open("/last")
        backend.wait_requests(1)
        proxy.wait_stat("cluster.backend.upstream_cx_close_notify", 1)
        assert client.ask("/other").body == b"/other"
        go_on.set()
        assert client.whole(last).body == b"/last"
    assert len(backend.streams) == 2


def goaway_of(stream):
    return b"\0\0\x08" + bytes([GOAWAY, 0]) + b"\0\0\0\0" + stream.to_bytes(4, "big") + b"\0\0\0\0"


def test_requests_that_are_left_all_at_once_do_not_end_the_connection_that_they_shared(stage):
    host = stage.ending.enter_context(H2Backend(lambda request: request.reply(body=b"x")))
    proxy = stage.proxy(route("host"), clusters=[http2_cluster("host", host)], codec_type="HTTP2")
    active = "cluster.host.upstream_rq_active"
    for _ in range(2):
        with H2Client(proxy.port) as client:
            pushed(client, [get(n, end=False) for n in range(1, 2021, 2)])
            proxy.wait_stat(active, 1010)
        proxy.wait_stat(active, 0)
    with H2Client(proxy.port) as client:
        assert client.ask("/").body == b"x"
    assert proxy.stat("cluster.host.upstream_cx_total") == proxy.stat("cluster.host.upstream_cx_active") == 1


def test_a_connection_is_idle_behind_a_request_that_took_longer_than_its_idle_timeout(stage):
    held = Held(stage)
    proxy = stage.proxy(
        held.backend,
        codec_type="HTTP2",
        common_http_protocol_options={"idle_timeout": "0.2s"},
        drain_timeout="0.1s",
    )
    with H2Client(proxy.port) as client:
        stream = client.open("/held")
        threading.Timer(0.5, held.go_on.set).start()
        assert client.whole(stream).body == b"held"
        assert set(client.to_end()) == {NO_ERROR}
