"""Requests that are sent again: when, how often, with what fields, and what is counted."""

import itertools

import pytest

from config_text import http1_cluster, route, virtual_host
from peers import request_bytes, response_bytes
from sides import Side, different, needed

pytestmark = needed

QUICK = {"base_interval": "0.001s", "max_interval": "0.002s"}
numbers = itertools.count()


def policy(on="", **fields):
    # Without a time-out, of which the fields of a later try would tell what is left.
    return {"timeout": "0s", "retry_policy": {"retry_on": on, "retry_back_off": QUICK, **fields}}


def fresh(backend):
    """No connection is used twice: one that is dead already would be replaced in silence."""
    return [http1_cluster("backend", backend, common={"max_requests_per_connection": 1})]


def planned():
    """A backend that answers each attempt of a request as its field `plan` says."""
    seen = {}

    def answer(request):
        number = seen[request.target] = seen.get(request.target, -1) + 1
        steps = request["plan"].split(",")  # The last one stands for all that follow.
        step, *fields = steps[min(number, len(steps) - 1)].split("+")
        if step == "stall":
            request.stream.rest()
            return None
        if step == "close":
            return None
        if step == "garbage":
            return b"nonsense\r\n\r\n"
        return response_bytes(f"{step} Said", [f.split("=", 1) for f in fields])

    return answer


ROUTES = {
    "none": {"timeout": "0s"},
    "5xx": policy("5xx"),
    "gateway": policy("gateway-error"),
    "connect": policy("connect-failure,refused-stream"),
    "reset": policy("reset"),
    "before": policy("reset-before-request"),
    "4xx": policy("retriable-4xx"),
    "codes": policy("retriable-status-codes", retriable_status_codes=[418, 200]),
    "headers": policy("retriable-headers", retriable_headers=[{"name": "again"}, {"name": "x", "exact_match": "1"}]),
    "limited": policy("5xx,envoy-ratelimited"),
    "grpc": policy("cancelled,unavailable,internal,deadline-exceeded,resource-exhausted"),
    "unknown": policy("nosuch, 5xx"),
    "spaces": policy("5xx, reset"),
    "http3": policy("http3-post-connect-failure"),
    "twice": policy("5xx", num_retries=2),
    "never": policy("5xx", num_retries=0),
    "asked": policy(
        "5xx", retriable_request_headers=[{"name": "idempotent"}, {"name": ":method", "exact_match": "PUT"}]
    ),
    "slow": policy("5xx", per_try_timeout="0.06s"),
    "slower": {**policy("5xx", per_try_timeout="2s"), "timeout": "0.08s"},
    "idle": policy("5xx", per_try_idle_timeout="0.06s"),
    "reset-headers": policy(
        "5xx",
        rate_limited_retry_back_off={"reset_headers": [{"name": "Wait", "format": "SECONDS"}], "max_interval": "2s"},
    ),
    "added": {"timeout": "0s"},
}


def routes():
    made = [route("backend", f"/{name}/", **action) for name, action in ROUTES.items()]
    made[-1]["request_headers_to_add"] = [{"header": {"key": "x-envoy-retry-on", "value": "5xx"}}]
    return made


@pytest.fixture(scope="module")
def sides(shared):
    host = virtual_host(
        *routes(),
        include_request_attempt_count=True,
        include_attempt_count_in_response=True,
        include_is_timeout_retry_header=True,
        virtual_clusters=[{"name": "all", "headers": [{"name": ":path", "present_match": True}]}],
    )
    return [
        Side(
            shared,
            name,
            answer=planned(),
            virtual_hosts=[host],
            clusters=fresh,
            internal_address_config={"cidr_ranges": [{"address_prefix": "127.0.0.1", "prefix_len": 32}]},
        )
        for name in ("outrider", "envoy")
    ]


def compare_plan(sides, name, plan, fields=(), method="GET", body=None, varying=()):
    path = f"/{name}/{next(numbers)}"
    inside = ("x-forwarded-for", "127.0.0.1")  # What such a client asks for counts.
    data = request_bytes(path, method, [("plan", plan), inside, *fields], body)
    ours, theirs = (by_name(side.exchange_counted(data, method)) for side in sides)
    for request in ours["backend"] + theirs["backend"]:
        request["fields"] = [(n, "" if n in varying else v) for n, v in request["fields"]]
    found = different(ours, theirs)
    assert not found, found


