"""Values of fields as metadata, seen through the log."""

import base64
import struct

import pytest

from config_text import http_filter, http_filters, per_filter, route
from peers import request_bytes, response_bytes
from sides import both, compare_whole, needed

pytestmark = needed

LOG = "%DYNAMIC_METADATA(ns)% %DYNAMIC_METADATA(envoy.filters.http.header_to_metadata)% %RESPONSE_CODE%"


def entry(key, **fields):
    return {"metadata_namespace": "ns", "key": key, **fields}


def rule(header, present=None, missing=None, **fields):
    given = {"header": header, "on_header_present": present, "on_header_missing": missing, **fields}
    return {name: value for name, value in given.items() if value is not None}


REWRITE = {"pattern": {"regex": "^/(\\w+)/.*"}, "substitution": "<\\1>"}
RULES = [
    rule("x-s", entry("s"), entry("s", value="none")),
    rule("x-fix", entry("fix", value="fixed")),
    rule("x-num", entry("num", type="NUMBER")),
    rule("x-b64", entry("b64", encode="BASE64")),
    rule("x-pv", entry("pv", type="PROTOBUF_VALUE", encode="BASE64")),
    rule("x-rewrite", entry("rw", regex_value_rewrite=REWRITE)),
    rule("x-emptied", entry("em", regex_value_rewrite={"pattern": {"regex": ".*"}, "substitution": ""})),
    rule("x-remove", entry("rm"), remove=True),
    {"cookie": "ck", "on_header_present": entry("ck"), "on_header_missing": entry("ck", value="no")},
    rule(":path", entry("path")),
    rule("host", entry("host")),
    rule("x-own-space", {"key": "d"}),
    rule("x-missing", None, entry("m2", value="7", type="NUMBER")),
]
FILTER = http_filter(
    "header_to_metadata",
    "Config",
    request_rules=RULES,
    response_rules=[
        rule("x-resp", entry("resp"), entry("resp", value="none"), remove=True),
        rule(":status", entry("status", type="NUMBER")),
    ],
    stat_prefix="some",
)


def said(**fields):
    return per_filter("header_to_metadata", "Config", request_rules=[rule("x-s", entry("own"))], **fields)


ROUTES = [
    {**route("backend", "/own"), **said()},
    {**route("backend", "/counted"), **said(stat_prefix="other")},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}},
    route("backend"),
]


def b64(data):
    return base64.b64encode(data).decode()


REQUESTS = {
    "nothing": [],
    "two fields": [("x-s", "a"), ("x-s", "b"), ("x-fix", "q")],
    "an empty field": [("x-s", "")],
    **{f"the number {n}": [("x-num", n)] for n in ("1.5", "0x10", "12abc", "+5", ".5", "-3", "1 2")},
    "base64": [("x-b64", b64(b"hello"))],
    "base64 without padding": [("x-b64", b64(b"hello").rstrip("="))],
    "base64 with more padding": [("x-b64", "aGVsbG8==")],
    "no base64": [("x-b64", "!!!")],
    "base64 of nothing": [("x-b64", "==")],
    "base64 with bits left": [("x-b64", "YWJ")],
    "base64 for URLs": [("x-b64", "_-8")],
    "a message with a text": [("x-pv", b64(b"\x1a\x03abc"))],
    "a message with a number": [("x-pv", b64(b"\x11" + struct.pack("<d", 1)))],
    "no message": [("x-pv", b64(b"garbage"))],
    "a rewritten value": [("x-rewrite", "/cat/1")],
    "a value that the pattern does not match": [("x-rewrite", "nomatch")],
    "a value rewritten to nothing": [("x-emptied", "abc")],
    "a removed field": [("x-remove", "gone")],
    "a cookie": [("cookie", "ck=v; b=1")],
    "an empty cookie": [("cookie", "ck=")],
    "the filter's own name space": [("x-own-space", "1")],
    "a field of the response": [("x-send", "rr")],
    "a value of the largest size": [("x-s", "a" * 8191)],
    "a value that is too long": [("x-s", "a" * 8192)],
    "a long value that becomes short": [("x-rewrite", "/" + "c" * 9000 + "/")],
}


def answer(request):
    return response_bytes(fields=[("x-resp", request["x-send"])] if request["x-send"] else [], body=b"x")


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, routes=ROUTES, http_filters=http_filters(FILTER), answer=answer, log=LOG)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(sides, name):
    compare_whole(sides, request_bytes(fields=REQUESTS[name]))


@pytest.mark.parametrize("path", ["/own", "/counted", "/direct"])
def test_rules_of_a_route(sides, path):
    compare_whole(sides, request_bytes(path, fields=[("x-s", "1")]))
