"""Discovery of clusters, routes and listeners as Envoy v1 did it: `cds`, `rds` and `lds` over REST."""

import json
import signal

import pytest

from peers import ask, eventually, tally
from processes import free_port
from v1_config import (
    CLUSTERS,
    DELAY_MS,
    LISTENERS,
    ROUTES,
    Discovery,
    Edge,
    discovered_listener,
    listener,
    rds,
    registered,
    routes_to,
    service_cluster,
    static_cluster,
)


@pytest.fixture
def discovery(stage):
    return Discovery(stage)


# --- clusters -----------------------------------------------------------------------------------------------------


def found_clusters(stage, discovery, *clusters, **fields):
    """A proxy that routes to `users`, which is found."""
    discovery.answers[CLUSTERS] = {"clusters": list(clusters)}
    port = free_port()
    hcm = {"route_config": routes_to("users", validate_clusters=False)}
    edge = Edge(stage, discovery, [listener(port, **hcm)], **fields)
    edge.wait_listening(port)
    edge.port = port
    return edge


def test_clusters_are_there_from_the_first_request_on_and_follow_the_service(stage, discovery):
    a, b = stage.backends(2)
    edge = found_clusters(stage, discovery, static_cluster("users", a))
    assert ask(edge.port).body == b"A"
    assert edge.stat("cluster_manager.active_clusters") == 2
    assert "users::added_via_api::true" in edge.ask_admin("/clusters").body.decode()
    (found,) = edge.dump("dynamic_active_clusters")
    assert found[0]["cluster"]["name"] == "users" and found[0]["version_info"].startswith("hash_")

    discovery.answers[CLUSTERS] = {"clusters": [static_cluster("users", b), static_cluster("others", a)]}
    edge.wait_stat("cluster_manager.active_clusters", 3)
    assert ask(edge.port).body == b"B"
    discovery.answers[CLUSTERS] = {"clusters": []}
    edge.wait_stat("cluster_manager.active_clusters", 1)
    assert ask(edge.port).status == 503
    stats = edge.stats("cluster_manager.")
    assert stats["cluster_manager.cluster_added"] == 3 and stats["cluster_manager.cluster_modified"] == 1
    assert stats["cluster_manager.cluster_removed"] == 2 and stats["cluster_manager.cds.config_reload"] == 3
    assert stats["cluster_manager.cds.update_success"] >= 3 and stats["cluster_manager.cds.update_rejected"] == 0


def test_a_cluster_that_did_not_change_keeps_its_connections(stage, discovery):
    a, b = stage.backends(2)
    edge = found_clusters(stage, discovery, static_cluster("users", a))
    with_one = stage.client(edge.port)
    assert with_one.ask().body == b"A"
    discovery.answers[CLUSTERS] = {"clusters": [static_cluster("others", b), static_cluster("users", a)]}
    edge.wait_stat("cluster_manager.active_clusters", 3)
    assert with_one.ask().body == b"A"
    assert len(a.streams) == 1


def test_a_found_cluster_may_ask_for_its_hosts_itself(stage, discovery):
    a, b = stage.backends(2)
    discovery.answers["/v1/registration/users"] = {"hosts": [registered(a), registered(b)]}
    users = {"name": "users", "type": "sds", "service_name": "users", "connect_timeout_ms": 2000, "lb_type": "random"}
    sds = {"cluster": service_cluster("discovery-of-hosts", discovery.port), "refresh_delay_ms": DELAY_MS}
    edge = found_clusters(stage, discovery, {**users, "lb_type": "round_robin"}, sds=sds)
    assert tally(ask(edge.port).body for _ in range(6)) == {b"A": 3, b"B": 3}
    discovery.answers["/v1/registration/users"] = {"hosts": [registered(b)]}
    edge.wait_stat("cluster.users.membership_total", 1)
    assert ask(edge.port).body == b"B"


