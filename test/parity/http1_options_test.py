"""http_protocol_options of the connection manager: what HTTP/1 clients may send, and what becomes of the connection."""

import pytest

from config_text import route
from peers import Client, Hangup, request_bytes
from sides import both, compare, needed

pytestmark = needed


def pair(stage, fields=None, **more):
    return both(stage, routes=[route("backend")], http_protocol_options=fields or {}, **more)


@pytest.mark.parametrize("target", ["http://b/x?y", "https://b", "x", "*", "http://"])
def test_without_absolute_urls(stage, target):
    compare(pair(stage, {"allow_absolute_url": False}), f"GET {target} HTTP/1.1\r\nhost: a\r\n\r\n".encode())


@pytest.mark.parametrize("protocol", ["foo", "FOO", "bar", "foo, bar", "foo,websocket", "foo2"])
def test_upgrades_that_are_passed_over(stage, protocol):
    options = {"ignore_http_11_upgrade": [{"exact": "foo"}, {"prefix": "foo2"}]}
    compare(pair(stage, options), request_bytes(fields=[("Connection", "Upgrade"), ("Upgrade", protocol)]))


@pytest.mark.parametrize("length", ["99", "3", "x"])
def test_a_length_beside_chunks(stage, length):
    head = f"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n"
    compare(pair(stage, {"allow_chunked_length": True}), head.encode() + b"3\r\nabc\r\n0\r\n\r\n")


INVALID = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no host, length 0": b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    "no host, body": b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
    "escaped slash": b"GET /%2f HTTP/1.1\r\nhost: a\r\n\r\n",
    "no field": b"GET / HTTP/1.1\r\nhost: a\r\nx_y\r\n\r\n",
    "bad connection": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: a,b,c,d,e,f,g,h,i,j,k\r\n\r\n",
    "many fields": b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
}


def after(side, data):
    """The answer to it, and that to a good request behind it."""
    with Client(side.proxy.port) as client:
        client.send(data)
        first = client.response()
        client.send(request_bytes())
        try:
            then = client.response().status
        except (Hangup, OSError):
            then = "closed"
        return first.status, first["connection"], then


@pytest.mark.parametrize("of", ["listener", "protocol", "neither"])
def test_connections_after_what_is_invalid(stage, of):
    own = {"override_stream_error_on_invalid_http_message": True} if of == "protocol" else {}
    more = {"stream_error_on_invalid_http_message": True} if of == "listener" else {}
    sides = pair(stage, own, normalize_path=True, path_with_escaped_slashes_action="REJECT_REQUEST", **more)
    found = {what: tuple(after(side, data) for side in sides) for what, data in INVALID.items()}
    assert {what: a for what, (a, b) in found.items()} == {what: b for what, (a, b) in found.items()}
    assert found["no host"][0][2] == ("closed" if of == "neither" else 200)
