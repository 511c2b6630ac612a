"""Replies that filters and the router make: which of them local_reply_config and the route's fields change."""

import pytest

from config_text import cluster, http_filter, http_filters, per_filter, route, virtual_host
from peers import request_bytes, response_bytes
from sides import both, compare, needed

pytestmark = needed


def field(value):
    return {"header": {"key": "x-level", "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


CODE = """function envoy_on_request(h)
  local wanted = h:headers():get("x-lua")
  if not wanted then return end
  if wanted == "elsewhere" then h:headers():replace(":path", "/other") end
  h:headers():add("x-seen", "1")
  h:respond({[":status"] = "418", ["x-own"] = "1", ["x-mapped"] = "lua"}, wanted == "empty" and "" or "tea")
end"""
FILTERS = http_filters(
    http_filter("cors", "Cors"),
    http_filter("lua", "Lua", default_source_code={"inline_string": CODE}),
    http_filter("csrf", "CsrfPolicy", filter_enabled={"default_value": {"numerator": 100}}),
    http_filter("buffer", "Buffer", max_request_bytes=5),
    http_filter(
        "health_check",
        "HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": "/health"}}],
    ),
)
ORIGINS = per_filter(
    "cors",
    "CorsPolicy",
    allow_origin_string_match=[{"exact": "http://there"}],
    allow_methods="*",
    allow_headers="*",
    max_age="7",
)
LEVELS = {
    "weighted_clusters": {
        "clusters": [{"name": "backend", "weight": 1, "response_headers_to_add": [field("weighted")]}]
    }
}
ROUTES = [
    {**route("backend", "/other"), "response_headers_to_add": [field("other")]},
    {"match": {"prefix": "/"}, "route": LEVELS, "response_headers_to_add": [field("route")], **ORIGINS},
]
HOSTS = [virtual_host(*ROUTES, response_headers_to_add=[field("host")])]
LOCAL = {
    "mappers": [
        {
            "filter": {
                "status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 1, "runtime_key": "k"}}}
            },
            "headers_to_add": [{"header": {"key": "x-mapped", "value": "%RESPONSE_CODE%"}}],
        }
    ],
    "body_format": {"text_format_source": {"inline_string": "<%LOCAL_REPLY_BODY%>"}},
}
UPGRADE = [("connection", "upgrade"), ("upgrade", "websocket")]
ASKS = [("origin", "http://there"), ("access-control-request-method", "PUT")]
REQUESTS = {
    "a preflight": request_bytes("/", "OPTIONS", ASKS),
    "a preflight that asks twice": request_bytes(
        "/",
        "OPTIONS",
        [*ASKS, ("access-control-request-method", "GET"), *[("access-control-request-headers", v) for v in "ab"]],
    ),
    "an answer of a script": request_bytes("/", fields=[("x-lua", "1")]),
    "an answer of a script without a body": request_bytes("/", fields=[("x-lua", "empty")]),
    "an answer of a script that has led elsewhere": request_bytes("/", fields=[("x-lua", "elsewhere")]),
    "a foreign origin": request_bytes("/", "POST", [("origin", "http://else")]),
    "an origin given twice": request_bytes("/", "POST", [("origin", "http://test.example")] * 2),
    "a health check": request_bytes("/health"),
    "a body too long": request_bytes("/", "POST", [("origin", "http://test.example")], body=b"0123456789"),
}
WEBSOCKETS = {
    "declined": request_bytes("/200", fields=UPGRADE),
    "moved": request_bytes("/302", fields=UPGRADE),
    "denied": request_bytes("/404", fields=UPGRADE),
}
ANSWERS = {
    "/200": response_bytes(fields=[("x-a", "1"), ("content-type", "text/css")], body=b"body"),
    "/302": response_bytes("302 Found", [("location", "/x")], b"body"),
    "/404": response_bytes("404 Not Found", body=b"none"),
}


def both_with(shared, filters, local_reply):
    return both(
        shared,
        answer=lambda r: ANSWERS.get(r.target, ANSWERS["/200"]),
        virtual_hosts=HOSTS,
        clusters=lambda b: [cluster("backend", b)],
        http_filters=filters,
        upgrade_configs=[{"upgrade_type": "websocket"}],
        **({"local_reply_config": LOCAL} if local_reply == "changed" else {}),
    )


@pytest.fixture(scope="module", params=["plain", "changed"])
def sides(shared, request):
    return both_with(shared, FILTERS, request.param)


@pytest.fixture(scope="module", params=["plain", "changed"])
def without_buffer(shared, request):
    return both_with(shared, http_filters(http_filter("cors", "Cors")), request.param)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_reply(sides, name):
    compare(sides, REQUESTS[name], REQUESTS[name].split()[0].decode())


@pytest.mark.parametrize("name", WEBSOCKETS)
def test_a_websocket_that_the_backend_does_not_take(without_buffer, name):
    compare(without_buffer, WEBSOCKETS[name])


@pytest.mark.parametrize("hops", [0, 2])
@pytest.mark.parametrize("edge", [False, True])
def test_a_url_of_https_on_a_plain_connection(stage, edge, hops):
    pair = both(stage, routes=[route("backend")], use_remote_address=edge, xff_num_trusted_hops=hops)
    for scheme in ("https", "HTTPS", "http"):
        compare(pair, f"GET {scheme}://abs.example/x HTTP/1.1\r\nhost: a\r\n\r\n".encode())
