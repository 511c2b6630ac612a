"""Requests that wait until they are whole."""

import pytest

from config_text import http_filter, http_filters, per_filter, route
from peers import request_bytes
from sides import both, compare_whole, needed

pytestmark = needed

ROUTES = [
    {**route("backend", "/off"), **per_filter("buffer", "BufferPerRoute", disabled=True)},
    {**route("backend", "/big"), **per_filter("buffer", "BufferPerRoute", buffer={"max_request_bytes": 100000})},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}},
    route("backend"),
]


def chunked(path, *chunks, trailers=""):
    body = "".join(f"{len(c):x}\r\n{c}\r\n" for c in chunks)
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}0\r\n{trailers}\r\n".encode()


REQUESTS = {
    "nothing": request_bytes(),
    "an empty body": request_bytes(method="POST", body=b""),
    "a body of the limit": request_bytes(method="POST", body=b"0123456789"),
    "a body over the limit": request_bytes(method="POST", body=b"01234567890"),
    "a body over the limit of a closing client": request_bytes("/", "POST", [("connection", "close")], b"01234567890"),
    "chunks": chunked("/", "abc", "def"),
    "no chunk": chunked("/"),
    "chunks over the limit": chunked("/", "abc" * 5),
    "chunks where the filter is off": chunked("/off", "abc" * 9),
    "chunks where the limit is larger": chunked("/big", "abc" * 900),
    "a direct response": chunked("/direct", "a"),
    "a direct response to too much": chunked("/direct", "a" * 40),
}


@pytest.fixture(scope="module")
def sides(shared):
    filters = http_filters(http_filter("buffer", "Buffer", max_request_bytes=10))
    return both(shared, routes=ROUTES, http_filters=filters)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(sides, name):
    compare_whole(sides, REQUESTS[name])