def by_name(seen):
    """Envoy writes flags in the order in which they came up."""
    lines = [line.split(" ", 2) for line in seen.get("log", [])]
    return {**seen, "log": [[status, *sorted(flags.split(",")), rest] for status, flags, rest in lines]}


PLANS = ["200", "503,200", "503,503", "500,502,200", "close,200", "close,close", "garbage,200", "418,200"]


@pytest.mark.parametrize(
    "plan", [*PLANS, "409,200", "503+x-envoy-overloaded=true,200", "429+x-envoy-ratelimited=1,200"]
)
@pytest.mark.parametrize("name", ["none", "5xx", "gateway", "connect", "reset", "before", "4xx", "codes", "limited"])
def test_what_is_tried_again(sides, name, plan):
    compare_plan(sides, name, plan)


@pytest.mark.parametrize("plan", ["503,200", "503,503", "503,504,200", "503,504,501,200"])
@pytest.mark.parametrize("name", ["unknown", "spaces", "http3", "twice", "never", "asked", "added"])
def test_how_often(sides, name, plan):
    compare_plan(sides, name, plan)


@pytest.mark.parametrize("plan", ["200+again=,200", "200+x=1,200", "200+x=2,200", "200+Again=1,200+again=2"])
def test_fields_of_a_response(sides, plan):
    compare_plan(sides, "headers", plan)


@pytest.mark.parametrize("status", [0, 1, 2, 4, 8, 13, 14, 15, "x"])
def test_a_status_of_grpc(sides, status):
    compare_plan(sides, "grpc", f"200+grpc-status={status},200")


FIELDS = {
    "on": [("x-envoy-retry-on", "5xx")],
    "on two": [("x-envoy-retry-on", "gateway-error, retriable-4xx")],
    "on nothing": [("x-envoy-retry-on", "nosuch")],
    "grpc": [("x-envoy-retry-grpc-on", "unavailable")],
    "most": [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "3")],
    "most zero": [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "0")],
    "most wrong": [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "x")],
    "most alone": [("x-envoy-max-retries", "3")],
    "codes": [("x-envoy-retry-on", "retriable-status-codes"), ("x-envoy-retriable-status-codes", "409, 418,x")],
    "names": [("x-envoy-retry-on", "retriable-headers"), ("x-envoy-retriable-header-names", "Again, other")],
    "request": [("idempotent", "1")],
    "hedge": [("x-envoy-hedge-on-per-try-timeout", "true")],
}
SAID = ["503,200", "409,200", "418,200", "200+again=1,200", "200+grpc-status=14,200", "503,503,503,503,200"]


@pytest.mark.parametrize("plan", SAID)
@pytest.mark.parametrize("name", ["none", "5xx", "codes", "asked"])
@pytest.mark.parametrize("said", FIELDS)
def test_what_a_request_says(sides, name, said, plan):
    compare_plan(sides, name, plan, FIELDS[said])


@pytest.mark.parametrize("plan", ["stall,200", "stall,stall", "503,stall", "200"])
@pytest.mark.parametrize("name", ["slow", "slower", "idle"])
def test_time_outs_of_a_try(sides, name, plan):
    # The second try is told what is left of the time.
    varying = {"x-envoy-expected-rq-timeout-ms"} if (name, plan) == ("slower", "503,stall") else set()
    compare_plan(sides, name, plan, varying=varying)


@pytest.mark.parametrize("ms", ["60", "0", "20000", "x"])
@pytest.mark.parametrize("plan", ["stall,200", "200"])
def test_the_time_of_a_try_that_a_request_asks_for(sides, ms, plan):
    fields = [("x-envoy-upstream-rq-per-try-timeout-ms", ms), ("x-envoy-upstream-rq-timeout-ms", "300")]
    compare_plan(sides, "5xx", plan, fields)


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 200000])
@pytest.mark.parametrize("plan", ["503,200", "503,503"])
def test_a_body_is_sent_again(sides, body, plan):
    compare_plan(sides, "5xx", plan, method="POST", body=body)


def test_a_body_longer_than_is_kept_is_sent_once(sides):
    data = request_bytes(f"/5xx/{next(numbers)}", "POST", [("plan", "503,200")], b"z" * 2000000)
    ours, theirs = (by_name(side.exchange(data, "POST")) for side in sides)
    found = different(ours, theirs)
    assert not found, found


@pytest.mark.parametrize("wait", ["0", "1", "9", "x"])
def test_a_response_says_when_to_come_again(sides, wait):
    compare_plan(sides, "reset-headers", f"503+wait={wait},200")
