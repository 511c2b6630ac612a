"""gRPC over HTTP/2 on both sides: calls, their time-outs and the proxy's own replies, as a client, the host, the log
and the statistics see them."""

import pytest

from config_text import http2_cluster, http_filter, http_filters, route
from h2_talk import DATA, END_STREAM, HEADERS, H2Backend, H2Client, frame, request_fields, rst_stream
from sides import Side, different, needed, stable

pytestmark = needed

LOG = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %GRPC_STATUS% %GRPC_STATUS_NUMBER% "
    "%TRAILER(grpc-status)% %RESP(grpc-status)% %BYTES_RECEIVED% %BYTES_SENT% "
    "%FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)%"
)
TYPE = ("content-type", "application/grpc")
MESSAGE = b"\0\0\0\0\3abc"
OK = [("grpc-status", "0")]


def replies(*args, **options):
    return lambda r: r.reply(*args, **options)


def begins(body=b""):
    """A head, perhaps a message, and silence."""

    def begin(r):
        r.send_head(200, [TYPE])
        if body:
            r.talk.send_body(r.stream, body, False)

    return begin


ANSWERS = {
    "good": replies(200, [TYPE], MESSAGE * 2, OK),
    "good without messages": replies(200, [TYPE], b"", OK),
    "trailers alone": replies(200, [TYPE, ("grpc-status", "5"), ("grpc-message", "gone%21")]),
    "good trailers alone": replies(200, [TYPE, *OK]),
    "failed": replies(200, [TYPE], MESSAGE, [("grpc-status", "13"), ("grpc-message", "%09%C3%A9")]),
    "failed with details": replies(200, [TYPE], b"", [("grpc-status", "3"), ("grpc-status-details-bin", "CAM")]),
    "an unknown status": replies(200, [TYPE], MESSAGE, [("grpc-status", "77")]),
    "a status that is none": replies(200, [TYPE], MESSAGE, [("grpc-status", "x")]),
    "both statuses": replies(200, [TYPE, *OK], MESSAGE, [("grpc-status", "2")]),
    "no status": replies(200, [TYPE], MESSAGE),
    "no status and no body": replies(200, [TYPE]),
    "html": replies(503, [("content-type", "text/html")], b"<h1>no</h1>"),
    "404": replies(404, [("content-type", "text/html")]),
    "a large message": replies(200, [TYPE], b"\0\0\1\0\0" + b"x" * 65536, OK),
    "reset": lambda r: r.talk.send(rst_stream(r.stream, 2)),
    "cancelled": lambda r: r.talk.send(rst_stream(r.stream, 8)),
    "refused": lambda r: r.talk.send(rst_stream(r.stream, 7)),
    "nothing": lambda r: None,
    "a head": begins(),
    "half": begins(MESSAGE),
}


def call(answer="good", path="/a.B/Call", body=MESSAGE, trailers=None, fields=()):
    """The frames of one, as a function of the client: all in one write."""
    fields = request_fields(path, "POST", [TYPE, ("te", "trailers"), ("x-answer", answer), *fields])

    def frames(client):
        yield client.headers(1, fields, body is None and not trailers)
        if body is not None:
            yield frame(DATA, 0 if trailers else END_STREAM, 1, body)
        if trailers:
            yield client.headers(1, trailers, True)

    return frames


def timed(path, asked, answer="nothing"):
    return call(answer, path, fields=[("grpc-timeout", asked)])


ENDLESS = {"nothing", "a head", "half"}
CALLS = {name: call(name) for name in ANSWERS if name not in ENDLESS} | {
    "two messages": call(body=MESSAGE * 2),
    "half a message": call(body=MESSAGE[:6]),
    "no message": call(body=b""),
    "no body": call(body=None),
    "trailers of the request": call(trailers=[("x-t", "1")]),
    "trailers of the request alone": call(body=None, trailers=[("x-t", "1")]),
    "trailers alone to no message": call("trailers alone", body=b""),
    "no route": call(path="/nowhere", body=None),
    "direct response": call(path="/direct", body=None),
    "direct response without a body": call(path="/direct-empty", body=None),
    "redirect": call(path="/redirect", body=None),
    "no host": call(path="/nobody/x", body=None),
    "a refused connection": call(path="/unreachable/x", body=None),
    "a time-out of the route": call("nothing", "/late/x"),
    "a time-out of the route behind the head": call("a head", "/late/x"),
    "a time-out of the route behind a message": call("half", "/late/x"),
    "a longest stream": call("nothing", "/stream/x"),
    "a longest stream behind the head": call("a head", "/stream/x"),
    "a longest stream behind a message": call("half", "/stream/x"),
    "an idle stream": call("nothing", "/idle/x"),
    "an idle stream behind a message": call("half", "/idle/x"),
    "grpc-timeout": timed("/asked/x", "100m"),
    "grpc-timeout behind a message": timed("/asked/x", "100m", "half"),
    "grpc-timeout in microseconds": timed("/asked/x", "100000u"),
    "grpc-timeout that is longer than allowed": timed("/most/x", "10S"),
    "grpc-timeout less an offset": timed("/less/x", "10S"),
    "grpc-timeout in time": timed("/asked/x", "20S", "good"),
    "grpc-timeout less an offset in time": timed("/less/x", "20S", "good"),
    "grpc-timeout longer than allowed, in time": timed("/most-in-time/x", "1H", "good"),
    "grpc-timeout that nobody asks for": timed("/a.B/Call", "20S", "good"),
    "grpc-timeout of v2": timed("/old/x", "100m"),
    "grpc-timeout of v2, longer than allowed": timed("/old/x", "1H"),
    "grpc-timeout of v2 in time": timed("/old-in-time/x", "1H", "good"),
    "no grpc-timeout of v2": call("nothing", "/old/x"),
}


