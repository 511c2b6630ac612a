"""Configurations of 2018 to 2023 as they were published, each with its command line, in pods like their authors'."""

import json
import pathlib
import re

import pytest
from websockets.sync.client import connect

import lab
from peers import PATIENCE_S, Client, ask, eventually, response_bytes, tally

pytestmark = lab.needed
CONFIGS = pathlib.Path(__file__).parent / "configs"


@pytest.fixture
def cluster(program, tmp_path):
    with lab.Lab(tmp_path) as made:
        yield made


def text(name):
    return (CONFIGS / name).read_text()


def clusters_page(proxy):
    return proxy.ask_admin("/clusters").body.decode()


# --- a balancer for Kubernetes: a template, a headless service ----------------------------------------------------

ENVIRONMENT = {"ENVOY_LB_ALG": "LEAST_REQUEST", "SERVICE_NAME": "myapp"}


def headless_service(cluster):
    """Three pods behind one name."""
    pods = [cluster.pod(f"myapp-{i}", named=False) for i in range(3)]
    cluster.dns.zone["myapp"] = [p.host for p in pods]
    return [p.backend(80) for p in pods]


def balancer(cluster, file, env=None, flags=()):
    pod = cluster.pod("balancer")
    pod.file("/etc/envoy.yaml", file)
    proxy = pod.envoy("-c", "/etc/envoy.yaml", *flags, port=80, admin=9901, env=env)
    proxy.pod = pod
    return proxy


@pytest.mark.parametrize("how", ["the template itself", "substituted before"])
def test_kubernetes_balancer(cluster, how):
    backends = headless_service(cluster)
    template = text("kubernetes-balancer.yaml.tmpl")
    if how == "the template itself":
        proxy = balancer(cluster, template, ENVIRONMENT)
    else:
        for name, value in ENVIRONMENT.items():
            template = template.replace(f"${{{name}}}", value)
        proxy = balancer(cluster, template)
    outside = cluster.pod("outside")
    answers = tally(outside.ask(80, at=proxy.pod.host, host="myapp-envoy.k8s.io").body.decode() for _ in range(60))
    assert set(answers) == {"myapp-0", "myapp-1", "myapp-2"}
    assert {r["host"] for b in backends for r in b.requests} == {"myapp"}
    assert {r["x-envoy-original-host"] for b in backends for r in b.requests} == {"myapp-envoy.k8s.io"}
    page = clusters_page(proxy)
    counts = re.findall(r"^myapp_cluster::(10\.77\.0\.\d+):80::rq_total::(\d+)$", page, re.M)
    assert {host: int(n) for host, n in counts} == {b.host: len(b.requests) for b in backends}
    dump = proxy.ask_admin("/config_dump").json()
    assert "myapp_cluster" in json.dumps(dump)


@pytest.mark.parametrize("algorithm", ["round_robin", "ROUND_ROBIN", "least_request", "random"])
def test_kubernetes_balancer_with_each_algorithm(cluster, algorithm):
    headless_service(cluster)
    proxy = balancer(cluster, text("kubernetes-balancer.yaml.tmpl"), {**ENVIRONMENT, "ENVOY_LB_ALG": algorithm})
    answers = [proxy.pod.ask(80).body for _ in range(45)]
    assert len(set(answers)) == 3
    if algorithm.lower() == "round_robin":
        assert answers == answers[:3] * 15


def test_kubernetes_balancer_follows_the_pods(cluster):
    """Every five seconds in the published file; here ten times a second."""
    headless_service(cluster)
    file = text("kubernetes-balancer.yaml.tmpl").replace(
        "type: STRICT_DNS", "type: STRICT_DNS\n    dns_refresh_rate: 0.1s"
    )
    proxy = balancer(cluster, file, {**ENVIRONMENT, "ENVOY_LB_ALG": "ROUND_ROBIN"})
    fourth = cluster.pod("myapp-3", named=False)
    fourth.backend(80)
    cluster.dns.zone["myapp"] = cluster.dns.zone["myapp"][1:] + [fourth.host]
    wanted = {b"myapp-1", b"myapp-2", b"myapp-3"}
    eventually(lambda: {proxy.pod.ask(80).body for _ in range(6)} == wanted, lambda: clusters_page(proxy))
    hosts = re.findall(r"^myapp_cluster::(\S+):80::rq_total", clusters_page(proxy), re.M)
    assert sorted(hosts) == sorted(cluster.dns.zone["myapp"])


