"""What is discovered changes while requests run, and services of discovery fail: nobody who sends requests sees it."""

import contextlib
import json
import signal
import threading

import pytest

from peers import Client, Hangup, ask, eventually, response_bytes
from processes import free_port
from v1_config import (
    CLUSTERS,
    LISTENERS,
    ROUTES,
    Discovery,
    Edge,
    discovered_listener,
    listener,
    rds,
    routes_to,
    static_cluster,
)

# Where it is counted.
STATS = {CLUSTERS: "cluster_manager.cds", ROUTES: "http.in.rds.users", LISTENERS: "listener_manager.lds"}


@pytest.fixture
def discovery(stage):
    return Discovery(stage)


class Held:
    """A backend's answer that comes when it is let go."""

    def __init__(self, response=response_bytes(body=b"held")):
        self.gate, self.response, self.reached = threading.Event(), response, threading.Event()

    def __call__(self, request=None):
        self.reached.set()
        self.gate.wait(20)
        return self.response


@contextlib.contextmanager
def load(ports, threads=4):
    """Requests on connections that stay, and on new ones, all the while. Yields what was answered."""
    seen, end = [], threading.Event()

    def run(number):
        while not end.is_set():
            port = ports[number % len(ports)]
            with Client(port) as client:
                for i in range(20):
                    body = b"x" * 20_000 if i % 3 == 0 else None
                    answer = client.ask("/", "POST" if body else "GET", body=body)
                    seen.append((answer.status, answer.body))
                    if answer["connection"] == "close" or end.is_set():
                        break

    failed = []

    def guarded(number):
        try:
            run(number)
        except (OSError, Hangup) as e:
            failed.append(repr(e))

    running = [threading.Thread(target=guarded, args=(n,)) for n in range(threads)]
    for each in running:
        each.start()
    try:
        yield seen
    finally:
        end.set()
        for each in running:
            each.join()
    assert not failed, failed[:3]


def found_together(stage, discovery, port, **clusters):
    """A proxy that finds all it needs. Clusters by name, with their backend."""
    discovery.answers[CLUSTERS] = {"clusters": [static_cluster(n, b) for n, b in clusters.items()]}
    discovery.answers[ROUTES] = routes_to(next(iter(clusters)))
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(port, "one", **rds())]}
    edge = Edge(stage, discovery, [], lds=True)
    edge.wait_listening(port)
    return edge


def test_no_request_fails_while_everything_changes(stage, discovery):
    a, b = stage.backends(2)
    port, other = free_port(), free_port()
    edge = found_together(stage, discovery, port, a=a, b=b)
    one, two = discovered_listener(port, "one", **rds()), discovered_listener(other, "two", **rds())
    with load([port]) as seen:
        for turn in range(8):
            there, gone = (a, b) if turn % 2 else (b, a)
            # Clusters that are named from now on come first, as in every order of updates.
            discovery.answers[CLUSTERS] = {"clusters": [static_cluster(n, x) for n, x in (("a", a), ("b", b))]}
            discovery.wait_asked(CLUSTERS)
            before = edge.stat("http.in.rds.users.config_reload")
            discovery.answers[ROUTES] = routes_to("a" if there is a else "b")
            eventually(lambda: edge.stat("http.in.rds.users.config_reload") > before)
            discovery.answers[CLUSTERS] = {"clusters": [static_cluster("a" if there is a else "b", there)]}
            edge.wait_stat("cluster_manager.active_clusters", 2)
            discovery.answers[LISTENERS] = {"listeners": [one, two] if turn % 2 else [one]}
            edge.wait_stat("listener_manager.total_listeners_active", 2 if turn % 2 else 1)
    assert {status for status, _ in seen} == {200}
    assert {body for _, body in seen} == {b"A", b"B"}
    assert edge.stat("cluster_manager.cds.update_rejected") == 0
    eventually(lambda: edge.stat("http.in.downstream_cx_active") == 0)


