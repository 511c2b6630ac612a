"""The access_log of a listener: a line for each connection, when it has ended."""

import random
import re

import pytest

from config_text import bootstrap, file_log, listener, typed, virtual_host
from envoy_binary import ENVOY
from peers import Client, Hangup, eventually, request_bytes
from processes import BINARY, free_port
from sides import needed

pytestmark = needed

TEXT = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %PROTOCOL% %REQ(:METHOD)% "
    "%REQ(:PATH)% %REQ(:AUTHORITY)% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% %ROUTE_NAME% %FILTER_CHAIN_NAME% "
    "%ACCESS_LOG_TYPE% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% "
    "%METADATA(LISTENER:a:b)%"
)
# The bytes of an answer that this proxy words in its own way.
OWN_WORDS = re.compile(r"^(\S+ DPE \S+ \S+) \d+")


def one_request(client):
    client.ask("/")


def two_requests(client):
    client.ask("/")
    client.ask("/b", fields=[("x-long", "x" * 5000)])


def no_http(client):
    client.send(b"GARBAGE\r\n\r\n").response()


def http_10(client):
    client.send(b"GET / HTTP/1.0\r\nhost: a\r\n\r\n").response()


def without_host(client):
    client.send(b"GET / HTTP/1.1\r\n\r\n").response()


def half_a_head(client):
    client.send(b"GET / HTTP/1.1\r\nho")


def nothing(client):
    pass


def asked_to_close(client):
    client.ask("/", fields=[("connection", "close")])
    client.at_end()


def a_reset(client):
    client.ask("/")
    client.reset()


def garbage_after_a_request(client):
    client.ask("/")
    client.send(b"GARBAGE\r\n\r\n").response()


def idle_too_long(client):
    client.ask("/idle")
    assert client.at_end()


TALKS = [
    one_request,
    two_requests,
    no_http,
    http_10,
    without_host,
    half_a_head,
    nothing,
    asked_to_close,
    a_reset,
    garbage_after_a_request,
    idle_too_long,
]


class Logged:
    """Each proxy with listeners of one log."""

    def __init__(self, stage, change=lambda listener: listener, **log):
        direct = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
        more = {"http_protocol_options": {"accept_http_10": True}}
        more["common_http_protocol_options"] = {"idle_timeout": "0.3s"}
        self.sides, self.port = {}, free_port()
        for name, binary, flags in (("ours", BINARY, ()), ("theirs", ENVOY, ("-l", "off"))):
            path, port = stage.directory / f"{name}-{self.port}.log", free_port()
            made = listener(port, [virtual_host(direct)], **more)
            made["filter_chains"][0]["name"] = "chain"
            made["metadata"] = {"filter_metadata": {"a": {"b": "c"}}}
            entry = {**file_log(path, TEXT), **log}
            flags = (*flags, "--file-flush-interval-msec", "10")
            if name == "theirs":
                flags += ("--base-id", str(random.randrange(1 << 20)))
            stage.start(bootstrap([change({**made, "access_log": [entry]})], []), *flags, ports=[port], binary=binary)
            self.sides[name] = port, path

    def lines(self, talk, count=1):
        found = {}
        for name, (port, path) in self.sides.items():

            def lines():
                return path.read_text().splitlines() if path.exists() else []

            before = len(lines())
            try:
                with Client(port) as client:
                    talk(client)
            except (Hangup, ConnectionError):
                pass
            eventually(lambda: len(lines()) >= before + count, f"{count} more lines of {name}")
            found[name] = [OWN_WORDS.sub(r"\1", line) for line in lines()[before:]]
        assert found["ours"] == found["theirs"]
        return found["ours"]


@pytest.fixture(scope="module")
def logged(shared):
    return Logged(shared)


@pytest.mark.parametrize("talk", TALKS, ids=lambda t: t.__name__)
def test_a_connection_has_one_line_when_it_has_ended(logged, talk):
    assert len(logged.lines(talk)) == 1


def test_its_bytes_are_those_of_all_requests(logged):
    assert int(logged.lines(two_requests)[0].split()[3]) > 5000


def without_its_chain(made):
    made["filter_chains"][0]["filter_chain_match"] = {"destination_port": 1}
    return made


def without_filters(made):
    made["filter_chains"][0]["filters"] = []
    return made


def test_a_connection_without_filter_chain_has_a_line(stage):
    assert Logged(stage, without_its_chain).lines(one_request)[0].startswith("0 NR filter_chain_not_found 0 0 -")


def test_a_connection_of_a_chain_without_filters_has_a_line(stage):
    for port, path in Logged(stage, without_filters).sides.values():
        with Client(port):
            eventually(lambda: path.exists() and path.read_text().startswith("0 - - 0 0 -"), f"a line in {path}")


def test_filters_choose_among_connections(stage):
    comparison = {"op": "GE", "value": {"default_value": 1000, "runtime_key": "none"}}
    only = {"response_flag_filter": {"flags": ["DPE"]}}
    some = Logged(stage, filter={"or_filter": {"filters": [{"duration_filter": {"comparison": comparison}}, only]}})
    for port, _ in some.sides.values():
        with Client(port) as client:
            client.ask("/")
    assert some.lines(no_http)[0].split()[1] == "DPE"
