"""Health checks of the proxy itself."""

import pytest

from config_text import address, cluster, http_filter, http_filters, route
from peers import request_bytes, response_bytes
from sides import both, compare_whole, needed

pytestmark = needed

LOG = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %UPSTREAM_CLUSTER%"
ROUTES = [{"match": {"prefix": "/direct"}, "direct_response": {"status": 200}}, route("backend")]
CHECK = [{"name": ":path", "string_match": {"exact": "/check"}}]


def answer(request):
    degraded = [("x-envoy-degraded", "")] if request["x-degraded"] else []
    return response_bytes("503 No" if request["x-bad"] else "200 OK", degraded, b"x")


def checked(stage, clusters=None, flags=(), **fields):
    filters = http_filters(http_filter("health_check", "HealthCheck", headers=CHECK, **fields))
    return both(stage, routes=ROUTES, http_filters=filters, answer=answer, log=LOG, clusters=clusters, flags=flags)


REQUESTS = {
    "a check": (request_bytes("/check"), "GET"),
    "a check with a body": (request_bytes("/check", "POST", body=b"abc"), "POST"),
    "a check without a body": (request_bytes("/check", "HEAD"), "HEAD"),
    "another path": (request_bytes("/check?x"), "GET"),
    "another request": (request_bytes("/other"), "GET"),
    "a direct response": (request_bytes("/direct"), "GET"),
}


@pytest.mark.parametrize("passes", [False, True], ids=["answered", "passed"])
@pytest.mark.parametrize("fails", [False, True], ids=["sound", "failing"])
def test_requests(stage, passes, fails):
    sides = checked(stage, pass_through_mode=passes, flags=["--service-cluster", "ours"])
    for side in sides:
        if fails:
            side.proxy.ask_admin("/healthcheck/fail", "POST")
    for data, to in REQUESTS.values():
        compare_whole(sides, data, to)


@pytest.mark.parametrize("field", ["x-bad", "x-degraded", "x-none"])
def test_a_kept_answer(stage, field):
    sides = checked(stage, pass_through_mode=True, cache_time="1000s")
    compare_whole(sides, request_bytes("/other"))
    compare_whole(sides, request_bytes("/check", fields=[(field, "1")]))
    compare_whole(sides, request_bytes("/check"))
    compare_whole(sides, request_bytes("/check", "POST", body=b"abc"))
    for side in sides:
        side.proxy.ask_admin("/healthcheck/fail", "POST")
    compare_whole(sides, request_bytes("/check"))


def clusters(backend):
    def group(name, *health):
        hosts = [{"endpoint": {"address": address(9)}, "health_status": each} for each in health]
        return {**cluster(name), "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]}}

    empty = {**cluster("empty"), "load_assignment": {"cluster_name": "empty"}}
    return [
        cluster("backend", backend),
        empty,
        group("half", "HEALTHY", "UNHEALTHY"),
        group("weak", "DEGRADED", "HEALTHY"),
    ]


MINIMUMS = [
    {"backend": 50},
    {"nowhere": 0},
    {"empty": 1},
    {"empty": 0},
    {"half": 50},
    {"half": 51},
    {"half": 50.9},
    {"weak": 100},
    {"backend": 100, "weak": 100, "half": 90},
]


@pytest.mark.parametrize("minimum", MINIMUMS, ids=str)
def test_a_share_of_healthy_hosts(stage, minimum):
    percentages = {name: {"value": value} for name, value in minimum.items()}
    sides = checked(stage, clusters, pass_through_mode=False, cluster_min_healthy_percentages=percentages)
    compare_whole(sides, request_bytes("/check"))


def test_without_matchers_every_request_is_a_check(stage):
    filters = http_filters(http_filter("health_check", "HealthCheck", pass_through_mode=False))
    compare_whole(both(stage, routes=ROUTES, http_filters=filters, log=LOG), request_bytes("/any"))
