"""Service discovery of Envoy v1: `cluster_manager.sds`, clusters of the type `sds`, and `outrider sds`."""

import json
import signal

import pytest

from peers import ask, eventually, response_bytes, tally
from processes import BINARY, free_port
from v1_config import Discovery, listener, registered, service_cluster

REGISTRATION = "/v1/registration/users"


class Service(Discovery):
    """Of one service's hosts. `raw`: a whole response instead of them."""

    def __init__(self, stage):
        self.hosts, self.raw = [], None
        super().__init__(stage)

    def answer(self, request):
        return self.raw or response_bytes(body=json.dumps({"hosts": self.hosts}).encode())


def users_cluster(**fields):
    return {
        "name": "users",
        "connect_timeout_ms": 2000,
        "type": "sds",
        "service_name": "users",
        "lb_type": "round_robin",
        **fields,
    }


def proxy(stage, sds_port, delay_ms=30, concurrency=2, wait=True, **cluster):
    port, admin = free_port(), free_port()
    config = {
        "listeners": [listener(port, {"prefix": "/", "cluster": "users", "timeout_ms": 0})],
        "admin": {"access_log_path": "/dev/null", "address": f"tcp://127.0.0.1:{admin}"},
        "cluster_manager": {
            "sds": {"cluster": service_cluster("users-sds", sds_port), "refresh_delay_ms": delay_ms},
            "clusters": [users_cluster(**cluster)],
        },
    }
    started = stage.start(config, ports=[port], admin=admin, concurrency=concurrency, wait=wait)
    started.port = port
    return started


def names(proxy, count):
    return [ask(proxy.port).body.decode() for _ in range(count)]


def test_hosts_of_a_service_are_taken_in_turn_from_the_first_request_on(stage):
    sds, backends = Service(stage), stage.backends(3)
    sds.hosts = [registered(b) for b in backends]
    edge = proxy(stage, sds.port)
    assert names(edge, 12) == list("ABC") * 4
    question = sds.backend.requests[0]
    assert (question.method, question.target, question["host"]) == ("GET", REGISTRATION, "users-sds")
    sds.wait_asked(REGISTRATION)
    stats = edge.stats("cluster.users.")
    assert stats["cluster.users.update_attempt"] >= 2 and stats["cluster.users.update_success"] >= 1
    assert stats["cluster.users.update_no_rebuild"] >= 1 and stats["cluster.users.membership_total"] == 3
    assert stats["cluster.users.update_failure"] == stats["cluster.users.update_rejected"] == 0


def test_a_host_that_leaves_gets_no_more_and_no_call_fails(stage):
    sds, backends = Service(stage), stage.backends(3)
    sds.hosts = [registered(b) for b in backends]
    edge = proxy(stage, sds.port)
    assert set(names(edge, 6)) == set("ABC")
    sds.hosts = sds.hosts[:1] + sds.hosts[2:]
    edge.wait_stat("cluster.users.membership_total", 2)
    before = len(backends[1].requests)
    answers = [ask(edge.port) for _ in range(20)]
    assert {a.status for a in answers} == {200}
    assert tally(a.body for a in answers) == {b"A": 10, b"C": 10}
    assert len(backends[1].requests) == before


def test_tags_weigh_hosts_and_name_their_zone(stage):
    sds, backends = Service(stage), stage.backends(2)
    sds.hosts = [registered(backends[0], load_balancing_weight=3, az="here"), registered(backends[1], canary=True)]
    edge = proxy(stage, sds.port, concurrency=1)
    assert tally(names(edge, 40)) == {"A": 30, "B": 10}
    page = edge.ask_admin("/clusters").body.decode()
    a, b = (f"users::{b.host}:{b.port}::" for b in backends)
    assert {f"{a}weight::3", f"{a}zone::here", f"{a}canary::false", f"{b}canary::true"} <= set(page.splitlines())


def test_an_empty_list_is_an_answer(stage):
    sds, (backend,) = Service(stage), stage.backends(1)
    edge = proxy(stage, sds.port)
    assert ask(edge.port).status == 503
    assert edge.stat("cluster.users.update_empty") == 1
    sds.hosts = [registered(backend)]
    edge.wait_stat("cluster.users.membership_total", 1)
    assert ask(edge.port).body == b"A"
    sds.hosts = []
    edge.wait_stat("cluster.users.membership_total", 0)
    assert ask(edge.port).status == 503


