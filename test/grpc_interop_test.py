"""Every case of grpc-go's interop client that needs neither TLS nor an account passes through outrider; clients of
HTTP/1 reach its server by the filters of gRPC."""

import base64

import pytest

import grpc_interop
from config_text import http_filter, http_filters
from peers import Client, request_bytes
from processes import BINARY


@pytest.fixture(scope="module")
def server(shared):
    return grpc_interop.server(shared)


@pytest.fixture(scope="module")
def one(shared, server):
    return grpc_interop.chain(shared, server, BINARY)


@pytest.fixture(scope="module")
def two(shared, server):
    return grpc_interop.chain(shared, server, BINARY, BINARY)


@pytest.mark.parametrize("case", grpc_interop.CASES)
def test_through_one_proxy(one, case):
    grpc_interop.run(case, one.port)


@pytest.mark.parametrize("case", grpc_interop.CASES)
def test_through_two_proxies(two, case):
    grpc_interop.run(case, two.port)


FILTERS = [("grpc_stats", "FilterConfig"), ("grpc_web", "GrpcWeb"), ("grpc_http1_bridge", "Config")]


@pytest.fixture(scope="module")
def translating(shared, server):
    filters = http_filters(*(http_filter(*f) for f in FILTERS))
    return grpc_interop.proxy(shared, server, http_filters=filters)


def call(proxy, method, kind, body):
    path = f"/grpc.testing.TestService/{method}"
    with Client(proxy.port) as client:
        client.send(request_bytes(path, "POST", [("content-type", kind), ("accept", kind)], body))
        return client.response("POST")


EMPTY = bytes(5)
UNKNOWN_METHOD = "12"


def test_a_browser_calls(translating):
    answer = call(translating, "EmptyCall", "application/grpc-web+proto", EMPTY)
    assert answer["content-type"] == "application/grpc-web+proto"
    assert answer.body.startswith(EMPTY) and b"grpc-status:0\r\n" in answer.body


def test_a_browser_calls_in_base64(translating):
    answer = call(translating, "EmptyCall", "application/grpc-web-text", base64.b64encode(EMPTY))
    assert answer["content-type"] == "application/grpc-web-text+proto"
    assert answer.body.startswith(base64.b64encode(EMPTY))
    assert b"grpc-status:0\r\n" in base64.b64decode(answer.body[8:])


def test_a_browser_is_told_that_there_is_no_such_method(translating):
    answer = call(translating, "Foreign", "application/grpc-web+proto", EMPTY)
    assert (answer["grpc-status"], answer.body) == (UNKNOWN_METHOD, b"")


def test_a_client_of_http1_calls(translating):
    answer = call(translating, "EmptyCall", "application/grpc", EMPTY)
    assert (answer.status, answer["grpc-status"], answer.body) == (200, "0", EMPTY)


def test_a_client_of_http1_is_told_that_there_is_no_such_method(translating):
    answer = call(translating, "Foreign", "application/grpc", EMPTY)
    assert answer["grpc-status"] == UNKNOWN_METHOD


def test_calls_are_counted(shared, server):
    proxy = grpc_interop.proxy(shared, server, http_filters=http_filters(http_filter("grpc_stats", "FilterConfig")))
    for case in ("empty_unary", "ping_pong", "unimplemented_method"):
        grpc_interop.run(case, proxy.port)
    counted = proxy.stats("cluster.next.grpc.")
    assert counted["cluster.next.grpc.total"] == 3 and counted["cluster.next.grpc.success"] == 2
    assert counted["cluster.next.grpc.12"] == 1
    assert counted["cluster.next.grpc.request_message_count"] == 6  # Four of them ping.