def test_a_request_ends_on_the_cluster_that_left_meanwhile(stage, discovery):
    held = Held()
    backend = stage.backend(held)
    port = free_port()
    edge = found_together(stage, discovery, port, a=backend)
    with Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert held.reached.wait(20)
        discovery.answers[CLUSTERS] = {"clusters": []}
        edge.wait_stat("cluster_manager.active_clusters", 1)
        assert ask(port).status == 503
        held.gate.set()
        assert client.response().body == b"held"
        assert client.ask().status == 503
    discovery.answers[CLUSTERS] = {
        "clusters": [static_cluster("b", backend)]
    }  # With each change all that is over goes.
    eventually(lambda: edge.stats("cluster.b.") and not edge.stats("cluster.a."))


def test_a_request_ends_on_the_listener_that_left_meanwhile(stage, discovery):
    held = Held()
    backend = stage.backend(held)
    port = free_port()
    edge = found_together(stage, discovery, port, a=backend)
    with Client(port) as busy, Client(port) as idle:
        busy.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert held.reached.wait(20)
        held.gate.set()
        assert busy.response().body == b"held"
        assert idle.ask().body == b"held"
        held.gate.clear(), held.reached.clear()
        busy.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert held.reached.wait(20)
        discovery.answers[LISTENERS] = {"listeners": []}
        eventually(lambda: not edge.listening(port))
        assert idle.at_end()
        held.gate.set()
        last = busy.response()
        assert last.body == b"held" and last["connection"] == "close"
        assert busy.at_end()
    assert edge.stat("listener_manager.total_listeners_active") == 0
    assert edge.stat("http.in.downstream_cx_active") == 0
    # And comes again, where it was.
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(port, "one", **rds())]}
    edge.wait_listening(port)
    assert ask(port).body == b"held"


def test_a_listener_moves_to_another_address(stage, discovery):
    (backend,) = stage.backends(1)
    port, other = free_port(), free_port()
    edge = found_together(stage, discovery, port, a=backend)
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(other, "one", **rds())]}
    edge.wait_listening(other)
    assert ask(other).body == b"A"
    eventually(lambda: not edge.listening(port))


def test_only_the_listeners_that_change_count_as_modified(stage, discovery):
    (backend,) = stage.backends(1)
    port, other = free_port(), free_port()
    edge = found_together(stage, discovery, port, a=backend)
    one, two = discovered_listener(port, "one", **rds()), discovered_listener(other, "two", **rds())
    discovery.answers[LISTENERS] = {"listeners": [one, two]}
    edge.wait_stat("listener_manager.total_listeners_active", 2)
    assert edge.stat("listener_manager.listener_modified") == 0
    two["filters"][0]["config"]["server_name"] = "another"
    discovery.answers[LISTENERS] = {"listeners": [one, two]}
    edge.wait_stat("listener_manager.listener_modified", 1)
    eventually(lambda: ask(other)["server"] == "another")
    assert ask(port)["server"] == "envoy"


# --- names that are there already -----------------------------------------------------------------------------------


def test_of_listeners_with_one_name_the_first_stays(stage, discovery):
    a, b = stage.backends(2)
    port, other, of_file = free_port(), free_port(), free_port()
    discovery.answers[LISTENERS] = {
        "listeners": [
            discovered_listener(port, "one", route_config=routes_to("a")),
            discovered_listener(other, "one", route_config=routes_to("b")),
            discovered_listener(other, "file", route_config=routes_to("b")),
        ]
    }
    written = {**listener(of_file, {"prefix": "/", "cluster": "a"}), "name": "file"}
    edge = Edge(stage, discovery, [written], [static_cluster("a", a), static_cluster("b", b)], cds=False, lds=True)
    edge.wait_listening(port, of_file)
    assert ask(port).body == ask(of_file).body == b"A"
    assert not edge.listening(other)
    assert edge.stderr.count("exists already: this one is left out") == 2


