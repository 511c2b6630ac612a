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


def test_a_port_in_use_is_named_before_anything_is_started(stage):
    with socket.create_server(("127.0.0.1", 9000)):
        dev = stage.process(["./dev", "run"], cwd=ROOT, env={"OUTRIDER": BINARY})
        assert dev.wait() == 1
    assert dev.stderr.splitlines() == ["./dev: port 9000 of 127.0.0.1 is in use, and examples/simple needs it"]


def test_an_unknown_example_is_answered_with_those_that_exist(stage):
    dev = stage.process(["./dev", "run", "nosuch"], cwd=ROOT, env={"OUTRIDER": BINARY})
    assert dev.wait() == 1
    assert "no such example: nosuch. There are: simple/" in dev.stderr


def test_dev_lists_its_verbs(stage):
    dev = stage.process(["./dev"], cwd=ROOT)
    assert dev.wait() == 0
    for verb in ("run", "test", "build", "bench", "fmt", "tidy", "asan", "tsan", "fuzz", "clean"):
        assert f"\n  {verb} " in dev.stdout
