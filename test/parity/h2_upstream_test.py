"""Hosts that speak HTTP/2: what clients, logs and statistics tell of them, beside Envoy."""

import pytest

from config_text import http2_cluster, route
from h2_peers import H2Host
from peers import request_bytes
from sides import Side, different, needed

pytestmark = needed

LOG = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %PROTOCOL% %UPSTREAM_PROTOCOL% %BYTES_SENT%"
GET = request_bytes("/a", fields=[("connection", "close")])
HEAD = request_bytes("/a", "HEAD", fields=[("connection", "close")])
POST = request_bytes("/a", "POST", body=b"abc", fields=[("connection", "close")])
WEBSOCKET = request_bytes("/ws", fields=[("connection", "upgrade"), ("upgrade", "websocket")])


def half(request):
    request.head(200)
    request.data(b"half")


def then(*steps):
    def act(request):
        for step in steps:
            step(request)

    return act


def wrong_field(request):
    request.head(200, [("Wrong Name", "x")], end=True)


def early(request):
    request.answer(403, b"no")


def trailers(request):
    request.head(200, [("x-a", "1")])
    request.data(b"data")
    request.talk.codec.send_headers(request.stream, [("x-sum", "7")], end_stream=True)


CASES = {
    "an answer": (GET, {"on_end": lambda r: r.answer(200, b"ok", [("x-a", "1")])}),
    "an answer with a length": (GET, {"on_end": lambda r: r.answer(200, b"ok", [("content-length", "2")])}),
    "an answer without a body": (GET, {"on_end": lambda r: r.answer(204)}),
    "an answer to HEAD": (HEAD, {"on_end": lambda r: r.answer(200, fields=[("content-length", "2")])}),
    "a body that answers HEAD": (HEAD, {"on_end": lambda r: r.answer(200, b"ok")}),
    "a body": (POST, {"on_end": lambda r: r.answer(200, r.body)}),
    "internal error": (GET, {"on_end": lambda r: r.reset(2)}),
    "refused": (GET, {"on_end": lambda r: r.reset(7)}),
    "no error": (GET, {"on_end": lambda r: r.reset(0)}),
    "protocol error": (GET, {"on_end": lambda r: r.reset(1)}),
    "cancel": (GET, {"on_end": lambda r: r.reset(8)}),
    "closed": (GET, {"on_end": lambda r: r.talk.close()}),
    "broken off by a reset": (GET, {"on_end": then(half, lambda r: r.reset(2))}),
    "broken off by the end": (GET, {"on_end": then(half, lambda r: r.talk.send(), lambda r: r.talk.close())}),
    "a wrong field": (GET, {"on_end": wrong_field}),
    "not HTTP/2": (GET, {"on_end": lambda r: r.talk.socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")}),
    "an upgrade that is declined": (WEBSOCKET, {"on_head": early}),
}
COUNTED = ("cluster.host.upstream_", "cluster.host.http2.")
# What hangs on the moment, or on how often something was read.
UNEVEN = (
    "cx_protocol_error",
    "_bytes_",
    "http2.streams_active",
    "http2.pending",
    "http2.outbound",
    "upstream_cx_active",
    "_cx_destroy",
)
ENVOYS_OWN = ("nghttp2", "http2.cookie", "http2.header_count", "http2.header_list_size ")


def seen(stage, name, request, acts):
    host = stage.ending.enter_context(H2Host(**acts))
    side = Side(
        stage,
        name,
        routes=[route("host", upgrade_configs=[{"upgrade_type": "websocket"}])],
        clusters=lambda _: [http2_cluster("host", host)],
        log=LOG,
    )
    result = side.exchange(request, "GET")
    result.pop("backend", None)
    first = host.requests[0]
    pseudo = [f"{n} {v}" for n, v in sorted(first.pseudo.items()) if n != ":authority"]
    fields = sorted(n for n, _ in first.fields if n != "cdn-loop")
    counted = side.proxy.stats(COUNTED)
    counted = [f"{n} {v}" for n, v in sorted(counted.items()) if v and not any(u in n for u in UNEVEN + ENVOYS_OWN)]
    return {**result, "pseudo": pseudo, "fields there": fields, "counted": counted}


@pytest.mark.parametrize("name", CASES)
def test_hosts_are_told_of_as_by_envoy(stage, name):
    ours, theirs = (seen(stage, side, *CASES[name]) for side in ("outrider", "envoy"))
    assert not different(ours, theirs), different(ours, theirs)
