"""What two readers could understand in two ways is refused: 400, the connection ends, and nothing reaches a backend."""

import threading

import pytest

from peers import PATIENCE_S, Client, request_bytes, response_bytes

CHUNKED = "Transfer-Encoding: chunked\r\n"
LENGTH = "Content-Length: 5\r\n"


def post(fields, body=""):
    return f"POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}"


def get(fields):
    return f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"


# name: (bytes, statuses that may answer)
REFUSED = {
    # lengths
    "length and chunked": (post(LENGTH + CHUNKED, "0\r\n\r\n"), {400}),
    "chunked and length": (post(CHUNKED + LENGTH, "0\r\n\r\n"), {400}),
    "two lengths that differ": (post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), {400}),
    "two lengths that agree": (post(LENGTH + LENGTH, "hello"), {400}),
    "a list of lengths": (post("Content-Length: 5, 5\r\n", "hello"), {400}),
    "a length with a sign": (post("Content-Length: +5\r\n", "hello"), {400}),
    "a negative length": (post("Content-Length: -5\r\n", "hello"), {400}),
    "a length in hexadecimal": (post("Content-Length: 0x5\r\n", "hello"), {400}),
    "a length with a fraction": (post("Content-Length: 5.0\r\n", "hello"), {400}),
    "a length of words": (post("Content-Length: five\r\n", "hello"), {400}),
    "an empty length": (post("Content-Length:\r\n", "hello"), {400}),
    "a length past 64 bits": (post("Content-Length: 18446744073709551621\r\n", "hello"), {400}),
    "a length with a blank inside": (post("Content-Length: 5 5\r\n", "hello"), {400}),
    # transfer codings
    "an unknown coding": (post("Transfer-Encoding: identity\r\n", "hello"), {400, 501}),
    "chunked twice": (post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), {400, 501}),
    "chunked not last": (post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), {400, 501}),
    "chunked behind gzip": (post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {400, 501}),
    "two coding fields": (post(CHUNKED + CHUNKED, "0\r\n\r\n"), {400, 501}),
    "a coding with a control character": (post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), {400, 501}),
    "a coding in quotes": (post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"), {400, 501}),
    "a coding that starts like chunked": (post("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n"), {400, 501}),
    "an empty coding": (post("Transfer-Encoding:\r\n", "0\r\n\r\n"), {400, 501}),
    "a coding in HTTP/1.0": (f"POST / HTTP/1.0\r\nHost: a\r\n{CHUNKED}\r\n0\r\n\r\n", {400, 426}),
    # field lines
    "a blank before the colon": (post("Content-Length : 5\r\n", "hello"), {400}),
    "a tab before the colon": (post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), {400}),
    "a folded line": (get("X: a\r\n Content-Length: 5\r\n"), {400}),
    "a folded coding": (post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), {400}),
    "a first field that is folded": ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", {400}),
    "a line without colon": (get("Nonsense\r\n"), {400}),
    "an empty name": (get(": value\r\n"), {400}),
    "a name with a blank": (get("X Y: value\r\n"), {400}),
    "a name with a NUL": (get("X\0Y: value\r\n"), {400}),
    "a name with parentheses": (get("X(Y): value\r\n"), {400}),
    "a name with a byte over 127": (get("X\xe9: value\r\n"), {400}),
    "a value with a NUL": (get("X: a\0b\r\n"), {400}),
    "a value with a bare CR": (get("X: a\rY: b\r\n"), {400}),
    "a value with a control character": (get("X: a\x01b\r\n"), {400}),
    "a line that ends with LF alone": ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", {400}),
    "a request line that ends with LF alone": ("GET / HTTP/1.1\nHost: a\r\n\r\n", {400}),
    "a head that ends with LF LF": ("GET / HTTP/1.1\r\nHost: a\r\n\n", {400}),
    "a line that ends with CR alone": ("GET / HTTP/1.1\rHost: a\r\n\r\n", {400}),
    # host
    "no host": ("GET / HTTP/1.1\r\nX: a\r\n\r\n", {400}),
    "two hosts": (get("Host: b\r\n"), {400}),
    "two hosts that agree": (get("Host: a\r\n"), {400}),
    "a host with a path": ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", {400}),
    "a host with user information": ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", {400}),
    "a host with a blank": ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    "two hosts in one line": ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", {400}),
    # request line
    "no target": ("GET HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "two blanks in the request line": ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a tab in the request line": ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a blank in the target": ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a blank behind the version": ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", {400}),
    "a blank before the method": (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a method that is no token": ("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "no version": ("GET /\r\nHost: a\r\n\r\n", {400, 426}),
    "version 1.2": ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", {400, 426, 505}),
    "version 2.0": ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", {400, 426, 505}),
    "version 0.9": ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", {400, 426, 505}),
    "a version in lower case": ("GET / http/1.1\r\nHost: a\r\n\r\n", {400}),
    "a version with more digits": ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", {400}),
    "a target with a NUL": ("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a target that is a word": ("GET word HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "a target with another scheme": ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "CONNECT with a path": ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "CONNECT with a body": ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello", {400}),
    # connection options
    "Connection names Host": (get("Connection: Host\r\n"), {400}),
    # other protocols
    "a TLS hello": ("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + "\x07" * 60 + "\r\n\r\n", {400}),
    "noise": ("\xff\xfe\xfd" * 20 + "\r\n\r\n", {400}),
}

# Behind a head that is in order. The backend may have seen the head; it must never see a whole request.
REFUSED_BODIES = {
    "no chunk size": "\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk size": "-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a sign": "+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a blank before it": " 5\r\nhello\r\n0\r\n\r\n",
    "a chunk size past 64 bits": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a chunk size that is no number": "zz\r\nhello\r\n0\r\n\r\n",
    "a chunk size with LF alone": "5\nhello\r\n0\r\n\r\n",
    "chunk data that is longer": "5\r\nhello!\r\n0\r\n\r\n",
    "chunk data with LF alone": "5\r\nhello\n0\r\n\r\n",
    "chunk data with CR alone": "5\r\nhello\rX0\r\n\r\n",
    "an extension with LF alone": "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "an extension with a NUL": "5;a\0\r\nhello\r\n0\r\n\r\n",
    "an endless extension": "5;" + "a" * 70_000 + "\r\nhello\r\n0\r\n\r\n",
    "a trailer without colon": "0\r\nNonsense\r\n\r\n",
    "a folded trailer": "0\r\nX: a\r\n b\r\n\r\n",
    "a trailer with a length": "0\r\nContent-Length: 5\r\n\r\n",
    "a trailer with a coding": "0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.fixture(scope="module")
def path(shared):
    backend = shared.backend()
    proxy = shared.proxy(backend)
    proxy.backend = backend
    return proxy


@pytest.mark.parametrize("name", REFUSED)
def test_refused(path, name):
    data, statuses = REFUSED[name]
    before = len(path.backend.bytes)
    with Client(path.port) as client:
        # The second request would be taken as one by whoever read the first differently.
        client.send(data.encode("latin-1") + request_bytes("/smuggled"))
        response = client.response()
        assert response.status in statuses
        assert client.rest() == b"", "the connection ends behind the refusal"
    assert len(path.backend.bytes) == before


@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_refused_body(path, name):
    whole, seen = len(path.backend.requests), len(path.backend.streams)
    with Client(path.port) as client:
        client.send((post(CHUNKED, REFUSED_BODIES[name])).encode("latin-1") + request_bytes("/smuggled"))
        answer = client.rest()
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1
    assert len(path.backend.requests) == whole
    for stream in path.backend.streams[seen:]:
        assert b"/smuggled" not in stream.received


@pytest.mark.parametrize(
    "fields, body",
    [
        ("Content-Length: 5\r\n", b"hello"),
        ("Content-Length: 0005\r\n", b"hello"),
        ("Content-Length:   5  \r\n", b"hello"),
        ("Transfer-Encoding: Chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        ("Connection: Content-Length\r\nContent-Length: 5\r\n", b"hello"),
        ("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding:chunked \r\n", b"005\r\nhello\r\n000\r\n\r\n"),
    ],
)
def test_what_is_unusual_but_clear_passes(path, fields, body):
    with Client(path.port) as client:
        client.send(post(fields).encode() + body)
        assert client.response().status == 200
    assert path.backend.requests[-1].body == b"hello"


RESPONSES_REFUSED = {
    "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length and chunked": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a folded line": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a value with a bare CR": "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    "a name with a blank": "HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n",
    "another protocol": "220 smtp ready\r\n\r\n",
    "a status of two digits": "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a value with a NUL": "HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n",
    "101 to a request without upgrade": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("name", RESPONSES_REFUSED)
def test_a_response_that_is_ambiguous_becomes_502_and_its_connection_is_not_used_again(stage, name):
    backend = stage.backend(
        lambda r: (
            RESPONSES_REFUSED[name].encode("latin-1")
            if r.target == "/bad"
            else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )
    )
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    assert client.ask("/bad").status == 502
    assert client.ask("/good").body == b"ok"
    assert len(backend.streams) == 2
    assert proxy.stat("cluster.backend.upstream_cx_protocol_error") == 1


def test_bytes_behind_a_response_are_given_to_nobody(stage):
    backend = stage.backend(
        lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    )
    client = stage.client(stage.proxy(backend))
    for _ in range(3):
        assert client.ask().body == b"ok"
    assert len(backend.streams) == 3


def test_bytes_before_a_request_are_no_response_to_it(stage):
    said, ready = threading.Event(), threading.Event()

    def serve(stream):
        stream.request()
        stream.send(response_bytes(body=b"ok"))
        if backend.streams[0] is stream:
            said.wait(PATIENCE_S)
            stream.send(response_bytes(body=b"evil"))
            ready.set()
        stream.request()

    backend = stage.backend(serve=serve)
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    assert client.ask().body == b"ok"
    said.set()
    assert ready.wait(PATIENCE_S)
    assert client.ask().body == b"ok"
    assert len(backend.streams) == 2
