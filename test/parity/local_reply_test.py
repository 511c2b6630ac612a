"""How local_reply_config changes the proxy's own replies, in outrider and in Envoy."""

import pytest

from config_text import cluster, route
from peers import request_bytes
from processes import free_port
from sides import both, compare, needed

pytestmark = needed


def status_is(code, op="EQ"):
    return {"status_code_filter": {"comparison": {"op": op, "value": {"default_value": code, "runtime_key": "k"}}}}


def field(name, text):
    return {"header_filter": {"header": {"name": name, "string_match": {"exact": text}}}}


def add(key, value):
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def text(value, **fields):
    return {"text_format_source": {"inline_string": value}, **fields}


CONFIG = {
    "mappers": [
        {"filter": field("x-want", "status"), "status_code": 418},
        {"filter": field("x-want", "body"), "body": {"inline_string": "mine"}},
        {"filter": field("x-want", "empty"), "body": {"inline_string": ""}},
        {
            "filter": field("x-want", "fields"),
            "headers_to_add": [add("x-a", "%RESPONSE_CODE%"), add("content-type", "text/x-mine")],
        },
        {
            "filter": field("x-want", "format"),
            "status_code": 299,
            "body_format_override": text(
                "<%LOCAL_REPLY_BODY%> %RESPONSE_CODE% %REQ(:path)%", content_type="text/html; charset=UTF-8"
            ),
        },
        {
            "filter": field("x-want", "json"),
            "body_format_override": {"json_format": {"text": "%LOCAL_REPLY_BODY%", "code": "%RESPONSE_CODE%"}},
        },
        {"filter": {"response_flag_filter": {"flags": ["UF"]}}, "status_code": 599},
        {"filter": status_is(404), "body": {"inline_string": "nothing here"}},
    ]
}
WANTS = ["status", "body", "empty", "fields", "format", "json", "nothing"]
ROUTES = [
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "direct"}}},
    {"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/x"}},
    route("dead", prefix="/dead"),
]
PATHS = ["/direct", "/redirect", "/dead", "/none"]


def pair(stage, **config):
    dead = free_port()
    return both(stage, routes=ROUTES, clusters=lambda backend: [cluster("dead", dead)], local_reply_config=config)


@pytest.fixture(scope="module", params=["plain", "text for all", "json for all"])
def sides(shared, request):
    formats = {
        "plain": {},
        "text for all": {"body_format": text("%LOCAL_REPLY_BODY%:%RESPONSE_FLAGS%\n")},
        "json for all": {"body_format": {"json_format": {"a": {"b": "%LOCAL_REPLY_BODY%"}}}},
    }
    return pair(shared, **CONFIG, **formats[request.param])


@pytest.mark.parametrize("wanted", WANTS)
def test_replies_are_changed(sides, wanted):
    for path in PATHS:
        for method in ("GET", "HEAD"):
            compare(sides, request_bytes(path, method, [("x-want", wanted)]), method)


def test_replies_to_grpc_are_changed(sides):
    for path in PATHS:
        fields = [("x-want", "body"), ("content-type", "application/grpc")]
        compare(sides, request_bytes(path, "POST", fields))


def test_replies_to_what_is_no_request_are_changed(sides):
    compare(sides, b"GET / HTTP/1.1\r\nx-want: body\r\n\r\n")
    compare(sides, b"nonsense\r\n\r\n")
