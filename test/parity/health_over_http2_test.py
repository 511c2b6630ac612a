"""Health checks over HTTP/2, and gRPC's own: what is asked, found and counted, beside Envoy."""

import pytest

from config_text import OFTEN_CHECKED, http2_cluster, route
from h2_peers import H2Host
from peers import eventually
from sides import Side, different, needed

pytestmark = needed

HTTP = {"path": "/health", "codec_client_type": "HTTP2"}
HTTP_CHECKS = {
    "plain": {**OFTEN_CHECKED, "http_health_check": HTTP},
    "head": {**OFTEN_CHECKED, "http_health_check": {**HTTP, "host": "other", "method": "HEAD"}},
    "once": {**OFTEN_CHECKED, "reuse_connection": False, "http_health_check": HTTP},
}
GRPC_CHECKS = {
    "server": {**OFTEN_CHECKED, "grpc_health_check": {}},
    "service": {
        **OFTEN_CHECKED,
        "grpc_health_check": {
            "service_name": "users",
            "authority": "own",
            "initial_metadata": [{"header": {"key": "x", "value": "y"}}],
        },
    },
}


def frame(message, flag=0):
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


def grpc(*frames, status="0", head=200, kind="application/grpc"):
    def answer(request):
        request.head(head, [("content-type", kind)])
        for each in frames:
            request.data(each)
        request.talk.codec.send_headers(request.stream, [("grpc-status", status)], end_stream=True)

    return answer


def only_trailers(request):
    request.head(200, [("content-type", "application/grpc"), ("grpc-status", "12")], end=True)


ANSWERS = {
    "ok": lambda r: r.answer(200, b"fine"),
    "bad": lambda r: r.answer(503),
    "degraded": lambda r: r.answer(200, fields=[("x-envoy-degraded", "")]),
    "failing": lambda r: r.answer(200, fields=[("x-envoy-immediate-health-check-fail", "true")]),
    "reset": lambda r: r.reset(2),
    "refused": lambda r: r.reset(7),
    "closed": lambda r: r.talk.close(),
}
GRPC_ANSWERS = {
    "serving": grpc(frame(b"\x08\x01")),
    "not serving": grpc(frame(b"\x08\x02")),
    "unknown": grpc(frame(b"")),
    "unknown service": grpc(frame(b"\x08\x03")),
    "an error": grpc(frame(b"\x08\x01"), status="13"),
    "an error alone": only_trailers,
    "nothing": grpc(),
    "two": grpc(frame(b"\x08\x01"), frame(b"\x08\x01")),
    "garbage": grpc(b"\xff" * 40),
    "another type": grpc(frame(b"\x08\x01"), kind="text/plain"),
    "another status": grpc(frame(b"\x08\x01"), head=503),
    "cut short": lambda r: (r.head(200, [("content-type", "application/grpc")]), r.data(frame(b"\x08\x01"), end=True)),
    "reset": lambda r: r.reset(2),
    "closed": lambda r: r.talk.close(),
}
GAUGES = ("membership_healthy", "membership_degraded", "health_check.healthy", "health_check.degraded")
COUNTED = tuple(f"cluster.host.{name}" for name in GAUGES)


def checked(stage, name, check, answer):
    asked = []

    def on_end(request):
        asked.append([*sorted(request.pseudo.items()), *sorted(request.fields), request.body])
        answer(request)

    host = stage.ending.enter_context(H2Host(on_end=on_end))
    side = Side(
        stage,
        name,
        routes=[route("host")],
        clusters=lambda _: [http2_cluster("host", host, health_checks=[check])],
    )
    eventually(lambda: side.proxy.stat("cluster.host.health_check.attempt") >= 6, "six checks")
    lines = side.proxy.ask_admin("/clusters").body.decode().splitlines()
    failed = side.proxy.stat("cluster.host.health_check.network_failure")
    return {
        "asked": asked[0],
        "flags": [line.rsplit("::", 1)[1] for line in lines if "::health_flags::" in line],
        "counted": [f"{n} {v}" for n, v in sorted(side.proxy.stats(COUNTED).items())],
        "by the network": failed > 0,
    }


def alike(stage, check, answer):
    ours, theirs = (checked(stage, name, check, answer) for name in ("outrider", "envoy"))
    found = different(ours, theirs)
    assert not found, found


@pytest.mark.parametrize("check", HTTP_CHECKS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_check_over_http2(stage, check, answer):
    alike(stage, HTTP_CHECKS[check], ANSWERS[answer])


@pytest.mark.parametrize("check", GRPC_CHECKS)
@pytest.mark.parametrize("answer", GRPC_ANSWERS)
def test_a_check_of_grpc(stage, check, answer):
    alike(stage, GRPC_CHECKS[check], GRPC_ANSWERS[answer])
