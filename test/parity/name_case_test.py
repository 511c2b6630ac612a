"""Field names Written-So: header_key_format, towards clients and towards hosts."""

import pytest

from config_text import http1_cluster, route
from peers import Client, request_bytes, response_bytes
from sides import both, needed

pytestmark = needed

WORDS = {"header_key_format": {"proper_case_words": {}}}
FIELDS = [("x-request-id", "mine"), ("fOO$b#$are", "1"), ("x-b3-traceid", "2"), ("1a-2b", "3"), ("a_b", "4")]
ANSWER = response_bytes(fields=[("set-cookie", "a=b"), ("X-made--BY", "c"), ("date", "yesterday")], body=b"hello")
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def names(head):
    """Of each line its name, but for those that only one of the proxies writes."""
    lines = head.decode().split("\r\n")[1:]
    return sorted(line.split(":")[0] for line in lines if ":" in line and not line.lower().startswith("cdn-loop"))


def talk(sides, data, to="GET"):
    said = []
    for side in sides:
        with Client(side.proxy.port) as client:
            answer = client.send(data).response(to)
        said.append((names(answer.head), [names(r.head) for r in side.backend.requests[-1:]]))
    assert said[0] == said[1]
    return said[0]


def proxies(stage, answer, downstream=None, upstream=None):
    return both(
        stage,
        answer=answer,
        routes=[route("backend")],
        clusters=lambda backend: [http1_cluster("backend", backend, http1=upstream)],
        http_protocol_options=downstream or {},
    )


def test_towards_clients(stage):
    said = talk(proxies(stage, lambda r: ANSWER, downstream=WORDS), request_bytes(fields=FIELDS))
    assert {"Set-Cookie", "X-Made--By", "Content-Length", "Server"} <= set(said[0])
    assert "fOO$b#$are".lower() in said[1][0]


def test_towards_hosts(stage):
    said = talk(proxies(stage, lambda r: ANSWER, upstream=WORDS), request_bytes(fields=FIELDS))
    assert {"Host", "X-Request-Id", "Foo$B#$Are", "X-B3-Traceid", "1a-2b", "A_B"} <= set(said[1][0])
    assert "set-cookie" in said[0]


def test_a_chunked_answer_of_both(stage):
    said = talk(proxies(stage, lambda r: CHUNKED, WORDS, WORDS), request_bytes(fields=FIELDS))
    assert "Transfer-Encoding" in said[0]


def test_an_answer_of_the_proxy(stage):
    said = talk(proxies(stage, lambda r: ANSWER, WORDS), b"GET / HTTP/1.1\r\n\r\n")
    assert {"Connection", "Content-Length", "Date", "Server"} <= set(said[0])


def test_without_it_names_are_in_lower_case(stage):
    said = talk(proxies(stage, lambda r: ANSWER), request_bytes(fields=FIELDS))
    assert "set-cookie" in said[0] and "x-b3-traceid" in said[1][0]