def test_a_listener_at_the_address_of_one_of_the_file_is_refused(stage, discovery):
    (backend,) = stage.backends(1)
    port = free_port()
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(port, "found", route_config=routes_to("a"))]}
    written = {**listener(port, {"prefix": "/", "cluster": "a"}), "name": "file"}
    edge = Edge(stage, discovery, [written], [static_cluster("a", backend)], cds=False, lds=True)
    edge.wait_listening(port)
    assert f"the listener 'file' has the address 127.0.0.1:{port} already" in edge.stderr
    assert ask(port).body == b"A"


# --- services that fail ---------------------------------------------------------------------------------------------

FAILURES = {
    "no answer": (b"", "the connection failed: {host}: connection termination"),
    "a status": (response_bytes("500 Internal Server Error"), "the answer has the status 500"),
    "no HTTP": (b"nonsense\r\n\r\n", "the connection failed: {host}: protocol error"),
    "cut short": (b'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{"clusters": []', "the connection failed: {host}"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failing_service_changes_nothing(stage, discovery, what):
    (backend,) = stage.backends(1)
    port = free_port()
    edge = found_together(stage, discovery, port, a=backend)
    raw, said = FAILURES[what]
    said = said.format(host=f"127.0.0.1:{discovery.backend.port}")
    discovery.backend.answer = lambda request: request.stream.send(raw) and None
    for path, stat in STATS.items():
        edge.wait_line(f"http://discovery{path}: {said}")
        eventually(lambda s=stat: edge.stat(f"{s}.update_failure") >= 1)
        assert edge.stat(f"{stat}.update_rejected") == 0
    assert ask(port).body == b"A"


@pytest.mark.parametrize("path", STATS)
def test_an_answer_that_hangs_holds_up_nothing_else(stage, discovery, path):
    """It is a failure after a second; what others answer is taken meanwhile."""
    a, b = stage.backends(2)
    port = free_port()
    edge = found_together(stage, discovery, port, a=a, b=b)
    held = Held(response_bytes("500 Late"))
    discovery.answers[path] = held
    assert held.reached.wait(20)
    if path != ROUTES:
        discovery.answers[ROUTES] = routes_to("b")
        eventually(lambda: ask(port).body == b"B")
    else:
        discovery.answers[CLUSTERS] = {"clusters": [static_cluster(n, b) for n in ("a", "b", "c")]}
        edge.wait_stat("cluster_manager.active_clusters", 4)
    eventually(lambda: edge.stat(f"{STATS[path]}.update_failure") >= 1)
    held.gate.set()


def test_a_large_answer_is_taken(stage, discovery):
    (backend,) = stage.backends(1)
    port = free_port()
    edge = found_together(stage, discovery, port, a=backend)
    padding = [{"name": f"v{i}", "domains": [f"{i}.example"], "routes": []} for i in range(2000)]
    routes = routes_to("a")
    routes["virtual_hosts"] += padding
    before = edge.stat("http.in.rds.users.config_reload")
    discovery.answers[ROUTES] = json.dumps(routes).encode() + b" " * 10_000_000
    with load([port], 2) as seen:
        eventually(lambda: edge.stat("http.in.rds.users.config_reload") > before)
    assert {status for status, _ in seen} == {200}
    assert ask(port, host="77.example").status == 404


def test_the_start_waits_no_longer_than_told(stage, discovery):
    """Without its clusters and listeners a proxy starts, and takes them when they come."""
    (backend,) = stage.backends(1)
    port, admin = free_port(), free_port()
    source = {"api_config_source": {"cluster_names": ["discovery"], "refresh_delay": "0.03s"}}
    source["initial_fetch_timeout"] = "0.1s"
    config = {
        "static_resources": {"clusters": [static_cluster("discovery", discovery.backend)]},
        "dynamic_resources": {"cds_config": source, "lds_config": source},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "node": {"id": "node-1", "cluster": "edge"},
    }
    edge = stage.start(config, admin=admin)
    edge.wait_line("all clusters initialized")
    for each in ("cluster_manager.cds", "listener_manager.lds"):
        assert edge.stat(f"{each}.init_fetch_timeout") == 1
    discovery.answers[CLUSTERS] = {"clusters": [static_cluster("a", backend)]}
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(port, "one", route_config=routes_to("a"))]}
    edge.wait_listening(port)
    assert ask(port).body == b"A"