BAD = {
    "no JSON": (b"nonsense", "1:1: "),
    "no list": (b'{\n "host": []}', "1:1: {"),
    "a name": (
        b'{"hosts": [\n  {"ip_address": "users.example", "port": 80}]}',
        "2:18: hosts[0].ip_address: an IP address",
    ),
    "no port": (b'{"hosts": [\n  {"ip_address": "127.0.0.1"}]}', "2:3: hosts[0].port: a number from 1 to 65535"),
    "weight": (
        b'{"hosts": [{"ip_address": "127.0.0.1", "port": 80, "tags": {"load_balancing_weight": 101}}]}',
        "1:86: hosts[0].tags.load_balancing_weight: a number from 1 to 100",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_answer_is_refused_by_line_and_the_last_good_one_stays(stage, what):
    text, said = BAD[what]
    sds, (backend,) = Service(stage), stage.backends(1)
    sds.hosts = [registered(backend)]
    edge = proxy(stage, sds.port)
    sds.raw = response_bytes(body=text)
    line = edge.wait_line("the last good one stays")
    assert f"http://users-sds{REGISTRATION}: the answer is refused" in line
    place = edge.wait_line(rf"^http://users-sds{REGISTRATION}:\d+:\d+: ")
    assert f"{REGISTRATION}:{said}" in place
    assert ask(edge.port).body == b"A"
    assert edge.stat("cluster.users.update_rejected") >= 1
    sds.raw = None
    before = edge.stat("cluster.users.update_success")
    eventually(lambda: edge.stat("cluster.users.update_success") > before)


def test_without_an_answer_the_last_hosts_stay(stage):
    sds, (backend,) = Service(stage), stage.backends(1)
    sds.hosts = [registered(backend)]
    edge = proxy(stage, sds.port)
    sds.raw = response_bytes("503 Service Unavailable")
    edge.wait_line(f"http://users-sds{REGISTRATION}: the answer has the status 503")
    assert ask(edge.port).body == b"A"
    sds.raw = None
    sds.wait_asked(REGISTRATION)
    sds.backend.close()
    edge.wait_line(f"http://users-sds{REGISTRATION}: the connection failed: 127.0.0.1:{sds.port}: Connection refused")
    assert ask(edge.port).body == b"A"
    assert edge.stat("cluster.users.update_failure") >= 2


def test_the_start_waits_for_the_first_answer(stage):
    gone = free_port()
    edge = proxy(stage, gone, wait=False)
    edge.wait_line(f"the connection failed: 127.0.0.1:{gone}: Connection refused")
    assert not edge.listening(edge.port)
    (backend,) = stage.backends(1)
    hosts = {"hosts": [registered(backend)]}
    stage.backend(lambda request: response_bytes(body=json.dumps(hosts).encode()), port=gone)
    edge.wait_listening(edge.port)
    assert ask(edge.port).body == b"A"


def test_a_host_that_is_well_outlives_its_registration(stage):
    sds, (backend,) = Service(stage), stage.backends(1)
    sds.hosts = [registered(backend)]
    check = {"type": "http", "path": "/health", "timeout_ms": 2000, "interval_ms": 20}
    check |= {"unhealthy_threshold": 1, "healthy_threshold": 1}
    edge = proxy(stage, sds.port, health_check=check)
    eventually(lambda: ask(edge.port).status == 200)
    sds.hosts = []
    place = f"users::{backend.host}:{backend.port}::health_flags::/pending_dynamic_removal"
    eventually(lambda: place in edge.ask_admin("/clusters").body.decode())
    assert ask(edge.port).body == b"A"


def test_a_reload_keeps_the_hosts_of_clusters_that_did_not_change(stage):
    sds, (backend,) = Service(stage), stage.backends(1)
    sds.hosts = [registered(backend)]
    edge = proxy(stage, sds.port, delay_ms=600_000)
    edge.signal(signal.SIGHUP)
    edge.wait_line("the configuration was reloaded")
    assert ask(edge.port).body == b"A"
    assert len(sds.backend.requests) == 1


def test_the_type_sds_needs_a_service_that_is_a_cluster_of_the_file(stage):
    config = {
        "static_resources": {
            "clusters": [
                {
                    "name": "users",
                    "type": "EDS",
                    "eds_cluster_config": {
                        "eds_config": {"api_config_source": {"cluster_names": ["nosuch"], "refresh_delay": "1s"}}
                    },
                }
            ]
        }
    }
    refused = stage.start(config, wait=False)
    assert refused.wait() == 1
    assert "'nosuch' is no cluster of the file, or one that needs discovery itself" in refused.stderr


@pytest.mark.parametrize(
    "service, said",
    [
        ({}, ["the type `sds` needs `sds` in the cluster_manager"] * 2),
        ({"sds": {"cluster": service_cluster("s", 1), "refresh_delay_ms": "x"}}, ["a whole number of milliseconds"]),
    ],
    ids=["no service", "no delay"],
)
def test_what_follows_from_a_mistake_is_not_told(stage, service, said):
    clusters = [users_cluster(), {**users_cluster(), "name": "others"}]
    refused = stage.start({"listeners": [], "cluster_manager": {**service, "clusters": clusters}}, wait=False)
    assert refused.wait() == 1
    told = [line for line in refused.stderr.splitlines() if ": static_resources" in line or "cluster_manager." in line]
    assert len(told) == len(said), told
    assert all(words in line for words, line in zip(said, told))


# --- outrider sds -------------------------------------------------------------------------------------------------


def registry(stage, services):
    file, port = stage.directory / "hosts.json", free_port()
    file.write_text(json.dumps(services))
    process = stage.process([BINARY, "sds", "--file", file, "--port", port, "--address", "127.0.0.1"])
    process.wait_line("outrider sds listens on", output="stdout")
    process.port, process.file = port, file
    return process


def listed(process, service="users"):
    return ask(process.port, f"/v1/registration/{service}").json()["hosts"]


ONE = {"ip_address": "127.0.0.1", "port": 8081, "tags": {"az": "a", "canary": True, "load_balancing_weight": 7}}
TWO = {"ip_address": "127.0.0.2", "port": 8082}


def test_a_file_of_hosts_is_served_and_changes_are_seen(stage):
    sds = registry(stage, {"users": [ONE, TWO]})
    assert listed(sds) == [
        {**ONE, "service": "users"},
        {**TWO, "service": "users", "tags": {"load_balancing_weight": 1}},
    ]
    assert listed(sds, "others") == []
    sds.file.write_text('{"users": [')
    assert len(listed(sds)) == 2
    assert "hosts that were known stay" in sds.wait_line("has changed", output="stdout")
    sds.wait_line(r"hosts.json:1:\d+: ", output="stdout")
    sds.file.write_text(json.dumps({"users": [TWO], "others": [ONE]}))
    assert [h["port"] for h in listed(sds)] == [8082]
    assert [h["port"] for h in listed(sds, "others")] == [8081]
    sds.wait_line("2 hosts of 2 services", output="stdout")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_hosts_register_themselves_and_leave(stage, method):
    sds = registry(stage, {"users": []})
    form = b"ip=127.0.0.9&port=80&revision=1&tags=%7B%22az%22%3A%20%22b%22%7D"
    assert ask(sds.port, REGISTRATION, method, body=form).status == 200
    assert ask(sds.port, REGISTRATION, method, body=json.dumps(TWO).encode()).status == 200
    assert [(h["ip_address"], h["tags"].get("az")) for h in listed(sds)] == [
        ("127.0.0.9", "b"),
        ("127.0.0.2", None),
    ]
    refused = ask(sds.port, REGISTRATION, method, body=b"ip=127.0.0.9&port=high")
    assert refused.status == 400 and b"port" in refused.body
    assert ask(sds.port, f"{REGISTRATION}/127.0.0.9", "DELETE").status == 200
    assert ask(sds.port, f"{REGISTRATION}/127.0.0.9", "DELETE").status == 404
    assert [h["ip_address"] for h in listed(sds)] == ["127.0.0.2"]


def test_a_file_that_is_wrong_at_the_start_is_refused_by_line(stage):
    file = stage.directory / "hosts.json"
    file.write_text('{"users": [\n {"ip_address": "127.0.0.1", "port": 0}]}')
    process = stage.process([BINARY, "sds", "--file", file, "--port", "0"])
    assert process.wait() == 1
    assert f"{file}:2:38: users[0].port: a number from 1 to 65535 was expected" in process.stderr


def test_a_proxy_follows_the_file_of_the_registry(stage):
    backends = stage.backends(3)
    sds = registry(stage, {"users": [registered(b) for b in backends]})
    edge = proxy(stage, sds.port)
    assert names(edge, 6) == list("ABC") * 2
    sds.file.write_text(json.dumps({"users": [registered(b) for b in backends[1:]]}))
    edge.wait_stat("cluster.users.membership_total", 2)
    assert set(names(edge, 6)) == set("BC")
