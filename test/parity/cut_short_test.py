"""A backend that dies within its answer: what the client gets, what the log says, what is counted."""

import socket
import struct
import threading

import pytest

from config_text import route
from peers import PATIENCE_S, request_bytes
from sides import both, compare_counted, needed

pytestmark = needed

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = OK + b"Content-Length: 10\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# What the backend says before it dies, and what the client sees last of it; None: it gets a response of the proxy's.
CUTS = {
    "nothing": (b"", None),
    "part of a status line": (b"HTTP/1.1 2", None),
    "part of a field": (OK + b"Content-", None),
    "an interim response": (CONTINUE, None),
    "an interim response and part of a head": (CONTINUE + OK, None),
    "a head with a length": (LENGTH, b"\r\n\r\n"),
    "half of a length": (LENGTH + b"12345", b"12345"),
    "a head of chunks": (CHUNKED, b"\r\n\r\n"),
    "a chunk": (CHUNKED + b"5\r\n12345\r\n", b"12345\r\n"),
    "part of a chunk": (CHUNKED + b"5\r\n123", b"123\r\n"),
    "a chunk and part of the last": (CHUNKED + b"5\r\n12345\r\n0\r\n", b"12345\r\n"),
    "a chunk and nonsense": (CHUNKED + b"5\r\n12345\r\nnonsense\r\n", b"\r\n\r\n"),
}


SEEN = threading.Event()  # By the client. A reset destroys what is still on its way to it.


def serve(stream):
    how, name = stream.request().target.strip("/").split("/")
    said, seen = CUTS[name.replace("-", " ")]
    stream.send(said)
    if said.endswith(b"nonsense\r\n"):
        stream.rest()  # It is the proxy that hangs up.
    if how == "fin":
        return
    if seen is not None:
        assert SEEN.wait(PATIENCE_S)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, serve=serve, routes=[route("backend")])


def talk(how, name):
    def with_client(client):
        seen = CUTS[name][1]
        SEEN.clear()
        client.send(request_bytes(f"/{how}/{name.replace(' ', '-')}"))
        if seen is None:
            response = client.response()
            return response.status, response.body
        head = client.until(b"\r\n\r\n")
        body = b"" if seen == b"\r\n\r\n" else client.until(seen)
        SEEN.set()
        return head.split(b"\r\n")[0], body

    return with_client


@pytest.mark.parametrize("name", CUTS)
def test_a_backend_that_hangs_up(sides, name):
    compare_counted(sides, talk("fin", name))


@pytest.mark.parametrize("name", ["nothing", "half of a length", "a chunk"])
def test_a_backend_that_resets(sides, name):
    compare_counted(sides, talk("rst", name))


def test_a_reset_is_no_end_of_a_body_without_length(stage):
    """Envoy tells its client that the body is whole; outrider that it is not, since nobody knows."""

    def answer(stream):
        stream.request()
        stream.send(OK + b"\r\n12345")
        assert SEEN.wait(PATIENCE_S)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def with_client(client):
        SEEN.clear()
        client.send(request_bytes())
        client.until(b"12345\r\n")
        SEEN.set()
        return client.rest() if not theirs else client.until(b"0\r\n\r\n")

    for theirs, side in enumerate(both(stage, serve=answer, routes=[route("backend")])):
        seen = side.counted(with_client)
        assert seen["said"] == (b"0\r\n\r\n" if theirs else b"")
        assert [line.split()[1:3] for line in seen["log"]] == [
            ["-", "via_upstream"] if theirs else ["UC", "upstream_reset_after_response_started{connection_termination}"]
        ]
