"""Changes that come from another site."""

import pytest

from config_text import http_filter, http_filters, per_filter, route
from peers import request_bytes
from sides import both, compare_whole, needed

pytestmark = needed

ALWAYS, NEVER = ({"default_value": {"numerator": n}} for n in (100, 0))
FILTER = http_filter(
    "csrf", "CsrfPolicy", filter_enabled=ALWAYS, additional_origins=[{"exact": "friend:8080"}, {"suffix": ".ok"}]
)
ROUTES = [
    {**route("backend", "/off"), **per_filter("csrf", "CsrfPolicy", filter_enabled=NEVER)},
    {**route("backend", "/shadow"), **per_filter("csrf", "CsrfPolicy", filter_enabled=NEVER, shadow_enabled=ALWAYS)},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}},
    route("backend"),
]
ORIGINS = [
    "http://test.example",
    "https://test.example",
    "ftp://test.example",
    "test.example",
    "http://test.example:80",
    "http://test.example:x",
    "http://TEST.example",
    "http://u@test.example",
    "http://test.example/path",
    "http://friend:8080",
    "http://friend",
    "http://a.ok",
    "http://a.ok:80",
    "http://evil",
    "http://[::1]:5",
    "http://",
    "null",
    "",
]


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, routes=ROUTES, http_filters=http_filters(FILTER))


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin(sides, origin):
    compare_whole(sides, request_bytes("/", "POST", [("origin", origin)], b""))


@pytest.mark.parametrize("origin", ["", "null", "http://evil", "http://test.example"])
@pytest.mark.parametrize("referer", ["http://test.example/a?b", "http://evil/", "/relative"])
def test_a_referer(sides, origin, referer):
    fields = [("origin", origin)] if origin else []
    compare_whole(sides, request_bytes("/", "POST", [*fields, ("referer", referer)], b""))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_a_method(sides, method):
    compare_whole(sides, request_bytes("/", method), method)


@pytest.mark.parametrize("path", ["/off", "/shadow", "/direct"])
@pytest.mark.parametrize("origin", ["http://evil", "http://test.example"])
def test_a_route(sides, path, origin):
    compare_whole(sides, request_bytes(path, "POST", [("origin", origin)], b""))
