"""API keys: who gets through, what is forwarded, and what the others are told."""

import pytest

from config_text import http_filter, http_filters, per_filter, route
from peers import request_bytes
from sides import both, compare_whole, needed

pytestmark = needed

FILTER = http_filter(
    "api_key_auth",
    "ApiKeyAuth",
    credentials=[{"key": "k1", "client": "one"}, {"key": "k 2", "client": "two"}],
    key_sources=[{"header": "X-Key"}, {"query": "key"}, {"cookie": "ck"}],
    forwarding={"header": "X-Client", "hide_credentials": True},
)


def said(**fields):
    return per_filter("api_key_auth", "ApiKeyAuthPerRoute", **fields)


ROUTES = [
    {**route("backend", "/only"), **said(allowed_clients=["two"])},
    {**route("backend", "/own"), **said(credentials=[{"key": "z", "client": "zed"}])},
    {**route("backend", "/source"), **said(key_sources=[{"header": "authorization"}])},
    {**route("backend", "/shown"), **said(forwarding={"header": "who"})},
    route("backend"),
]

REQUESTS = {
    "no key": ("/", []),
    "a field": ("/", [("x-key", "k1")]),
    "a bearer": ("/", [("x-key", "Bearer k1")]),
    "a bearer of nothing": ("/", [("x-key", "Bearer "), ("cookie", "ck=k1")]),
    "an unknown key": ("/", [("x-key", "nope")]),
    "two fields": ("/", [("x-key", "nope"), ("x-key", "k1")]),
    "an empty field before a cookie": ("/", [("x-key", ""), ("cookie", "ck=k1")]),
    "a parameter": ("/?a=1&key=k1&c&d=&z=a+b", []),
    "a parameter with an escape": ("/?key=k%202&b=2", []),
    "parameters are sorted": ("/p?B=1&b=2&a=1&key=k1&key=zz&a=0&A=", []),
    "empty parameters": ("/?&a=1&&b", [("x-key", "k1")]),
    "a parameter with its name escaped": ("/?%6bey=k1&b=1", []),
    "a parameter in capitals": ("/?KEY=k1", []),
    "a lone question mark": ("/?", [("x-key", "k1")]),
    "a cookie": ("/", [("cookie", "a=b; ck=k1; d=e")]),
    "a lone cookie": ("/", [("cookie", "ck=k1")]),
    "a quoted cookie": ("/", [("cookie", 'a="b"; ck="k1"')]),
    "two cookies of the name": ("/", [("cookie", "ck=k1; ck=k2")]),
    "two fields of cookies": ("/", [("cookie", "a=1"), ("cookie", 'z=2; ck=k1;  b="2" ;c; =x; d=e=f')]),
    "a cookie without value": ("/", [("cookie", "ck")]),
    "spaces around a cookie": ("/", [("cookie", " ck = k1 ")]),
    "cookies without value beside a key": ("/", [("x-key", "k1"), ("cookie", "a")]),
    "a client that claims a name": ("/", [("x-client", "evil"), ("x-key", "k1")]),
    "a route for another client": ("/only", [("x-key", "k1")]),
    "a route for this client": ("/only", [("x-key", "k 2")]),
    "a route with other keys": ("/own", [("x-key", "k1")]),
    "a route with this key": ("/own", [("x-key", "z")]),
    "a route with another source": ("/source", [("x-key", "k1")]),
    "the source of a route": ("/source", [("authorization", "Bearer k1")]),
    "two keys in a field that is one for Envoy": (
        "/source",
        [("authorization", "Bearer k1"), ("authorization", "Bearer k1")],
    ),
    "bearer in small letters": ("/source", [("authorization", "bearer k1")]),
    "a route that shows the key": ("/shown", [("x-key", "k1")]),
}


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, routes=ROUTES, http_filters=http_filters(FILTER))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(sides, name):
    path, fields = REQUESTS[name]
    compare_whole(sides, request_bytes(path, fields=fields))


def test_a_refused_head_request(sides):
    compare_whole(sides, request_bytes(method="HEAD"), "HEAD")


@pytest.mark.parametrize("missing", ["credentials", "key_sources"])
def test_a_filter_without(stage, missing):
    fields = {"credentials": [{"key": "k", "client": "c"}], "key_sources": [{"header": "k"}]}
    fields.pop(missing)
    filters = http_filters(http_filter("api_key_auth", "ApiKeyAuth", **fields))
    compare_whole(both(stage, routes=[route("backend")], http_filters=filters), request_bytes(fields=[("k", "k")]))
