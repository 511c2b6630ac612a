"""`./dev run` as a newcomer meets it."""

import signal
import socket

import pytest
from websockets.sync.client import connect

from peers import PATIENCE_S, Client
from processes import BINARY, ROOT

PORTS = (8001, 8081, 8082, 9000)


@pytest.fixture
def example(stage):
    dev = stage.process(["./dev", "run"], cwd=ROOT, env={"OUTRIDER": BINARY})
    dev.wait_line("Ctrl-C ends it", output="stdout")
    yield dev
    if dev.alive:
        dev.signal(signal.SIGTERM)
        dev.wait()


def test_the_simple_example_balances_echoes_and_upgrades_and_ends_cleanly(example):
    assert "    curl -i http://127.0.0.1:9000/" in example.stdout
    assert "    admin: http://127.0.0.1:8001/" in example.stdout
    with Client(9000) as client:
        answers = [client.ask("/") for _ in range(4)]
        assert answers[0].json()["host"] == "test.example"
        names = [answer["x-echo-name"] for answer in answers]
        assert sorted(names[:2]) == ["service1", "service2"] and names[2:] == names[:2]
        body = b'{"name": "outrider"}'
        assert client.ask("/echo", "POST", [("content-type", "application/json")], body).json() == {"name": "outrider"}
    with connect("ws://127.0.0.1:9000/ws", open_timeout=PATIENCE_S) as ws:
        ws.send("hello")
        assert ws.recv(PATIENCE_S) == "hello"
    with Client(8001) as admin:
        clusters = admin.ask("/clusters").body.decode()
    assert "myservice::127.0.0.1:8081::rq_total::" in clusters
    assert "myservice::127.0.0.1:8082::rq_total::" in clusters

    example.signal(signal.SIGINT)
    assert example.wait() == 0
    assert not any(map(example_listens, PORTS))


def example_listens(port):
    try:
        with Client(port):
            return True
    except ConnectionRefusedError:
        return False


@pytest.fixture
def running(stage):
    """Starts an example by its name."""
    started = []

    def run(name):
        started.append(stage.process(["./dev", "run", name], cwd=ROOT, env={"OUTRIDER": BINARY}))
        started[-1].wait_line("Ctrl-C ends it", output="stdout")
        return started[-1]

    yield run
    for dev in started:
        if dev.alive:
            dev.signal(signal.SIGTERM)
            dev.wait()


def stats_of(host, port):
    with Client(port, host) as admin:
        lines = admin.ask("/stats").body.decode().splitlines()
    return {name: value for name, value in (line.split(": ", 1) for line in lines)}


def test_the_mesh_speaks_http2_between_its_proxies(running):
    running("mesh")
    with Client(9000) as client:
        names = [client.ask("/")["x-echo-name"] for _ in range(4)]
        assert sorted(names[:2]) == ["service1", "service2"] and names[2:] == names[:2]
        body = b'{"name": "outrider"}'
        assert client.ask("/echo", "POST", [("content-type", "application/json")], body).json() == {"name": "outrider"}
    for _ in range(2):  # Once by each sidecar.
        with connect("ws://127.0.0.1:9000/ws", open_timeout=PATIENCE_S) as ws:
            for message in ["hello", "x" * 100_000]:
                ws.send(message)
                assert ws.recv(PATIENCE_S) == message
    front = stats_of("127.0.0.1", 8001)
    assert int(front["cluster.myservice.upstream_cx_http2_total"]) >= 2
    assert front["http.ingress_http.downstream_cx_http2_total"] == "0"
    for sidecar in ("127.0.0.2", "127.0.0.3"):
        stats = stats_of(sidecar, 8001)
        assert int(stats["http.ingress_http.downstream_cx_http2_total"]) >= 1
        assert int(stats["http.ingress_http.downstream_rq_http2_total"]) >= 3
        assert stats["cluster.local_service.upstream_cx_http2_total"] == "0"


def test_three_services_answer_through_their_proxies(running):
    running("three-services")
    with Client(8080) as client:
        answer = client.ask("/")
    assert answer.body == b"Hello from service A\nHello from service B\nHello from service C\n"
    assert stats_of("127.0.0.2", 9901)["http.egress.downstream_rq_2xx"] == "2"


def test_a_port_in_use_is_named_before_anything_is_started(stage):
    with socket.create_server(("127.0.0.1", 9000)):
        dev = stage.process(["./dev", "run"], cwd=ROOT, env={"OUTRIDER": BINARY})
        assert dev.wait() == 1
    assert dev.stderr.splitlines() == ["./dev: port 9000 of 127.0.0.1 is in use, and examples/simple needs it"]


def test_an_unknown_example_is_answered_with_those_that_exist(stage):
    dev = stage.process(["./dev", "run", "nosuch"], cwd=ROOT, env={"OUTRIDER": BINARY})
    assert dev.wait() == 1
    assert "no such example: nosuch. There are: mesh/ simple/" in dev.stderr


def test_dev_lists_its_verbs(stage):
    dev = stage.process(["./dev"], cwd=ROOT)
    assert dev.wait() == 0
    for verb in ("run", "test", "build", "bench", "fmt", "tidy", "asan", "tsan", "fuzz", "clean"):
        assert f"\n  {verb} " in dev.stdout
