"""grpc-go's interop client through real Envoy, so that the cases are known to be right, and with outrider between two
of them."""

import pytest

import grpc_interop
from envoy_binary import ENVOY
from processes import BINARY
from sides import needed

pytestmark = needed


@pytest.fixture(scope="module")
def server(shared):
    return grpc_interop.server(shared)


@pytest.fixture(scope="module")
def envoy(shared, server):
    return grpc_interop.chain(shared, server, ENVOY)


@pytest.fixture(scope="module")
def between(shared, server):
    return grpc_interop.chain(shared, server, ENVOY, BINARY, ENVOY)


@pytest.mark.parametrize("case", grpc_interop.CASES)
def test_envoy_alone(envoy, case):
    grpc_interop.run(case, envoy.port)


@pytest.mark.parametrize("case", grpc_interop.CASES)
def test_outrider_between_two_envoys(between, case):
    grpc_interop.run(case, between.port)
