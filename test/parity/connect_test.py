"""CONNECT over HTTP/1.1: ended here and passed on as plain bytes, passed on as CONNECT, or refused."""

import pytest

from config_text import cluster, route
from peers import Backend, Client, eventually
from sides import both, compare, needed

pytestmark = needed

TERMINATED = [{"upgrade_type": "CONNECT", "connect_config": {}}]
ORIGINAL_DST = {
    "name": "named",
    "type": "ORIGINAL_DST",
    "lb_policy": "CLUSTER_PROVIDED",
    "connect_timeout": "1s",
    "original_dst_lb_config": {"use_http_header": True, "http_header_name": ":authority"},
}


def to(field, **action):
    matcher = {"connect_matcher": {}, "headers": [{"name": "to", "string_match": {"exact": field}}]}
    return {"match": matcher, **action}


ROUTES = [
    to("named", route={"cluster": "named", "upgrade_configs": TERMINATED}),
    to("plain", route={"cluster": "plain", "upgrade_configs": TERMINATED}),
    to("dead", route={"cluster": "dead", "upgrade_configs": TERMINATED}),
    to("http", route={"cluster": "backend", "upgrade_configs": [{"upgrade_type": "CONNECT"}]}),
    to("nothing", route={"cluster": "backend"}),
    to("off", route={"cluster": "backend", "upgrade_configs": [{"upgrade_type": "CONNECT", "enabled": False}]}),
    to("redirect", redirect={"path_redirect": "/x"}),
    route("backend"),
]


def echo(stream):
    while stream.fill():
        stream.send(b"echo:" + stream.take(len(stream.unread)))


def accept_connect(stream):
    head = stream.head()
    stream.send(b"HTTP/1.1 200 OK\r\nx-from: backend\r\n\r\n" + head.start_line.encode() + b"\n")
    echo(stream)


@pytest.fixture(scope="module")
def plain():
    with Backend(serve=echo) as backend:
        yield backend


@pytest.fixture(scope="module", params=[False, True], ids=["per route", "everywhere"])
def sides(request, shared, plain):
    more = {"upgrade_configs": [{"upgrade_type": "CONNECT"}]} if request.param else {}

    def clusters(backend):
        return [cluster("backend", backend), cluster("plain", plain), cluster("dead", 1), ORIGINAL_DST]

    return both(shared, serve=accept_connect, routes=ROUTES, clusters=clusters, **more)


def connect(client, field, authority):
    client.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nto: {field}\r\n\r\n")
    head = client.head()
    return head.start_line, sorted((n, v) for n, v in head.fields if n != "date")


ENDS = ("_rx_reset", "_response_before_rq_complete")


def compare_tunnels(sides, talk):
    """Envoy takes half of a close for the whole, and says so: how a tunnel ends is not compared."""
    ours, theirs = (side.counted(talk) for side in sides)
    assert ours["said"] == theirs["said"]
    for seen in (ours, theirs):
        kept = [c for c in seen["counted"] if c.startswith(("cluster.", "http.in.downstream_rq_", "http.in.rq_"))]
        seen["counted"] = [c for c in kept if "_destroy" not in c and not c.split()[0].endswith(ENDS)]
    assert ours["counted"] == theirs["counted"]
    return ours


@pytest.mark.parametrize("field", ["named", "plain", "http"])
@pytest.mark.parametrize("end", ["half", "whole"])
def test_a_tunnel_carries_both_ways(sides, plain, field, end):
    authority = f"127.0.0.1:{plain.port}"

    def talk(client):
        answer = connect(client, field, authority)
        said = [client.until(b"\n")] if field == "http" else []
        for word in (b"one", b"x" * 100_000):
            client.send(word)
            got = b""
            while len(got.replace(b"echo:", b"")) < len(word):
                assert client.fill()
                got += client.take(len(client.unread))
            said.append(got.replace(b"echo:", b""))
        if end == "half":
            client.half_close()
            assert client.rest() == b""
        else:
            client.close()
        return answer, said

    assert compare_tunnels(sides, talk)["said"][1][-1] == b"x" * 100_000


@pytest.mark.parametrize("field", ["named", "dead", "nothing", "off", "redirect", "no route"])
def test_an_answer_without_a_tunnel(sides, field, request):
    if field == "nothing" and request.node.callspec.params["sides"]:
        return  # The connection manager lets it through.

    def talk(client):
        client.send(f"CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\nto: {field}\r\n\r\n")
        answer = client.head()
        return answer.start_line, sorted((n, v) for n, v in answer.fields if n != "date")

    compare_tunnels(sides, talk)


@pytest.mark.parametrize("field", ["plain", "http", "dead"])
def test_the_log_names_what_is_spoken_upstream(stage, plain, field):
    def clusters(backend):
        return [cluster("backend", backend), cluster("plain", plain), cluster("dead", 1)]

    lines = []
    for side in both(stage, serve=accept_connect, routes=ROUTES[1:4], clusters=clusters, log="%UPSTREAM_PROTOCOL%"):
        with Client(side.proxy.port) as client:
            connect(client, field, "a.example:1")
        side.wait_logged(1)
        lines.append(side.logged())
    assert lines[0] == lines[1] == [{"plain": "-", "http": "HTTP/1.1", "dead": "-"}[field]]


def test_a_direct_response_needs_leave_to_upgrade(shared):
    sides = both(shared, routes=[to("direct", direct_response={"status": 200}), route("backend")])
    compare(sides, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nto: direct\r\n\r\n")


def test_a_host_that_nobody_asks_for_is_dropped(stage, plain):
    dst = {**ORIGINAL_DST, "cleanup_interval": "0.1s"}
    for side in both(stage, routes=ROUTES[:1], clusters=lambda backend: [dst]):
        members = "cluster.named.membership_total"
        with Client(side.proxy.port) as client:
            assert connect(client, "named", f"127.0.0.1:{plain.port}")[0] == "HTTP/1.1 200 OK"
        eventually(lambda: side.proxy.stat(members) == 0, f"{members} of {side.name}")
        assert side.proxy.stat("cluster.named.membership_change") == 2
