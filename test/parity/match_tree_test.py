"""VirtualHost.matcher: routes found by a tree of conditions, through outrider and through Envoy."""

import pytest

from config_text import typed, virtual_host
from peers import request_bytes
from sides import both, compare, needed

pytestmark = needed

ROUTE = "envoy.config.route.v3.Route"


def field(name):
    typed_config = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)
    return {"name": "request-headers", "typed_config": typed_config}


def answer(name, **match):
    return {"match": match or {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": name}}}


def action(name, **match):
    return {"action": {"name": "route", "typed_config": typed(ROUTE, **answer(name, **match))}}


def actions(*routes):
    return {"action": {"name": "routes", "typed_config": typed("envoy.config.route.v3.RouteList", routes=list(routes))}}


def single(what, **how):
    return {"single_predicate": {"input": what, "value_match": how}}


def listed(*pairs, otherwise=None):
    matchers = [{"predicate": p, "on_match": m} for p, m in pairs]
    return {"matcher_list": {"matchers": matchers}, **({"on_no_match": otherwise} if otherwise else {})}


def mapped(what, kind, entries, otherwise=None):
    tree = {"input": what, kind: {"map": entries}}
    return {"matcher_tree": tree, **({"on_no_match": otherwise} if otherwise else {})}


A, B, C = field("x-a"), field("x-b"), field("x-c")
PREFIXES = {
    "/one": action("one"),
    "/one/two": action("two"),
    "/one/two/nested": {"matcher": listed((single(A, exact="1"), action("deep")))},
    "/only": action("only", path="/only/this"),
}
TREES = {
    "list": listed(
        (single(A, exact="1"), action("a is 1")),
        (single(A, prefix="x"), action("a begins with x")),
        (single(field(":path"), suffix="z"), action("path ends with z")),
        ({"and_matcher": {"predicate": [single(A, contains="m"), single(B, exact="1")]}}, action("both")),
        ({"or_matcher": {"predicate": [single(B, exact="2"), single(C, exact="2")]}}, action("either")),
        ({"not_matcher": single(C, safe_regex={"google_re2": {}, "regex": "[0-9]*"})}, action("not")),
        otherwise=action("none"),
    ),
    "exact": mapped(A, "exact_match_map", {"1": action("one"), "2": action("two")}, action("none")),
    "exact without an answer": mapped(A, "exact_match_map", {"1": action("one")}),
    "prefix": mapped(field(":path"), "prefix_match_map", PREFIXES, action("none")),
    "nested": listed(
        (single(A, exact="1"), {"matcher": mapped(B, "exact_match_map", {"1": action("11"), "2": action("12")})}),
        (single(A, prefix="1"), action("begins with 1")),
        otherwise=action("outside"),
    ),
    "routes": listed(
        (single(A, exact="1"), actions(answer("first", prefix="/first"), answer("second", path="/second"))),
        otherwise=action("none"),
    ),
}
REQUESTS = [
    ("/", {}),
    ("/", {"x-a": "1"}),
    ("/", {"x-a": "2"}),
    ("/", {"x-a": "xy", "x-c": "n"}),
    ("/?q=abz", {}),
    ("/", {"x-a": "m", "x-b": "1"}),
    ("/", {"x-b": "2"}),
    ("/", {"x-c": "text"}),
    ("/", {"x-c": "12"}),
    ("/", {"x-a": "1", "x-b": "2"}),
    ("/", {"x-a": "1", "x-b": "3"}),
    ("/first/x", {"x-a": "1"}),
    ("/second", {"x-a": "1"}),
    ("/one/x", {}),
    ("/one/two/x", {}),
    ("/one/two/nested", {"x-a": "1"}),
    ("/one/two/nested", {"x-a": "2"}),
    ("/only/that", {}),
    ("/only/this", {}),
    ("/other", {}),
]


@pytest.mark.parametrize("name", TREES)
def test_a_tree_leads_to_the_route(stage, name):
    host = {**virtual_host(), "matcher": TREES[name]}
    del host["routes"]
    sides = both(stage, route_config={"name": "local", "virtual_hosts": [host]})
    for path, fields in REQUESTS:
        compare(sides, request_bytes(path, fields=fields))
