"""The health of hosts: what checks and outlier detection ask, find, count and show."""

import time

import pytest

from config_text import OFTEN_CHECKED, cluster, route
from peers import eventually, request_bytes, response_bytes
from sides import Side, different, needed, stable

pytestmark = needed

HTTP = {"path": "/health"}
CHECKS = {
    "plain": {**OFTEN_CHECKED, "http_health_check": HTTP},
    "host": {**OFTEN_CHECKED, "http_health_check": {**HTTP, "host": "other:80", "method": "HEAD"}},
    "fields": {
        **OFTEN_CHECKED,
        "http_health_check": {
            **HTTP,
            "request_headers_to_add": [{"header": {"key": "x", "value": "%PROTOCOL%y"}}],
            "request_headers_to_remove": ["user-agent"],
        },
    },
    "statuses": {
        **OFTEN_CHECKED,
        "http_health_check": {
            **HTTP,
            "expected_statuses": [{"start": 201, "end": 205}],
            "retriable_statuses": [{"start": 500, "end": 501}],
        },
    },
    "once": {**OFTEN_CHECKED, "reuse_connection": False, "http_health_check": HTTP},
    "tcp": {**OFTEN_CHECKED, "tcp_health_check": {}},
}
ANSWERS = {
    "ok": response_bytes(body=b"fine"),
    "created": response_bytes("201 Created"),
    "bad": response_bytes("503 Bad"),
    "error": response_bytes("500 Bad"),
    "degraded": response_bytes(fields=[("x-envoy-degraded", "")]),
    "failing": response_bytes(fields=[("x-envoy-immediate-health-check-fail", "true")]),
    "garbage": b"nonsense\r\n\r\n",
    "none": None,
}
GAUGES = (
    "membership_healthy",
    "membership_degraded",
    "membership_excluded",
    "health_check.healthy",
    "health_check.degraded",
)
COUNTED = tuple(f"cluster.backend.{name}" for name in GAUGES)


def settled(proxy, flags):
    def shown():
        lines = [line for line in proxy.ask_admin("/clusters").body.decode().splitlines() if "::health_flags::" in line]
        return [line.rsplit("::", 1)[1] for line in lines]

    eventually(lambda: shown() == flags, lambda: f"flags {flags}: {shown()}")


def checked(stage, name, check, answer):
    side = Side(
        stage,
        name,
        answer=lambda r: ANSWERS[answer] if r.target == "/health" else response_bytes(body=b"served"),
        routes=[route("backend")],
        clusters=lambda backend: [cluster("backend", backend, health_checks=[check])],
    )
    stat = "cluster.backend.health_check.attempt"
    eventually(lambda: side.proxy.stat(stat) >= 6, "six checks")
    asked = side.backend.requests[:1]
    return {
        "asked": [[r.start_line, *stable(r.fields)] for r in asked],
        "flags": [
            line.rsplit("::", 1)[1]
            for line in side.proxy.ask_admin("/clusters").body.decode().splitlines()
            if "::health_flags::" in line
        ],
        "counted": [f"{n} {v}" for n, v in sorted(side.proxy.stats(COUNTED).items())],
        "served": [side.exchange(request_bytes("/"), "GET")["log"]],
    }


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_check(stage, check, answer):
    ours, theirs = (checked(stage, name, CHECKS[check], answer) for name in ("outrider", "envoy"))
    found = different(ours, theirs)
    assert not found, found


OUTLIER = {"consecutive_5xx": 3, "interval": "100s", "max_ejection_percent": 100}
OUTLIERS = {
    "all": OUTLIER,
    "default percent": {"consecutive_5xx": 3, "interval": "100s"},
    "one at least": {"consecutive_5xx": 3, "interval": "100s", "always_eject_one_host": True},
    "not enforced": {**OUTLIER, "enforcing_consecutive_5xx": 0},
    "gateway": {**OUTLIER, "enforcing_consecutive_gateway_failure": 100, "consecutive_gateway_failure": 2},
    "split": {**OUTLIER, "split_external_local_origin_errors": True, "consecutive_local_origin_failure": 2},
}
SEQUENCES = ["500 500 500 200", "503 500 503 200", "503 503 503 503 503", "500 500 200 500 500", "close close close"]


def watched(stage, name, outlier, sequence):
    plan = iter(sequence.split())

    def answer(request):
        step = next(plan)
        return None if step == "close" else response_bytes(f"{step} Said")

    side = Side(
        stage,
        name,
        answer=answer,
        routes=[route("backend")],
        clusters=lambda backend: [cluster("backend", backend, outlier_detection=outlier)],
    )
    seen = []
    for _ in sequence.split():
        seen.append(side.exchange(request_bytes("/"), "GET")["log"])
        time.sleep(0.1)  # The main thread is to hear of it before the next one.
    prefix = ("cluster.backend.outlier_detection.", "cluster.backend.membership_healthy", "cluster.backend.lb_healthy")
    return {
        "seen": [line for log in seen for line in log],
        "counted": [f"{n} {v}" for n, v in sorted(side.proxy.stats(prefix).items()) if v],
        "flags": [
            line
            for line in side.proxy.ask_admin("/clusters").body.decode().splitlines()
            if "_flags::" in line or "rate::" in line
        ][0].rsplit("::", 1)[1],
    }


@pytest.mark.parametrize("outlier", OUTLIERS)
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_an_outlier(stage, outlier, sequence):
    ours, theirs = (watched(stage, name, OUTLIERS[outlier], sequence) for name in ("outrider", "envoy"))
    found = different(ours, theirs)
    assert not found, found
