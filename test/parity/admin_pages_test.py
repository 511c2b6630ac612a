"""The admin pages of outrider and of Envoy beside each other."""

import pytest

from config_text import route
from peers import Client, request_bytes
from sides import both, needed

pytestmark = needed

VARYING = {"date"}


@pytest.fixture(scope="module")
def pair(shared):
    sides = both(shared, routes=[route("backend")])
    for side in sides:
        side.exchange(request_bytes("/"), "GET")
    return sides


def answers(sides, path, method="GET"):
    return [side.proxy.ask_admin(path, method) for side in sides]


def head(answer):
    return answer.status, sorted((n, v) for n, v in answer.fields if n not in VARYING)


@pytest.mark.parametrize("state, closed", [("fail", True), ("ok", False)])
def test_failing_health_drains(stage, state, closed):
    sides = both(stage, routes=[route("backend")])
    seen = []
    for side in sides:
        order = side.proxy.ask_admin(f"/healthcheck/{state}", "POST")
        ready = side.proxy.ask_admin("/ready")
        with Client(side.proxy.port) as client:
            response = client.ask("/")
        seen.append((head(order), order.body, head(ready), ready.body, response["connection"]))
    assert seen[0] == seen[1]
    assert (seen[0][4] == "close") == closed
