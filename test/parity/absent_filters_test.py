"""Filters that a build has not, and those that stand by until a route wants them."""

from config_text import http_filter, route, typed, virtual_host
from peers import request_bytes
from sides import both, compare, needed

pytestmark = needed

FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
STRUCT = "xds.type.v3.TypedStruct"
UNKNOWN = {"@type": f"type.googleapis.com/{STRUCT}", "type_url": "type.googleapis.com/no.such.Filter", "value": {}}
ROUTER = http_filter("router", "Router")
MARKS = {
    **http_filter(
        "header_mutation",
        "HeaderMutation",
        mutations={"request_mutations": [{"append": {"header": {"key": "x-seen", "value": "1"}}}]},
    ),
    "disabled": True,
}


def per_filter(name, **fields):
    return {"typed_per_filter_config": {name: typed(FILTER_CONFIG, **fields)}}


def test_an_empty_filter_config_turns_a_filter_on(stage):
    host = virtual_host(
        {**route("backend", "/on"), **per_filter(MARKS["name"], config={})}, route("backend", "/standing-by")
    )
    sides = both(stage, virtual_hosts=[host], http_filters=[MARKS, ROUTER])
    for path in ("/on", "/standing-by"):
        compare(sides, request_bytes(path))
    assert [r["x-seen"] for r in sides[0].backend.requests] == ["1", None]


def test_an_optional_filter_that_is_missing_is_left_out(stage):
    absent = {"name": "absent", "typed_config": UNKNOWN, "is_optional": True}
    host = virtual_host({**route("backend"), **per_filter("absent", config=UNKNOWN, is_optional=True)})
    compare(both(stage, virtual_hosts=[host], http_filters=[absent, ROUTER]), request_bytes("/"))