def test_kubernetes_balancer_without_its_environment_names_what_is_missing(cluster):
    pod = cluster.pod("balancer")
    pod.file("/etc/envoy.yaml", text("kubernetes-balancer.yaml.tmpl"))
    proxy = pod.run("/usr/local/bin/envoy", "-c", "/etc/envoy.yaml", env={"SERVICE_NAME": "myapp"})
    assert proxy.wait() == 1
    lines = text("kubernetes-balancer.yaml.tmpl").splitlines()
    number, line = next((i, x) for i, x in enumerate(lines, 1) if "ENVOY_LB_ALG" in x)
    assert f"/etc/envoy.yaml:{number}:{line.index('$') + 1}: " in proxy.stderr and "ENVOY_LB_ALG" in proxy.stderr


# --- an echo service, twice, behind a front proxy -----------------------------------------------------------------


def echo_pods(cluster):
    for name in ("service1", "service2"):
        echo = cluster.pod(name).run("/usr/local/bin/outrider", "echo", "--port", "8080", "--name", name)
        echo.wait_listening(8080)


def front(cluster, file):
    pod = cluster.pod("proxy")
    pod.file("/etc/front-envoy.yaml", text(file))
    proxy = pod.envoy("-c", "/etc/front-envoy.yaml", "--service-cluster", "front-proxy", port=80, admin=8001)
    proxy.pod = pod
    return proxy


@pytest.mark.parametrize("file", ["echo-simple.yaml", "echo-websocket.yaml"])
def test_echo_balancer(cluster, file):
    echo_pods(cluster)
    proxy = front(cluster, file)
    outside = cluster.pod("outside")
    base = f"http://{proxy.pod.host}"
    got = outside.run("curl", "-sS", base)
    assert got.wait() == 0 and json.loads(got.stdout)["host"] == proxy.pod.host
    posted = outside.run(
        "curl", "-sS", "-X", "POST", f"{base}/echo", "-H", "Content-Type: application/json", "-d", '{"name": "zcong"}'
    )
    assert posted.wait() == 0 and json.loads(posted.stdout) == {"name": "zcong"}
    names = [outside.ask(80, at=proxy.pod.host)["x-echo-name"] for _ in range(6)]
    assert names in (["service1", "service2"] * 3, ["service2", "service1"] * 3)
    assert proxy.ask_admin("/server_info").json()["command_line_options"]["service_cluster"] == "front-proxy"


def test_echo_balancer_with_websocket(cluster):
    echo_pods(cluster)
    proxy = front(cluster, "echo-websocket.yaml")
    with connect("ws://proxy/ws", sock=proxy.pod.client(80).socket, open_timeout=PATIENCE_S) as ws:
        for message in ("hello", b"\x00\x01", "x" * 70_000):
            ws.send(message)
            assert ws.recv(PATIENCE_S) == message
    refused = proxy.pod.ask(80, "/", fields=[("Connection", "Upgrade"), ("Upgrade", "websocket")])
    assert refused.status == 403
    assert proxy.stat("http.ingress_http.downstream_rq_ws_on_non_ws_route") == 1


def test_echo_balancer_without_websocket_refuses_it(cluster):
    echo_pods(cluster)
    proxy = front(cluster, "echo-simple.yaml")
    assert proxy.pod.ask(80, "/ws", fields=[("Connection", "Upgrade"), ("Upgrade", "websocket")]).status == 403


# --- version 3, with the program's defaults -----------------------------------------------------------------------


