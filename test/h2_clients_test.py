"""Clients of HTTP/2 that others wrote: curl, nghttp, h2load and python's h2."""

import os
import re
import shutil
import socket
import subprocess

import h2.config
import h2.connection
import h2.events
import pytest

from config_text import http2_cluster, route
from h2_talk import H2Backend
from peers import PATIENCE_S, response_bytes

BODY = os.urandom(1_000_000)


def installed(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"there is no {tool}")


def echo1(request):
    return response_bytes(fields=[("x-method", request.method)], body=request.body or b"hello")


def echo2(request):
    request.reply(fields=[("x-method", request.method)], body=request.body or b"hello", trailers=request.trailers)


@pytest.fixture(scope="module", params=["http1", "http2"])
def proxy(shared, request):
    if request.param == "http1":
        backend = shared.backend(echo1, name="backend")
        return shared.proxy(backend, codec_type="AUTO")
    backend = shared.ending.enter_context(H2Backend(echo2, name="backend"))
    return shared.proxy(route("backend"), clusters=[http2_cluster("backend", backend)], codec_type="AUTO")


def run(*words, data=None):
    done = subprocess.run([str(w) for w in words], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{words}\n{done.stderr.decode(errors='replace')[-3000:]}"
    return done.stdout


@installed("curl")
def test_curl_takes_an_answer_that_comes_before_its_body(stage):
    """It sends them one after the other, and would take a reset in between for a failure."""
    direct = {"match": {"prefix": "/"}, "direct_response": {"status": 404, "body": {"inline_string": "no"}}}
    url = f"http://127.0.0.1:{stage.proxy(direct, clusters=[], codec_type='HTTP2').port}/"
    for _ in range(20):
        assert run("curl", "-sS", "--http2-prior-knowledge", "-w", "%{http_code}", "-d", "hello", url) == b"no404"


@installed("curl")
@pytest.mark.parametrize("words", [["--http2-prior-knowledge"], ["--http2"], ["--http1.1"]], ids=lambda w: w[0])
def test_curl_gets_and_posts(proxy, words, tmp_path):
    url = f"http://127.0.0.1:{proxy.port}/"
    body, version = tmp_path / "body", "2" if words[0] == "--http2-prior-knowledge" else "1.1"
    (tmp_path / "sent").write_bytes(BODY)
    for sent, got in (([], b"hello"), (["--data-binary", f"@{tmp_path / 'sent'}"], BODY)):
        # h2c by upgrade is not taken, as by Envoy: the answer comes in HTTP/1.1.
        assert run("curl", "-sS", "-o", body, "-w", "%{http_version} %{http_code}", *words, *sent, url) == (
            f"{version} 200".encode()
        )
        assert body.read_bytes() == got


@installed("curl")
def test_curl_sees_no_body_of_a_head(proxy):
    said = run("curl", "-sS", "-I", "--http2-prior-knowledge", f"http://127.0.0.1:{proxy.port}/")
    assert said.startswith(b"HTTP/2 200") and b"x-method: HEAD" in said


@installed("nghttp")
def test_nghttp_gets_and_posts(proxy, tmp_path):
    url = f"http://127.0.0.1:{proxy.port}/"
    assert run("nghttp", url) == b"hello"
    (tmp_path / "sent").write_bytes(BODY)
    assert run("nghttp", "-d", tmp_path / "sent", url) == BODY
    said = run("nghttp", "-nv", "-m", "10", "--trailer", "t: 1", "-d", tmp_path / "sent", url).decode()
    assert said.count(":status: 200") == 10 and "GOAWAY frame <length=8, flags=0x00" not in said.split("send")[0]


@installed("h2load")
@pytest.mark.parametrize("streams", [1, 100])
def test_h2load_has_every_request_answered(proxy, streams, tmp_path):
    (tmp_path / "sent").write_bytes(BODY[:20_000])
    for more in ([], ["-d", tmp_path / "sent"]):
        url = f"http://127.0.0.1:{proxy.port}/"
        said = run("h2load", "-n", "1000", "-c", "4", "-m", streams, *more, url).decode()
        assert re.search(r"1000 succeeded, 0 failed, 0 errored, 0 timeout", said), said


class PythonH2:
    """A client of python's h2, which checks all that it is sent by the RFC's rules."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.bodies, self.heads, self.trailers, self.over = {}, {}, {}, set()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, method="GET", body=b"", trailers=()):
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", "/")]
        self.h2.send_headers(stream, fields, end_stream=not body and not trailers)
        self.flush()
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if not room:
                self.read()
                continue
            self.h2.send_data(stream, body[:room], end_stream=room == len(body) and not trailers)
            body = body[room:]
            self.flush()
        if trailers:
            self.h2.send_headers(stream, trailers, end_stream=True)
        self.flush()
        return stream

    def read(self):
        data = self.socket.recv(65536)
        assert data, "the proxy hung up"
        for e in self.h2.receive_data(data):
            if isinstance(e, h2.events.ResponseReceived):
                self.heads[e.stream_id] = dict(e.headers)
            elif isinstance(e, h2.events.DataReceived):
                self.bodies[e.stream_id] = self.bodies.get(e.stream_id, b"") + e.data
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
            elif isinstance(e, h2.events.TrailersReceived):
                self.trailers[e.stream_id] = e.headers
            elif isinstance(e, (h2.events.StreamEnded, h2.events.StreamReset)):
                self.over.add(e.stream_id)
        self.flush()

    def body(self, stream):
        while stream not in self.over:
            self.read()
        return self.bodies.get(stream, b"")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_python_h2_finds_no_fault(proxy):
    with PythonH2(proxy.port) as client:
        streams = [client.ask() for _ in range(100)]
        assert [client.body(s) for s in streams] == [b"hello"] * 100
        large = client.ask("POST", BODY)
        assert client.body(large) == BODY and client.heads[large][":status"] == "200"
        assert client.body(client.ask("HEAD")) == b""
        with_trailers = client.ask("POST", b"body", [("t", "1")])
        assert client.body(with_trailers) == b"body"
        assert client.trailers.get(with_trailers) in (None, [("t", "1")])
