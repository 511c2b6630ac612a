"""What a format makes of a client's bytes, where it goes into a field: a decoded query may hold what no field may."""

import pytest

from config_text import http_filter
from sides import Side, compare, needed
from peers import request_bytes

pytestmark = needed

SPOILED = ["a%0d%0ab:1", "a%0ab", "a%00b", "a%01b", "a%7fb"]
FINE = ["a%09b", "%20a%20", "a%c3%a9", "a%23%3f", "%zz"]
REFUSED = "invalid header value for: x-q"


def add(name, value):
    return {"header": {"key": name, "value": value}}


def by_route(**added):
    return {"match": {"prefix": "/"}, "route": {"cluster": "backend"}, **added}


def both(stage, *routes, **options):
    return Side(stage, "outrider", routes=routes, **options), Side(stage, "envoy", routes=routes, **options)


@pytest.mark.parametrize("value", SPOILED + FINE)
def test_a_request_with_a_spoiled_field_goes_nowhere(stage, value):
    sides = both(stage, by_route(request_headers_to_add=[add("x-q", "%QUERY_PARAM(q)%")]))
    seen = compare(sides, request_bytes(f"/?q={value}"))
    assert (seen["body"] == REFUSED.encode()) == (value in SPOILED), seen


def test_a_filter_spoils_a_field_as_a_route_does(stage):
    change = {"request_mutations": [{"append": add("x-q", "%QUERY_PARAM(q)%")}]}
    filters = [http_filter("header_mutation", "HeaderMutation", mutations=change), http_filter("router", "Router")]
    sides = both(stage, by_route(), http_filters=filters)
    assert compare(sides, request_bytes("/?q=a%0d%0ab:1"))["body"] == REFUSED.encode()


def test_a_filter_takes_the_host_away(stage):
    filters = [
        http_filter("header_mutation", "HeaderMutation", mutations={"request_mutations": [{"remove": "host"}]}),
        http_filter("router", "Router"),
    ]
    seen = compare(both(stage, by_route(), http_filters=filters), request_bytes("/"))
    assert "host" not in dict(seen["backend"][0]["fields"])


@pytest.mark.parametrize("value", SPOILED)
def test_a_response_is_not_split(stage, value):
    """Envoy writes the bytes as they are."""
    side = Side(stage, "outrider", routes=[by_route(response_headers_to_add=[add("x-r", "%QUERY_PARAM(q)%")])])
    fields = side.exchange(request_bytes(f"/?q={value}"), "GET")["fields"]
    made = [v for n, v in fields if n == "x-r"]
    assert made == [
        value.replace("%0d", " ").replace("%0a", " ").replace("%00", " ").replace("%01", " ").replace("%7f", " ")
    ]
    assert "b" not in dict(fields)


def test_a_line_of_the_log_stays_one_line(stage):
    """Envoy breaks the line."""
    side = Side(stage, "outrider", routes=[by_route()], log="%QUERY_PARAM(q)% end")
    side.exchange(request_bytes("/?q=a%0d%0ab"), "GET")
    assert side.logged() == ["a\\x0d\\x0ab end"]


def test_a_path_or_host_that_a_format_makes_is_checked(stage):
    """Envoy sends a path with a space."""
    for part, name in (("path_rewrite", ":path"), ("host_rewrite", ":authority")):
        route = {"cluster": "backend", part: "/%QUERY_PARAM(q)%"}
        side = Side(stage, "outrider", routes=[{"match": {"prefix": "/"}, "route": route}])
        for value in ("a%0d%0ab", "a%20b"):
            assert (
                side.exchange(request_bytes(f"/?q={value}"), "GET")["body"].decode()
                == f"invalid header value for: {name}"
            )
