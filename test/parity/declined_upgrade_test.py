"""Requests to upgrade that are not answered with 101."""

import pytest

from config_text import route
from peers import request_bytes, response_bytes
from sides import both, compare, compare_counted, needed

pytestmark = needed

ANSWERS = {
    "200": response_bytes(fields=[("X-A", "1")], body=b"body"),
    "204": response_bytes("204 No Content", length=False),
    "302": response_bytes("302 Found", [("Location", "/x")], b"body"),
    "304": response_bytes("304 Not Modified", [("ETag", "x")], length=False),
    "401": response_bytes("401 Unauthorized", [("WWW-Authenticate", "basic")], b"denied"),
    "404": b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "426": response_bytes("426 Upgrade Required", [("Upgrade", "other"), ("Connection", "upgrade")], b"no"),
    "503": response_bytes("503 Service Unavailable", body=b"busy"),
}
ROUTES = [
    {"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/new"}},
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "tea"}}},
    route("backend"),
]


@pytest.fixture(scope="module")
def sides(shared):
    upgrades = [{"upgrade_type": "websocket"}, {"upgrade_type": "other"}]
    return both(shared, answer=lambda r: ANSWERS[r.target[1:]], routes=ROUTES, upgrade_configs=upgrades)


def asking(path, protocol="websocket"):
    return request_bytes(path, fields=[("Connection", "Upgrade"), ("Upgrade", protocol)])


@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "other"])
@pytest.mark.parametrize("status", [s for s in ANSWERS if s != "426"])
def test_the_client_is_told(sides, status, protocol):
    compare(sides, asking(f"/{status}", protocol))


@pytest.mark.parametrize("path", ["/redirect", "/direct"])
def test_an_answer_of_the_proxy_ends_the_connection(sides, path):
    compare(sides, asking(path))


@pytest.mark.parametrize("status", ["200", "204", "401", "503"])
def test_what_is_counted(sides, status):
    def talk(client):
        return client.send(asking(f"/{status}")).response().status

    assert "http.in.downstream_cx_upgrades_total 1" in compare_counted(sides, talk)["counted"]


def test_fields_of_one_hop_do_not_pass(sides):
    """Envoy takes the Upgrade of a 426 for its own: it passes on, and the connection hangs."""
    answer = sides[0].exchange(asking("/426"), "GET")
    fields = dict(answer["fields"])
    assert fields["connection"] == "close" and "upgrade" not in fields and answer["body"] == b"no"
