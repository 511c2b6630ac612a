"""Clusters that find their hosts by DNS."""

import json

import pytest

import lab
from config_text import bootstrap, cluster, listener, route, virtual_host
from peers import eventually, tally

pytestmark = lab.needed
A, B, C, D = "127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"


@pytest.fixture
def island(program, tmp_path):
    with lab.Island(tmp_path) as i:
        yield i


def start(island, name="svc", concurrency=1, wait=True, **fields):
    config = bootstrap(
        [listener(8000, [virtual_host(route("svc"))])],
        [cluster("svc", (name, 80), **{"type": "STRICT_DNS", "dns_refresh_rate": "0.05s", **fields})],
        admin=9901,
    )
    island.pod.file("/etc/proxy.yaml", json.dumps(config))
    proxy = island.pod.envoy(
        "-c", "/etc/proxy.yaml", "--concurrency", concurrency, admin=9901, port=8000 if wait else None
    )
    proxy.ask = lambda: island.pod.ask(8000, fields=[("Connection", "close")])
    return proxy


def answers(proxy, count):
    return [proxy.ask().body.decode() for _ in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_twelve_calls_on_twelve_connections_go_round_three_addresses(island, workers):
    island.backends(A, B, C)
    island.dns.zone["svc"] = [C, A, B]
    seen = answers(start(island, concurrency=workers), 12)
    assert seen == seen[:3] * 4 and set(seen) == {A, B, C}


def test_the_rotation_does_not_mind_that_dns_shuffles(island):
    island.backends(A, B, C)
    island.dns.zone["svc"] = [A, B, C]
    proxy = start(island)
    first = answers(proxy, 3)
    for order in ([B, C, A], [C, B, A]):
        island.dns.zone["svc"] = order
        island.dns.wait_asked(4)
        assert answers(proxy, 3) == first
    assert proxy.stat("cluster.svc.membership_change") == 1


def test_names_with_underscores_are_resolved(island):
    island.backends(A)
    island.dns.zone["service_a_envoy"] = [A]
    assert answers(start(island, "service_a_envoy"), 2) == [A, A]


def test_hosts_follow_the_records(island):
    island.backends(A, B, C)
    island.dns.zone["svc"] = [A, B]
    proxy = start(island)
    assert set(answers(proxy, 4)) == {A, B}
    island.dns.zone["svc"] = [B, C]
    eventually(
        lambda: f"svc::{C}:80::" in (text := proxy.ask_admin("/clusters").body.decode())
        and f"svc::{A}:80::" not in text
    )
    eventually(lambda: set(answers(proxy, 4)) == {B, C})


def test_a_name_that_does_not_exist_means_no_hosts_and_comes_back(island):
    island.backends(A)
    proxy = start(island)
    response = proxy.ask()
    assert response.status == 503 and response.body == b"no healthy upstream"
    island.dns.zone["svc"] = [A]
    eventually(lambda: proxy.ask().status == 200)
    del island.dns.zone["svc"]
    eventually(lambda: proxy.ask().status == 503)


@pytest.mark.parametrize("outage", ["the server is gone", "the server fails"])
def test_an_outage_of_dns_keeps_what_was_known(island, outage):
    island.backends(A, B)
    island.dns.zone["svc"] = [A, B]
    proxy = start(island, dns_failure_refresh_rate={"base_interval": "0.05s", "max_interval": "0.1s"})
    assert tally(answers(proxy, 4)) == {A: 2, B: 2}
    if outage == "the server is gone":
        island.dns.close()
    else:
        island.dns.failing = True
    eventually(lambda: proxy.stat("cluster.svc.update_failure") >= 2, "failed updates")
    assert tally(answers(proxy, 4)) == {A: 2, B: 2}
    again = lab.Dns(island.net, "127.0.0.1") if outage == "the server is gone" else island.dns
    again.zone["svc"], again.failing = [B], False
    eventually(lambda: answers(proxy, 2) == [B, B])
    again.close()


def test_a_logical_host_is_one_host(island):
    island.backends(A, B, C)
    island.dns.zone["svc"] = [B, A, C]
    proxy = start(island, type="LOGICAL_DNS")
    assert set(answers(proxy, 6)) == {B}
    assert proxy.stat("cluster.svc.membership_total") == 1
    island.dns.zone["svc"] = [C]
    eventually(lambda: proxy.ask().body == C.encode())


def test_two_names_of_one_cluster_are_both_used(island):
    island.backends(A, B, C)
    island.dns.zone.update(one=[A], two=[B, C])
    config = bootstrap(
        [listener(8000, [virtual_host(route("svc"))])],
        [cluster("svc", ("one", 80), ("two", 80), type="STRICT_DNS")],
        admin=9901,
    )
    island.pod.file("/etc/proxy.yaml", json.dumps(config))
    island.pod.envoy("-c", "/etc/proxy.yaml", admin=9901, port=8000)
    seen = tally(island.pod.ask(8000).body.decode() for _ in range(9))
    assert seen == {A: 3, B: 3, C: 3}


def test_the_listener_opens_when_the_names_are_known(island):
    """Else the first calls of a fresh proxy would fail, or hang."""
    island.backends(A)
    island.dns.zone["svc"] = [A]
    island.dns.answering.clear()
    proxy = start(island, wait=False)
    proxy.wait_listening(9901)
    eventually(lambda: island.dns.asked, "a query")
    assert proxy.ask_admin("/ready").body.strip() in (b"PRE_INITIALIZING", b"INITIALIZING")
    assert not proxy.listening(8000)
    island.dns.answering.set()
    proxy.wait_listening(8000)
    assert answers(proxy, 1) == [A]
    assert proxy.ask_admin("/ready").body.strip() == b"LIVE"


@pytest.mark.parametrize(
    "family, kinds", [("V4_ONLY", {1}), ("V6_ONLY", {28}), ("ALL", {1, 28}), ("V4_PREFERRED", {1})]
)
def test_the_family_of_addresses_is_asked_for(island, family, kinds):
    island.backends(A)
    island.dns.zone["svc"] = [A]
    proxy = start(island, dns_lookup_family=family)
    assert {kind for name, kind in island.dns.asked if name == "svc"} == kinds
    assert proxy.ask().status == (503 if family == "V6_ONLY" else 200)


def test_the_ttl_decides_where_it_is_respected(island):
    """One name with a long life, beside one that is asked for again and again."""
    island.backends(A)
    island.dns.zone.update(svc=[A], brief=[A])
    island.dns.ttl = 3600
    config = bootstrap(
        [listener(8000, [virtual_host(route("svc"))])],
        [
            cluster("svc", ("svc", 80), type="STRICT_DNS", dns_refresh_rate="0.05s", respect_dns_ttl=True),
            cluster("brief", ("brief", 80), type="STRICT_DNS", dns_refresh_rate="0.05s"),
        ],
    )
    island.pod.file("/etc/proxy.yaml", json.dumps(config))
    island.pod.envoy("-c", "/etc/proxy.yaml", port=8000)
    asked = island.dns.asked.count(("svc", 1))
    island.dns.wait_asked(10)
    assert island.dns.asked.count(("svc", 1)) == asked


def test_host_rewrite_by_the_name_that_was_resolved(island):
    (backend,) = island.backends(A)
    island.dns.zone["svc"] = [A]
    config = bootstrap(
        [listener(8000, [virtual_host(route("svc", auto_host_rewrite=True))])],
        [cluster("svc", ("svc", 80), type="STRICT_DNS")],
    )
    island.pod.file("/etc/proxy.yaml", json.dumps(config))
    island.pod.envoy("-c", "/etc/proxy.yaml", port=8000)
    assert island.pod.ask(8000, host="asked.example").status == 200
    assert backend.requests[0]["host"] == "svc"


def test_a_host_that_swallows_packets_runs_into_the_connect_timeout(island):
    """10.99.0.1 is at the other end of a link where nobody has that address."""
    net = island.net.name
    lab.ip("-n", net, "link", "add", "near", "type", "veth", "peer", "name", "far")
    for end in ("near", "far"):
        lab.ip("-n", net, "link", "set", end, "up")
    lab.ip("-n", net, "addr", "add", "10.99.0.2/24", "dev", "near")
    lab.ip("-n", net, "neigh", "add", "10.99.0.1", "lladdr", "02:00:00:00:00:01", "dev", "near")
    island.dns.zone["svc"] = ["10.99.0.1"]
    proxy = start(island, connect_timeout="0.2s")
    response = proxy.ask()
    assert response.status == 503
    assert (
        response.body == b"upstream connect error or disconnect/reset before headers. reset reason: connection timeout"
    )
    assert proxy.stat("cluster.svc.upstream_cx_connect_timeout") == 1
