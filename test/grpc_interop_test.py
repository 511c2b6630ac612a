"""Every case of grpc-go's interop client that needs neither TLS nor an account passes through outrider."""

import pytest

import grpc_interop
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