def stream(prefix, **durations):
    return route("backend", prefix, timeout="0s", max_stream_duration=durations)


ROUTES = [
    {"match": {"prefix": "/direct-empty"}, "direct_response": {"status": 503}},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 403, "body": {"inline_string": "100% no\n"}}},
    {"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/x"}},
    route("nobody", "/nobody"),
    route("unreachable", "/unreachable"),
    route("backend", "/late", timeout="0.1s"),
    route("backend", "/idle", timeout="0s", idle_timeout="0.1s"),
    stream("/stream", max_stream_duration="0.1s"),
    stream("/asked", grpc_timeout_header_max="0s"),
    stream("/most-in-time", grpc_timeout_header_max="30s"),
    stream("/most", grpc_timeout_header_max="0.1s"),
    stream("/less", grpc_timeout_header_max="0s", grpc_timeout_header_offset="9.9s"),
    route("backend", "/old-in-time", max_grpc_timeout="30s", grpc_timeout_offset="0.5s"),
    route("backend", "/old", max_grpc_timeout="0.1s"),
    route("backend", "/a.B"),
]


def side(stage, name):
    host = stage.ending.enter_context(H2Backend(lambda r: ANSWERS[r["x-answer"]](r)))
    made = Side(
        stage,
        name,
        routes=ROUTES,
        clusters=lambda _: [http2_cluster("backend", host), http2_cluster("nobody"), http2_cluster("unreachable", 1)],
        log=LOG,
        codec_type="HTTP2",
        http_filters=http_filters(
            http_filter("grpc_stats", "FilterConfig", stats_for_all_methods=True, emit_filter_state=True)
        ),
    )
    made.h2_backend = host
    return made


@pytest.fixture(scope="module")
def sides(shared):
    return [side(shared, name) for name in ("outrider", "envoy")]


def ended_by_head(request):
    """The host's request had no frame behind its head."""
    heads = [f for f in request.talk.frames if f.stream == request.stream and f.kind == HEADERS]
    return bool(heads[0].flags & END_STREAM)


COUNTED = (
    "cluster.backend.grpc",
    "cluster.backend.upstream_rq_timeout",
    "cluster.backend.upstream_rq_max_duration",
    "cluster.backend.upstream_rq_5xx",
    "cluster.backend.upstream_rq_2xx",
    "http.in.downstream_rq_2xx",
    "http.in.downstream_rq_5xx",
    "http.in.downstream_rq_max_duration_reached",
    "http.in.downstream_rq_idle_timeout",
)


def seen(side, asked):
    lines, requests, before = len(side.logged()), len(side.h2_backend.requests), side.proxy.stats(COUNTED)
    with H2Client(side.proxy.port) as client:
        a = client.send(*asked(client)).whole(1)
        side.wait_logged(lines + 1)
    after = side.proxy.stats(COUNTED)
    got = side.h2_backend.requests[requests:]
    return {
        "fields": a.fields and stable(a.fields),
        "body": a.body,
        "trailers": sorted(a.trailers),
        "reset": a.reset,
        "log": side.logged()[lines:],
        "counted": sorted(f"{n} {v - before.get(n, 0)}" for n, v in after.items() if v != before.get(n, 0)),
        "there": [[*stable(r.fields), r.body, *r.trailers, ended_by_head(r)] for r in got],
    }


@pytest.mark.parametrize("name", CALLS)
def test_a_call(sides, name):
    ours, theirs = (seen(s, CALLS[name]) for s in sides)
    found = different(ours, theirs)
    assert not found, found
