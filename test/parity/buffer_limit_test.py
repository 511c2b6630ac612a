"""per_connection_buffer_limit_bytes: what passes through is as long as it likes, what a filter keeps is not."""

import pytest

from config_text import http_filter, http_filters, route, typed
from peers import request_bytes, response_bytes
from sides import both, needed

pytestmark = needed


def lua(code):
    config = typed("envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": code})
    return {"name": "envoy.filters.http.lua", "typed_config": config}


FILTERS = {
    "none": [],
    "the buffer filter": [http_filter("buffer", "Buffer", max_request_bytes=1 << 24)],
    "a request's script": [lua("function envoy_on_request(h) h:headers():add('n', h:body():length()) end")],
    "an answer's script": [lua("function envoy_on_response(h) h:headers():add('n', h:body():length()) end")],
}
SIZES = [1024, 1025, 100_000, 1_100_000]


@pytest.fixture(scope="module")
def proxies(shared):
    def made(filters, limit):
        listener = {} if limit is None else {"per_connection_buffer_limit_bytes": limit}
        return both(
            shared,
            answer=lambda r: response_bytes(body=b"z" * int(r["x-size"] or 2)),
            routes=[route("backend")],
            listener=listener,
            http_filters=http_filters(*FILTERS[filters]),
        )

    return {(filters, limit): made(filters, limit) for filters in FILTERS for limit in (0, 1024, None)}


def seen(side, size, of_answer):
    data = request_bytes(fields=[("x-size", size)]) if of_answer else request_bytes(method="POST", body=b"y" * size)
    found = side.exchange(data, "POST")
    return found.get("line"), len(found.get("body", b"")), [len(r["body"]) for r in found.get("backend", [])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("limit", [0, 1024, None])
@pytest.mark.parametrize("filters", FILTERS)
def test_bodies_against_the_limit(proxies, filters, limit, size):
    for of_answer in (False, True):
        ours, theirs = (seen(side, size, of_answer) for side in proxies[filters, limit])
        assert ours == theirs, of_answer


def test_what_is_kept_is_bounded_by_the_limit(proxies):
    assert "413" in seen(proxies["a request's script", 1024][0], 1025, False)[0]
    assert "500" in seen(proxies["an answer's script", 1024][0], 1025, True)[0]
    assert "200" in seen(proxies["the buffer filter", 1024][0], 1_100_000, False)[0]
