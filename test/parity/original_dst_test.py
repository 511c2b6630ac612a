"""Clusters whose hosts are named by requests, or by where a connection was going."""

import pytest

from config_text import route
from peers import request_bytes
from sides import both, needed

pytestmark = needed

FIELD = "x-envoy-original-dst-host"


def destination(**config):
    own = {"original_dst_lb_config": config} if config else {}
    return {"name": "backend", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "1s", **own}


def asking(side, fields):
    def talk(client):
        told = [(n, v.format(port=side.backend.port)) for n, v in fields]
        answer = client.send(request_bytes(fields=told)).response()
        return answer.start_line, answer.body

    return talk


VALUES = ["127.0.0.1:{port}", "127.0.0.1", "localhost:{port}", "[::1]:1", "::1:1", "127.0.0.1:70000", "127.0.0.1:", ""]


def compare_asking(sides, fields):
    said = [side.counted(asking(side, fields)) for side in sides]
    for each in said:
        each["log"] = [line.split()[:3] for line in each["log"]]
        each["counted"] = [c for c in each["counted"] if "_cx_" not in c]
    assert said[0] == said[1]
    return said[0]["said"][0]


@pytest.fixture(scope="module")
def by_field(shared):
    return both(shared, routes=[route("backend")], clusters=lambda b: [destination(use_http_header=True)])


@pytest.mark.parametrize("value", VALUES)
def test_a_field_names_the_host(by_field, value):
    found = compare_asking(by_field, [(FIELD, value)])
    assert found.startswith("HTTP/1.1 200") == (value == VALUES[0])


def test_without_the_field(by_field):
    assert compare_asking(by_field, []).startswith("HTTP/1.1 503")


def test_a_field_of_another_name(stage):
    config = {"use_http_header": True, "http_header_name": "X-Other"}
    sides = both(stage, routes=[route("backend")], clusters=lambda b: [destination(**config)])
    assert compare_asking(sides, [("x-other", VALUES[0])]).startswith("HTTP/1.1 200")
    assert compare_asking(sides, [(FIELD, VALUES[0])]).startswith("HTTP/1.1 503")


def test_a_port_that_is_set(stage):
    def clusters(backend):
        return [destination(use_http_header=True, upstream_port_override=backend.port)]

    sides = both(stage, routes=[route("backend")], clusters=clusters)
    assert compare_asking(sides, [(FIELD, "127.0.0.1:1")]).startswith("HTTP/1.1 200")


@pytest.mark.parametrize("listener", [{}, {"use_original_dst": True}])
def test_a_connection_that_was_not_led_here_has_no_other_destination(stage, listener):
    sides = both(stage, routes=[route("backend")], clusters=lambda b: [destination()], listener=listener)
    assert compare_asking(sides, [(FIELD, VALUES[0])]).startswith("HTTP/1.1 503")