def test_the_start_does_not_wait_for_routes_of_a_listener_that_has_left(stage, discovery):
    held = Held()
    (backend,) = stage.backends(1)
    one, two = free_port(), free_port()
    discovery.answers[ROUTES] = held
    discovery.answers["/v1/routes/none/edge/node-1"] = held
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(one, "one", **rds("none"))]}
    edge = Edge(stage, discovery, [], [static_cluster("a", backend)], cds=False, lds=True, wait=False)
    assert held.reached.wait(20)
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(two, "two", route_config=routes_to("a"))]}
    edge.wait_listening(two)
    held.gate.set()
    assert "no answer within" not in edge.stderr
    assert ask(two).body == b"A" and not edge.listening(one)


# --- the file changes -----------------------------------------------------------------------------------------------


def test_a_file_that_asks_no_more_loses_what_was_found(stage, discovery):
    a, b = stage.backends(2)
    port, found = free_port(), free_port()
    discovery.answers[LISTENERS] = {"listeners": [discovered_listener(found, "found", route_config=routes_to("a"))]}
    written = listener(port, {"prefix": "/", "cluster": "a"})
    edge = Edge(stage, discovery, [written], [static_cluster("a", a)], cds=False, lds=True)
    edge.wait_listening(found, port)
    config = json.loads(edge.config.read_text())
    del config["lds"]
    edge.config.write_text(json.dumps(config))
    edge.signal(signal.SIGHUP)
    edge.wait_line("the configuration was reloaded")
    eventually(lambda: not edge.listening(found))
    assert ask(port).body == b"A"
    asked = discovery.asked(LISTENERS)
    with load([port], 1):
        eventually(lambda: edge.stat("http.in.downstream_rq_2xx") > 50)
    assert discovery.asked(LISTENERS) <= asked + 1


def test_a_service_that_leaves_the_file_while_it_is_asked_is_a_mistake(stage, discovery):
    (backend,) = stage.backends(1)
    port = free_port()
    written = listener(port, {"prefix": "/", "cluster": "a"})
    discovery.answers[LISTENERS] = {"listeners": []}
    edge = Edge(stage, discovery, [written], [static_cluster("a", backend)], cds=False, lds=True)
    edge.wait_listening(port)
    config = json.loads(edge.config.read_text())
    config["cluster_manager"]["clusters"].pop()
    edge.config.write_text(json.dumps(config))
    edge.signal(signal.SIGHUP)
    edge.wait_line("the configuration was not reloaded; the old one stays")
    edge.wait_line("'discovery' is no cluster of the file, or one that needs discovery itself")
    assert ask(port).body == b"A"
    discovery.wait_asked(LISTENERS)


def test_nothing_is_taken_while_the_proxy_drains(stage, discovery):
    """New listeners would open when all others close."""
    held = Held()
    backend = stage.backend(held)
    port, other = free_port(), free_port()
    edge = found_together(stage, discovery, port, a=backend)
    with Client(port) as busy:
        busy.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert held.reached.wait(20)
        one, two = discovered_listener(port, "one", **rds()), discovered_listener(other, "two", **rds("more"))
        asked = Held(response_bytes(body=json.dumps(routes_to("a")).encode()))
        discovery.answers["/v1/routes/more/edge/node-1"] = asked
        discovery.answers[LISTENERS] = {"listeners": [one, two]}
        assert asked.reached.wait(20)  # On the way into force.
        edge.signal(signal.SIGTERM)
        edge.wait_line("draining")
        asked.gate.set()
        edge.wait_line("takes no more configuration")
        assert not edge.listening(other)
        held.gate.set()
        assert busy.response().body == b"held"
    assert edge.wait() == 0