def test_architecture_example_without_any_argument(cluster):
    simple = cluster.pod("simple").backend(80)
    pod = cluster.pod("envoy")
    pod.file("/etc/envoy/envoy.yaml", text("architecture.yaml"))
    proxy = pod.envoy(port=10000, admin=9901)
    outside = cluster.pod("outside")
    assert outside.ask(10000, at=pod.host).body == b"simple"
    assert simple.requests[0]["x-envoy-expected-rq-timeout-ms"] == "15000"
    assert f"some_service::{simple.host}:80::rq_total::1" in clusters_page(proxy)
    assert proxy.ask_admin("/ready").body.strip() == b"LIVE"
    metrics = proxy.ask_admin("/stats/prometheus").body.decode()
    assert re.search(r'^envoy_http_downstream_rq_xx\{.*envoy_response_code_class="2".*\} 1$', metrics, re.M)
    with pytest.raises(ConnectionRefusedError):
        Client(9901, pod.host, outside.net)  # Its admin is the pod's own.


# --- three services, each with its proxy --------------------------------------------------------------------------

COMMAND = [
    "-c",
    "/etc/envoy-config.yaml",
    "--v2-config-only",
    "-l",
    "info",
    "--service-cluster",
    "{name}",
    "--service-node",
    "{name}",
    "--log-format",
    "[METADATA][%Y-%m-%d %T.%e][%t][%l][%n] %v",
]
CARRIED = [
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-ot-span-context",
]


def service_a(cluster, pod):
    """Calls B and C through its own proxy, carrying the fields that tie a trace together."""

    def answer(request):
        carried = [(n, request[n]) for n in CARRIED if n in request.fields]
        proxy = cluster.dns.zone["service_a_envoy"][0]
        b = ask(8788, "/", fields=carried, host="service_a_envoy:8788", at=proxy, net=pod.net).body
        c = ask(8791, "/", fields=carried, host="service_a_envoy:8791", at=proxy, net=pod.net).body
        return response_bytes(body=b"A then " + b + b" and " + c)

    return pod.backend(8081, answer)


def mesh(cluster):
    services = {n: cluster.pod(f"service_{n}") for n in "abc"}
    backends = {
        "a": service_a(cluster, services["a"]),
        "b": services["b"].backend(8082, lambda r: response_bytes(body=b"B")),
        "c": services["c"].backend(8083, lambda r: response_bytes(body=b"C")),
    }
    parts = [
        ("service_a_envoy", "a", 8786),
        ("service_b_envoy", "b", 8789),
        ("service_c_envoy", "c", 8790),
        ("front_envoy", None, 80),
    ]
    pods, proxies = {name: cluster.pod(name) for name, _, _ in parts}, {}
    for name, file, port in parts:
        pod = pods[name]
        pod.file("/etc/envoy-config.yaml", text(f"mesh-service-{file}.yaml" if file else "mesh-front.yaml"))
        words = [word.format(name=name.replace("_", "-")) for word in COMMAND]
        proxies[name] = pod.envoy(*words, admin=9901)
        proxies[name].pod, proxies[name].ready = pod, port
    for proxy in proxies.values():
        proxy.wait_listening(proxy.ready)
    return backends, proxies


def test_mesh_of_three_services(cluster):
    backends, proxies = mesh(cluster)
    front_host = proxies["front_envoy"].pod.host
    outside = cluster.pod("outside")
    response = outside.ask(80, at=front_host, fields=[("x-b3-traceid", "463ac35c9f6413ad"), ("x-ot-span-context", "s")])
    assert response.status == 200 and response.body == b"A then B and C"
    assert {n: len(b.requests) for n, b in backends.items()} == {"a": 1, "b": 1, "c": 1}
    for name in CARRIED[:2] + CARRIED[-1:]:
        values = {b.requests[0][name] for b in backends.values()}
        assert len(values) == 1 and None not in values, f"{name} is the same all the way"
    for name, proxy in proxies.items():
        assert proxy.stat("http.ingress.downstream_rq_2xx") == 1, name
    assert proxies["service_a_envoy"].stat("http.egress.downstream_rq_2xx") == 2
    info = proxies["front_envoy"].ask_admin("/server_info").json()
    assert info["node"]["id"] == "front-envoy" and info["node"]["cluster"] == "front-envoy"


