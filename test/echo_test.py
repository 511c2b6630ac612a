"""`outrider echo`: the service behind the examples."""

import json
import signal
import subprocess

import pytest
from websockets.sync.client import connect

from peers import PATIENCE_S, ask
from processes import BINARY, free_port


@pytest.fixture(scope="module")
def echo(shared):
    port = free_port()
    shared.process([BINARY, "echo", "--port", port, "--name", "one"]).wait_listening(port)
    return port


def test_get_answers_with_the_fields_of_the_request(echo):
    done = subprocess.run(
        ["curl", "-sS", "-H", "X-Mine: 1", f"http://127.0.0.1:{echo}/"], capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert seen["host"] == f"127.0.0.1:{echo}" and seen["x-mine"] == "1"


def test_post_answers_with_the_body(echo):
    response = ask(echo, "/echo", "POST", [("Content-Type", "application/json")], b'{"name": "zcong"}')
    assert response.status == 200 and response.json() == {"name": "zcong"}
    assert response["content-type"].startswith("application/json")


def test_post_of_what_is_no_json_is_refused(echo):
    assert ask(echo, "/echo", "POST", body=b"{").status == 400


def test_its_name_is_told(echo):
    assert ask(echo)["x-echo-name"] == "one"


def test_websocket_frames_come_back(echo):
    with connect(f"ws://127.0.0.1:{echo}/ws", open_timeout=PATIENCE_S) as ws:
        for message in ("text", b"\x00\xff", "x" * 100_000):
            ws.send(message)
            assert ws.recv(PATIENCE_S) == message


def test_a_port_in_use_is_named(shared, echo):
    process = shared.process([BINARY, "echo", "--port", echo])
    assert process.wait() == 1 and str(echo) in process.stderr


def test_sigterm_ends_it(shared):
    port = free_port()
    process = shared.process([BINARY, "echo", "--port", port]).wait_listening(port)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
