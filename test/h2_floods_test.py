"""Hostile clients of HTTP/2: each costs little memory, is counted under its name, and no other client feels it."""

import os
import threading

import pytest

from config_text import cluster, route
from h2_attacks import ATTACKS, HUNDRED
from h2_talk import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, H2Client
from peers import PATIENCE_S, eventually, response_bytes

GROWTH_MAX_KIB = 10 * 1024
LARGE = 2_000_000  # Bytes of the body that a hostile stream asks for.

ENDS, STAYS, EITHER = {True}, {False}, {True, False}
EMPTY = {"http2.inbound_empty_frames_flood"}
CONTROL = {"http2.outbound_control_flood", "http2.outbound_flood"}
PRIORITY = {"http2.inbound_priority_frames_flood"}
WRONG = {"http.in.downstream_cx_protocol_error"}
LARGE_HEAD = {"http2.header_list_size_too_large", "http2.header_overflow"}
PREMATURE = {"http.in.downstream_rq_too_many_premature_resets"}

# What it is: whether its connection ends, and one of which is counted.
CONTAINED = {
    "rapid_reset": (ENDS, PREMATURE),
    "continuation_of_nothing": (ENDS, EMPTY),
    "continuation_flood": (ENDS, {"http2.header_overflow"}),
    "continuation_of_much": (ENDS, LARGE_HEAD),
    "settings_flood": (ENDS, CONTROL),
    "settings_of_many": (EITHER, set()),
    "ping_flood": (ENDS, CONTROL),
    "pong_flood": (STAYS, set()),
    "empty_data": (ENDS, EMPTY),
    "padded_data": (ENDS, EMPTY),
    "empty_heads": (ENDS, WRONG),
    "priority_flood": (ENDS, PRIORITY),
    "priority_of_many": (ENDS, PRIORITY),
    "window_updates": (ENDS, {"http2.inbound_window_update_frames_flood"}),
    "unknown_frames": (STAYS, set()),
    "hpack_bomb": (STAYS, LARGE_HEAD),
    "hpack_of_one_field": (ENDS, WRONG | LARGE_HEAD),
    "made_to_reset": (EITHER, WRONG | PREMATURE | CONTROL | {"http2.tx_reset"}),
    "overflown_windows": (EITHER, WRONG | PREMATURE | CONTROL | {"http2.tx_reset"}),
    "data_of_the_closed": (EITHER, WRONG | {"http2.tx_reset"}),
    "too_many_streams": (EITHER, CONTROL | PREMATURE),
    "goaway_flood": (STAYS, set()),
    "beyond_the_window": (STAYS, {"http2.tx_reset"}),
    "zero_windows": (STAYS, set()),
    "never_reads": (STAYS, set()),
    "unread_heads": (EITHER, set()),
    "pushes_allowed_late": (EITHER, set()),
}
GOAWAY_CODES = {"settings_of_many": ENHANCE_YOUR_CALM, "hpack_of_one_field": COMPRESSION_ERROR}


def serve(stream):
    while True:
        request = stream.head()
        if request.target == "/stalled":
            return threading.Event().wait(PATIENCE_S)
        request.body = stream.body_of(request)
        fields = [("x-head", os.urandom(500).hex())] if request.target == "/heads" else []
        stream.send(response_bytes(fields=fields, body=b"z" * LARGE if request.target == "/hostile" else b"ok"))


class Bystander:
    """Another client of the same worker. All that it asks must be answered."""

    def __init__(self, port):
        self.client, self.asked, self.bad, self.over = H2Client(port), 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            a = self.client.ask("/bystander")
            self.asked += 1
            if a.status != 200 or a.body != b"ok":
                self.bad.append(a)
                return

    def __enter__(self):
        return self

    def asks_more(self):
        before = self.asked
        eventually(lambda: self.asked > before + HUNDRED or self.bad, "answers for the other client")
        assert not self.bad, self.bad

    def __exit__(self, *raised):
        self.over.set()
        self.thread.join()
        self.client.close()
        assert any(raised) or not self.bad, self.bad


@pytest.fixture(scope="module")
def proxy(shared):
    roomy = {"thresholds": [{"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}]}
    proxy = shared.proxy(
        route("roomy"),
        clusters=[cluster("roomy", shared.backend(serve=serve), circuit_breakers=roomy)],
        codec_type="HTTP2",
        listener={"per_connection_buffer_limit_bytes": 32768},
    )
    with H2Client(proxy.port) as client:  # What is made once is there before memory is looked at.
        for _ in range(HUNDRED):
            client.ask("/bystander")
    return proxy


def ended(client):
    """Whether the proxy ends the connection; it stays, if it still answers a PING."""
    client.stream.socket.settimeout(5)
    try:
        return not client.pong()
    except TimeoutError:
        return False


@pytest.mark.parametrize("name", CONTAINED)
def test_an_attack_is_contained(proxy, name):
    ends, counted = CONTAINED[name]
    before, rss = proxy.stats(), proxy.rss_kib()
    with Bystander(proxy.port) as bystander, H2Client(proxy.port) as hostile:
        ATTACKS[name](hostile)
        if name in ("never_reads", "unread_heads"):
            bystander.asks_more()
        else:
            assert ended(hostile) in ends
        assert proxy.rss_kib() - rss < GROWTH_MAX_KIB
        bystander.asks_more()
    if counted:
        eventually(lambda: any(proxy.stat(n) > before.get(n, 0) for n in counted), f"one of {counted}")
    proxy.wait_stat("http.in.downstream_cx_active", 0)
    proxy.wait_stat("http2.streams_active", 0)
    assert set(code for _, code in hostile.goaways) <= {GOAWAY_CODES.get(name)} | {ENHANCE_YOUR_CALM, 1, 5, 3}
    assert proxy.alive