def test_mesh_every_log_line_has_the_format_of_the_command_line(cluster):
    _, proxies = mesh(cluster)
    proxy = proxies["front_envoy"]
    assert proxy.terminate() == 0
    lines = proxy.lines["stderr"]
    assert len(lines) >= 3
    for line in lines:
        assert re.match(
            r"\[METADATA\]\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[\d+\]\[(info|warning)\]\[\w+\] \S", line
        ), line


def test_mesh_with_a_service_gone_is_answered_with_503(cluster):
    backends, proxies = mesh(cluster)
    backends["b"].close()
    response = proxies["service_a_envoy"].pod.ask(8788, at=proxies["service_a_envoy"].pod.host)
    assert response.status == 503 and response.body.endswith(b"reset reason: remote connection failure")


def test_mesh_the_log_level_can_be_changed(cluster):
    _, proxies = mesh(cluster)
    proxy = proxies["front_envoy"]
    assert proxy.ask_admin("/logging?level=debug", "POST").status == 200
    assert "http: debug" in proxy.ask_admin("/logging", "POST").body.decode()


# --- version 1 ----------------------------------------------------------------------------------------------------


def test_sidecar_of_version_1(cluster):
    pod = cluster.pod("usersvc")
    service = cluster.ending.enter_context(lab.Backend(host="127.0.0.1", port=5000, net=pod.net, name="flask"))
    pod.file("/etc/envoy.json", text("sidecar-v1.json"))
    proxy = pod.envoy("-c", "/etc/envoy.json", port=80, admin=8001)
    assert cluster.pod("outside").ask(80, "/user/health", at=pod.host).body == b"flask"
    assert "x-envoy-expected-rq-timeout-ms" not in service.requests[0].fields  # timeout_ms: 0
    assert proxy.stat("http.ingress_http.downstream_rq_2xx") == 1


def test_edge_of_version_1_with_service_discovery(cluster):
    """Three pods, each a service with its sidecar; the edge learns them from a service of discovery of its own."""
    pods, services = [cluster.pod(f"usersvc-{name}", named=False) for name in "abc"], []
    for pod in pods:
        service = lab.Backend(host="127.0.0.1", port=5000, net=pod.net, name=pod.host)
        services.append(cluster.ending.enter_context(service))
        pod.file("/etc/envoy.json", text("sidecar-v1.json"))
        pod.envoy("-c", "/etc/envoy.json", "--concurrency", "1", port=80)
    registry = cluster.pod("usersvc-sds")
    hosts = [{"ip_address": pod.host, "port": 80} for pod in pods]
    registry.file("/etc/hosts.json", json.dumps({"usersvc": hosts}))
    registry.run("/usr/local/bin/outrider", "sds", "--file", "/etc/hosts.json", "--port", "5000").wait_listening(5000)
    edge = cluster.pod("edge")
    published = json.loads(text("edge-v1.json"))
    service = {"name": "usersvc-sds", "connect_timeout_ms": 250, "type": "strict_dns", "lb_type": "round_robin"}
    published["cluster_manager"] = {
        "sds": {"cluster": {**service, "hosts": [{"url": "tcp://usersvc-sds:5000"}]}, "refresh_delay_ms": 30},
        "clusters": [
            {
                "name": "usersvc",
                "connect_timeout_ms": 250,
                "type": "sds",
                "service_name": "usersvc",
                "lb_type": "round_robin",
                "features": "http2",
            }
        ],
    }
    edge.file("/etc/envoy.json", json.dumps(published))
    proxy = edge.envoy("-c", "/etc/envoy.json", port=80, admin=8001)
    outside = cluster.pod("outside")

    def calls(count):
        answers = [outside.ask(80, "/user/alice", at=edge.host) for _ in range(count)]
        assert {a.status for a in answers} == {200}
        return [a.body.decode() for a in answers]

    assert calls(12) == [pod.host for pod in pods] * 4
    registry.file("/etc/hosts.json", json.dumps({"usersvc": hosts[1:]}))
    gone = f"usersvc::{pods[0].host}:80::"
    eventually(lambda: calls(3) and gone not in clusters_page(proxy))
    before = len(services[0].requests)
    assert set(calls(10)) == {pod.host for pod in pods[1:]}
    assert len(services[0].requests) == before
