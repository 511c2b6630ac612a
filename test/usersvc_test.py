"""The application of a tutorial of 2018: a service with a database, sidecars, an edge proxy, service discovery."""

import json
import re
import signal
import subprocess

import pytest

from peers import ask, eventually
from processes import BINARY, ROOT

PYTHON = "/usr/bin/python3"  # Of the distribution, whose packages the example installs.
HOSTS = ROOT / "build/usersvc/hosts.json"
EDGE, ADMIN = 8000, 8002
installed = subprocess.run([PYTHON, "-c", "import flask, psycopg2"], capture_output=True).returncode == 0


@pytest.fixture
def example(stage):
    dev = stage.process(["./dev", "run", "usersvc"], cwd=ROOT, env={"OUTRIDER": BINARY})
    try:
        for line in (ROOT / "examples/usersvc/processes").read_text().splitlines()[1:]:
            dev.wait_line(f"==> {re.escape(line.split(None, 1)[1])}$")  # Each may take its time.
        dev.wait_line("Ctrl-C ends it", output="stdout")
        yield dev
    finally:
        if dev.alive:
            dev.signal(signal.SIGTERM)
            dev.wait()


def resolved_names(count):
    """Each call on a connection of its own."""
    answers = [ask(EDGE, "/user/alice") for _ in range(count)]
    assert {a.status for a in answers} == {200}
    return [a.json()["resolvedname"] for a in answers]


@pytest.mark.skipif(not installed, reason="needs Flask and PostgreSQL, which ./dev run usersvc installs")
def test_users_are_kept_calls_go_round_and_a_host_that_leaves_gets_none(example):
    assert "    curl http://127.0.0.1:8000/user/health" in example.stdout
    alice = json.dumps({"fullname": "Alice", "password": "alicerules"}).encode()
    stored = ask(EDGE, "/user/alice", "PUT", [("content-type", "application/json")], alice).json()
    assert stored["ok"] and stored["fullname"] == "Alice" and re.fullmatch("[0-9A-F]{32}", stored["uuid"])
    shown = ask(EDGE, "/user/alice").json()
    assert shown["uuid"] == stored["uuid"] and shown["hostname"] != stored["hostname"]
    health = ask(EDGE, "/user/health").json()
    assert health["ok"] and health["msg"] == "user health check OK"
    assert ask(EDGE, "/user/bob").status == 404
    assert ask(EDGE, "/other").status == 404

    called = resolved_names(12)
    assert sorted(called[:3]) == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert called == called[:3] * 4

    hosts = json.loads(HOSTS.read_text())
    gone = hosts["usersvc"].pop(1)["ip_address"]
    HOSTS.write_text(json.dumps(hosts))
    seen = []

    def two_are_left():
        seen.extend(resolved_names(2))
        return f"usersvc::{gone}:8080" not in ask(ADMIN, "/clusters").body.decode()

    eventually(two_are_left, lambda: f"{gone} leaves; {seen}")
    assert set(resolved_names(12)) == {"127.0.0.2", "127.0.0.4"}

    example.signal(signal.SIGINT)
    assert example.wait() == 0
