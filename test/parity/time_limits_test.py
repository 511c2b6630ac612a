"""How long a request may take, as routes and the fields of requests say it."""

import time

import pytest

from config_text import http_filters, route, typed, ROUTER
from peers import request_bytes, response_bytes
from sides import both, compare, compare_whole, different, needed

pytestmark = needed

GRPC = ("content-type", "application/grpc")


def slowly(request):
    if "slow" in request.target:
        time.sleep(0.6)
    return response_bytes(body=b"backend")


def stream(prefix, **durations):
    return route("backend", prefix=prefix, max_stream_duration=durations, timeout="0.2s")


ROUTES = [
    stream("/stream-slow", max_stream_duration="3s"),
    stream("/stream", max_stream_duration="3s"),
    stream("/asked-slow", grpc_timeout_header_max="0.3s"),
    stream("/asked", grpc_timeout_header_max="3s", grpc_timeout_header_offset="1s"),
    stream("/unlimited", grpc_timeout_header_max="0s"),
    route("backend", prefix="/old-slow", max_grpc_timeout="0.3s"),
    route("backend", prefix="/old-free", max_grpc_timeout="0s"),
    route("backend", prefix="/old", max_grpc_timeout="4s", grpc_timeout_offset="0.5s"),
    route("backend"),
]


@pytest.fixture(scope="module", params=["", "20s"], ids=["no limit", "limit of 20 s"])
def sides(request, shared):
    common = {"max_stream_duration": request.param} if request.param else {}
    return both(shared, answer=slowly, routes=ROUTES, common_http_protocol_options=common)


PATHS = ["/stream", "/asked", "/unlimited", "/old", "/old-free", "/"]
ASKED = ["20S", "8000m", "500x", "15000001u", "100H", "99999999H", "999999999999S", "", "S", "12"]
OVER = ["800m", "1500u", "7n"]  # Less than the offset of /asked.


@pytest.mark.parametrize("path", PATHS)
def test_grpc_timeout(sides, path):
    for asked in ASKED:
        compare(sides, request_bytes(path, fields=[GRPC, ("grpc-timeout", asked)]))


@pytest.mark.parametrize("asked", OVER)
def test_a_time_that_is_over_at_once(stage, asked):
    """Envoy may open a connection to the backend before it says so."""
    data = request_bytes("/asked", fields=[GRPC, ("grpc-timeout", asked)])
    ours, theirs = (side.exchange(data, "GET") for side in both(stage, answer=slowly, routes=ROUTES))
    assert ours.pop("backend") == [] and theirs.pop("backend") is not None
    assert not different(ours, theirs)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fields", [[], [GRPC], [("grpc-timeout", "2S")], [("x-envoy-upstream-rq-timeout-ms", "700")]])
def test_other_requests(sides, path, fields):
    compare(sides, request_bytes(path, fields=fields))


@pytest.mark.parametrize("path", ["/stream-slow", "/asked-slow", "/old-slow"])
@pytest.mark.parametrize("fields", [[], [GRPC], [GRPC, ("grpc-timeout", "9S")], [("grpc-timeout", "9S")]])
def test_the_time_is_kept(sides, path, fields):
    compare_whole(sides, request_bytes(path, fields=fields))


def router(**fields):
    filters = http_filters()
    filters[-1]["typed_config"] = typed(ROUTER, **fields)
    return filters


def test_expected_rq_timeout_of_the_proxy_before(stage):
    pair = both(stage, answer=slowly, routes=[route("backend")], http_filters=router(respect_expected_rq_timeout=True))
    name, other = "x-envoy-expected-rq-timeout-ms", "x-envoy-upstream-rq-timeout-ms"
    for fields in ([(name, "300")], [(name, "x")], [(name, "300"), (other, "500")], [(other, "500")]):
        for path in ("/", "/slow"):
            compare(pair, request_bytes(path, fields=[("x-forwarded-for", "10.0.0.1"), *fields]))
            compare(pair, request_bytes(path, fields=fields))


STRICT = [
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-max-retries",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
]


@pytest.mark.parametrize("value", ["3", "-3", "x", "", "5xx,reset", "5xx, x", "cancelled", ",", "5XX"])
def test_strict_check_headers(stage, value):
    pair = both(stage, routes=[route("backend")], http_filters=router(strict_check_headers=STRICT))
    for name in STRICT:
        compare(pair, request_bytes(fields=[(name, value)]))


def test_without_dynamic_stats(stage):
    clusters = [{"name": "all", "headers": [{"name": ":path", "present_match": True}]}]
    host = [{"name": "h", "domains": ["*"], "routes": [route("backend")], "virtual_clusters": clusters}]
    pair = both(stage, virtual_hosts=host, http_filters=router(dynamic_stats=False))
    compare_whole(pair, request_bytes())
    names = ("cluster.backend.upstream_rq_", "cluster.backend.external", "cluster.backend.internal", "vhost.")
    ours, theirs = ({n for n, v in side.proxy.stats(names).items() if v} for side in pair)
    assert ours == theirs and "cluster.backend.upstream_rq_200" not in ours