BAD_CLUSTERS = {
    "no JSON": (b"{", r":1:2: "),
    "no list": (b'{"cluster": []}', r":1:2: cluster: the answer has no such key"),
    "a policy": (
        b'{"clusters": [\n {"name": "users", "connect_timeout_ms": 250, "type": "static",\n  "lb_type": "best"}]}',
        r":3:14: static_resources.clusters\[0\].lb_policy: ",
    ),
    "twice": (
        json.dumps({"clusters": [static_cluster("users"), static_cluster("users")]}).encode(),
        r":1:\d+: static_resources.clusters\[1\].name: a cluster named 'users' exists already",
    ),
}


@pytest.mark.parametrize("what", BAD_CLUSTERS)
def test_a_bad_list_of_clusters_is_refused_by_line_and_the_last_good_one_stays(stage, discovery, what):
    (backend,) = stage.backends(1)
    edge = found_clusters(stage, discovery, static_cluster("users", backend))
    discovery.answers[CLUSTERS], place = BAD_CLUSTERS[what]
    edge.wait_line(f"http://discovery{CLUSTERS}: the answer is refused; the last good one stays")
    edge.wait_line(f"^http://discovery{CLUSTERS}{place}")
    assert ask(edge.port).body == b"A"
    assert edge.stat("cluster_manager.cds.update_rejected") >= 1


def test_a_cluster_of_the_file_stays_what_it_is(stage, discovery):
    a, b = stage.backends(2)
    edge = found_clusters(stage, discovery, static_cluster("users", b), clusters=[static_cluster("users", a)])
    assert ask(edge.port).body == b"A"
    assert "the file has a cluster named 'users': this one is left out" in edge.stderr


def test_a_reload_of_the_file_keeps_what_was_found(stage, discovery):
    (backend,) = stage.backends(1)
    edge = found_clusters(stage, discovery, static_cluster("users", backend))
    discovery.backend.close()
    edge.signal(signal.SIGHUP)
    edge.wait_line("the configuration was reloaded")
    assert ask(edge.port).body == b"A"


def test_whoever_asks_for_clusters_needs_a_name(stage, discovery):
    edge = Edge(stage, discovery, [], flags=(), wait=False)
    assert edge.wait() == 1
    assert "--service-cluster and --service-node" in edge.stderr


# --- routes -------------------------------------------------------------------------------------------------------


def test_routes_are_there_from_the_first_request_on_and_follow_the_service(stage, discovery):
    a, b = stage.backends(2)
    discovery.answers[ROUTES] = routes_to("a")
    port = free_port()
    clusters = [static_cluster("a", a), static_cluster("b", b)]
    edge = Edge(stage, discovery, [discovered_listener(port, **rds())], clusters, cds=False)
    edge.wait_listening(port)
    assert ask(port).body == b"A"
    (routes,) = edge.dump("dynamic_route_configs")
    assert routes[0]["route_config"]["name"] == "users"

    discovery.answers[ROUTES] = routes_to("b")
    eventually(lambda: ask(port).body == b"B")
    discovery.answers[ROUTES] = routes_to("nosuch")
    eventually(lambda: ask(port).status == 503)
    discovery.answers[ROUTES] = b'{"virtual_hosts": [\n {"name": "x", "domains": "*", "route": []}]}'
    edge.wait_line(rf"^http://discovery{ROUTES}:2:\d+: virtual_hosts\[0\]: .* has no field `route`")
    discovery.answers[ROUTES] = routes_to("nosuch", validate_clusters=True)
    edge.wait_line(rf"^http://discovery{ROUTES}:1:\d+: virtual_hosts\[0\].routes\[0\].route.cluster: unknown cluster")
    assert ask(port).status == 503
    stats = edge.stats("http.in.rds.users.")
    assert stats["http.in.rds.users.config_reload"] == 3 and stats["http.in.rds.users.update_rejected"] >= 2
    assert stats["http.in.rds.users.version"] > 0


def test_without_its_routes_a_listener_answers_404(stage, discovery):
    port = free_port()
    source = {"api_config_source": {"cluster_names": ["discovery"], "refresh_delay": "0.03s"}}
    manager = {"route_config_name": "users", "config_source": {**source, "initial_fetch_timeout": "0.1s"}}
    made = discovered_listener(port, rds=manager)
    edge = Edge(stage, discovery, [made], cds=False)
    edge.wait_listening(port)
    assert ask(port).status == 404
    assert edge.stat("http.in.rds.users.init_fetch_timeout") == 1
    assert "no answer within 100 ms; going on without" in edge.stderr


