"""CORS: preflights, what browsers are told of other responses, and whose policy counts."""

import pytest

from config_text import http_filter, http_filters, per_filter, route, typed, virtual_host
from peers import request_bytes, response_bytes
from sides import both, compare_whole, needed

pytestmark = needed

LOG = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER%"
ANY = {"allow_origin_string_match": [{"exact": "*"}]}
NEVER = {"default_value": {"numerator": 0}}
FULL = {
    "allow_origin_string_match": [
        {"exact": "http://a.example"},
        {"safe_regex": {"regex": "http://.*\\.b"}},
        {"prefix": "https://P", "ignore_case": True},
        {"suffix": ".end"},
        {"contains": "middle"},
    ],
    "allow_methods": "GET,POST",
    "allow_headers": "x-a",
    "expose_headers": "x-e",
    "max_age": "5",
    "allow_credentials": True,
    "allow_private_network_access": True,
}


def policy(**fields):
    return per_filter("cors", "CorsPolicy", **fields)


ROUTES = [
    {**route("backend", "/full"), **policy(**FULL)},
    {**route("backend", "/refuses"), **policy(**FULL, forward_not_matching_preflights=False)},
    {**route("backend", "/forwards"), **policy(**FULL, forward_not_matching_preflights=True)},
    {**route("backend", "/any"), **policy(**ANY, allow_methods="*", allow_headers="*")},
    {
        **route("backend", "/shadow"),
        **policy(**ANY, filter_enabled=NEVER, shadow_enabled={"default_value": {"numerator": 100}}),
    },
    {**route("backend", "/off"), **policy(**ANY, filter_enabled=NEVER)},
    {**route("backend", "/empty"), **policy()},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}, **policy(**FULL)},
    {"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/x"}, **policy(**FULL)},
    route("backend", "/older/off", cors={**ANY, "filter_enabled": NEVER}),
    route("backend", "/older", cors={**ANY, "allow_methods": "OLD", "expose_headers": "x-old"}),
    {**route("backend", "/both", cors={**ANY, "allow_methods": "OLD"}), **policy(**FULL)},
    route("backend"),
]


def preflight(path, origin="http://a.example", *fields):
    asked = [("origin", origin), ("access-control-request-method", "PUT"), *fields]
    return request_bytes(path, "OPTIONS", asked)


def simple(path, *fields, method="GET"):
    return request_bytes(path, method, fields)


REQUESTS = {
    "a preflight": preflight("/full"),
    "a preflight of a private network": preflight(
        "/full", "http://x.b", ("access-control-request-private-network", "true")
    ),
    "a preflight with names of fields": preflight("/full", "https://pq", ("access-control-request-headers", "q")),
    "a preflight of another origin": preflight("/full", "http://evil"),
    "a preflight of another origin, refused": preflight("/refuses", "http://evil"),
    "a preflight of another origin, forwarded": preflight("/forwards", "http://evil"),
    "a preflight where all is allowed": preflight("/any", "a", ("access-control-request-headers", "q1, q2")),
    "a preflight of null": preflight("/any", "null"),
    "a preflight that is only counted": preflight("/shadow"),
    "a preflight where nothing is done": preflight("/off"),
    "a preflight of an empty policy": preflight("/empty"),
    "a preflight of a direct response": preflight("/direct"),
    "a preflight of the older kind": preflight("/older"),
    "a preflight of the older kind, off": preflight("/older/off"),
    "a preflight where both kinds speak": preflight("/both"),
    "a preflight without a policy": preflight("/"),
    "no origin": simple("/full"),
    "an empty origin": simple("/full", ("origin", "")),
    "an origin": simple("/full", ("origin", "http://a.example")),
    "an origin in other letters": simple("/full", ("origin", "HTTPS://pq")),
    "an origin's end": simple("/full", ("origin", "http://my.end")),
    "an origin's middle": simple("/full", ("origin", "http://in.middle.of")),
    "another origin": simple("/full", ("origin", "http://evil")),
    "options that are no preflight": simple("/full", ("origin", "http://a.example"), method="OPTIONS"),
    "an origin of any": simple("/any", ("origin", "z")),
    "a backend that has its own": simple("/full", ("origin", "http://a.example"), ("x-own", "1")),
    "a backend that has its own, of any": simple("/any", ("origin", "z"), ("x-own", "1")),
    "an origin that is only counted": simple("/shadow", ("origin", "z")),
    "an origin of a direct response": simple("/direct", ("origin", "http://a.example")),
    "an origin of a redirect": simple("/redirect", ("origin", "http://a.example")),
    "an origin of the older kind": simple("/older", ("origin", "z")),
}


def answer(request):
    own = [(f"access-control-{n}", "own") for n in ("allow-origin", "allow-credentials", "expose-headers")]
    return response_bytes(fields=own if request["x-own"] else [], body=b"x")


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, routes=ROUTES, http_filters=http_filters(http_filter("cors", "Cors")), answer=answer, log=LOG)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(sides, name):
    compare_whole(sides, REQUESTS[name])


def table(of_all, of_host, of_route, older_of_host=None, older_of_route=None):
    words = [policy(**of) if of is not None else {} for of in (of_all, of_host, of_route)]
    action = {"cors": older_of_route} if older_of_route else {}
    older = {"cors": older_of_host} if older_of_host else {}
    host = virtual_host({**route("backend", **action), **words[2]}, **older, **words[1])
    return {"name": "local", "virtual_hosts": [host], **words[0]}


A = {"allow_origin_string_match": [{"exact": "a"}]}
B = {"allow_origin_string_match": [{"exact": "b"}]}
SCOPES = {
    "each gives what the others lack": table(
        {"expose_headers": "all", "allow_methods": "all", "allow_credentials": True},
        {**A, "expose_headers": "host"},
        {"allow_methods": "route", "allow_credentials": False},
    ),
    "the route has its own origins": table(B, {**B, "max_age": "1"}, A),
    "only the first may turn it off": table({**A, "filter_enabled": NEVER}, None, {"allow_methods": "M"}),
    "the route turns it off": table(A, None, {"filter_enabled": NEVER}),
    "the older kind of route and host": table(None, None, None, {**A, "allow_methods": "H"}, {"expose_headers": "R"}),
    "the older kind of the host": table(None, None, None, A),
    "the older kind counts for nothing beside the newer": table({"max_age": "1"}, None, None, A, A),
}


@pytest.mark.parametrize("name", SCOPES)
def test_scopes(stage, name):
    filters = http_filters(http_filter("cors", "Cors"))
    sides = both(stage, http_filters=filters, route_config=SCOPES[name], log=LOG)
    compare_whole(sides, preflight("/", "a"))
    compare_whole(sides, simple("/", ("origin", "a")))
    compare_whole(sides, simple("/", ("origin", "b")))


def test_a_filter_that_a_route_switches_off(stage):
    off = {
        "typed_per_filter_config": {
            "envoy.filters.http.cors": typed("envoy.config.route.v3.FilterConfig", disabled=True)
        }
    }
    sides = both(
        stage, http_filters=http_filters(http_filter("cors", "Cors")), routes=[{**route("backend", cors=A), **off}]
    )
    compare_whole(sides, preflight("/", "a"))