# --- listeners ----------------------------------------------------------------------------------------------------


def test_listeners_come_change_and_go_with_their_routes(stage, discovery):
    a, b = stage.backends(2)
    discovery.answers[ROUTES] = routes_to("a")
    one, two = free_port(), free_port()
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(one, "one", **rds())]}
    edge = Edge(stage, discovery, [], [static_cluster("a", a), static_cluster("b", b)], cds=False, lds=True)
    edge.wait_listening(one)
    assert ask(one).body == b"A"
    (found,) = edge.dump("dynamic_listeners")
    assert found[0]["name"] == "one" and found[0]["active_state"]["version_info"].startswith("hash_")

    routes = routes_to("b")
    second = discovered_listener(two, "two", route_config=routes)
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(one, "one", **rds()), second]}
    edge.wait_listening(two)
    assert ask(two).body == b"B" and ask(one).body == b"A"
    discovery.answers[LISTENERS] = {"listeners": [second]}
    eventually(lambda: not edge.listening(one))
    assert ask(two).body == b"B"
    stats = edge.stats("listener_manager.")
    assert stats["listener_manager.listener_added"] == 2 and stats["listener_manager.listener_removed"] == 1
    assert stats["listener_manager.lds.update_success"] >= 3


def test_a_listener_begins_with_its_routes(stage, discovery):
    """Not one request to it is answered with 404."""
    (backend,) = stage.backends(1)
    discovery.answers[LISTENERS] = {"listeners": []}
    discovery.answers[ROUTES] = routes_to("a")
    edge = Edge(stage, discovery, [], [static_cluster("a", backend)], cds=False, lds=True)
    discovery.wait_asked(LISTENERS)
    port = free_port()
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(port, **rds(delay_ms=600_000))]}
    edge.wait_listening(port)
    assert ask(port).body == b"A"


def test_a_listener_whose_address_is_taken_is_refused_and_the_others_stay(stage, discovery):
    (backend,) = stage.backends(1)
    port = free_port()
    made = discovered_listener(port, "one", route_config=routes_to("a"))
    discovery.answers[LISTENERS] = {"listeners": [made]}
    edge = Edge(stage, discovery, [], [static_cluster("a", backend)], cds=False, lds=True)
    edge.wait_listening(port)
    taken = discovered_listener(backend.port, "two", route_config=routes_to("a"))
    discovery.answers[LISTENERS] = {"listeners": [made, taken]}
    edge.wait_line(f"http://discovery{LISTENERS}: the answer is refused")
    assert str(backend.port) in edge.wait_line(f"127.0.0.1:{backend.port}")
    assert ask(port).body == b"A"
    discovery.answers[LISTENERS] = {"listeners": [made, {**taken, "address": f"tcp://127.0.0.1:{free_port()}"}]}
    edge.wait_stat("listener_manager.total_listeners_active", 2)


def test_clusters_routes_and_listeners_are_found_together(stage, discovery):
    """A file that names nothing but the service of discovery."""
    (backend,) = stage.backends(1)
    port = free_port()
    discovery.answers[CLUSTERS] = {"clusters": [static_cluster("users", backend)]}
    discovery.answers[ROUTES] = routes_to("users")
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(port, **rds())]}
    edge = Edge(stage, discovery, [], lds=True)
    edge.wait_listening(port)
    assert ask(port).body == b"A"
    first = [r.target for r in discovery.backend.requests]
    assert first.index(CLUSTERS) < first.index(LISTENERS) < first.index(ROUTES)
    # A cluster goes before its route does.
    discovery.answers[CLUSTERS] = {"clusters": []}
    eventually(lambda: ask(port).status == 503)
    discovery.answers[CLUSTERS] = {"clusters": [static_cluster("users", backend)]}
    eventually(lambda: ask(port).body == b"A")
