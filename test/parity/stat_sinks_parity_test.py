"""What statsd, dogstatsd and graphite hear, beside Envoy's lines after the same traffic."""

import collections
import re
import socket

import pytest

from config_text import address, cluster, route, typed
from peers import Client, eventually
from sides import Side, needed

pytestmark = needed

SINKS = {
    "statsd": ("statsd", "envoy.config.metrics.v3.StatsdSink", {}),
    "statsd with a prefix": ("statsd", "envoy.config.metrics.v3.StatsdSink", {"prefix": "mine"}),
    "dogstatsd": ("dog_statsd", "envoy.config.metrics.v3.DogStatsdSink", {}),
    "dogstatsd in large datagrams": (
        "dog_statsd",
        "envoy.config.metrics.v3.DogStatsdSink",
        {"max_bytes_per_datagram": 1000, "prefix": "mine"},
    ),
    "graphite": (
        "graphite_statsd",
        "envoy.extensions.stat_sinks.graphite_statsd.v3.GraphiteStatsdSink",
        {"prefix": "graphite"},
    ),
}
# Of the process, of what only outrider has, or of when something is seen.
OTHER = (
    r".*(_cx_destroy|_cx_active|\.server\.|filesystem|runtime|_manager|main_thread|admin|accept_emfile|rq_loop|version"
    r"|lb_|update_).*"
)


class Datagrams:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.heard = []

    def lines(self):
        try:
            while True:
                self.heard += self.socket.recv(65536).decode().split("\n")
        except BlockingIOError:
            return self.heard


def parsed(line):
    """Name, tags, type, value."""
    name, value, kind, *rest = re.match(r"([^|]*):([^:|]*)\|(\w+)(.*)", line).groups()
    name, *tags = name.split(";")
    tags += [t.replace(":", "=", 1) for t in rest[0].partition("|#")[2].split(",") if t]
    return name, tuple(sorted(tags)), kind, value


def counters(side, lines):
    """Every counter's sum; of gauges and times that they are there."""
    sums = collections.Counter()
    for line in lines:
        name, tags, kind, value = parsed(line.replace(f"_{side.proxy.port}", "_PORT"))
        if not re.fullmatch(OTHER, name + " ".join(tags)):
            sums[name, tags, kind] += int(value) if kind == "c" else 0
    return sums


def to_sink(udp, sink):
    name, message, fields = SINKS[sink]
    place = address(udp.socket.getsockname()[1])
    place["socket_address"]["protocol"] = "UDP"
    return {"name": f"envoy.stat_sinks.{name}", "typed_config": typed(message, address=place, **fields)}


def all_at_least(sums, name, least):
    found = [value for key, value in sums.items() if key[0].endswith(name) and key[2] == "c"]
    return bool(found) and min(found) >= least


def compare(sides, lines, last):
    found = []
    for side, heard in zip(sides, lines):
        for path in ("/", "/nowhere"):
            with Client(side.proxy.port) as client:
                client.ask(path)
        side.proxy.wait_stat("http.in.downstream_cx_active", 0)
        eventually(lambda: all_at_least(counters(side, heard()), last, 2), last)
        eventually(lambda: any("downstream_cx_length_ms" in l for l in heard()), "the length of a connection")
        found.append(counters(side, heard()))
    ours, theirs = found
    assert len(ours) > 20
    assert sorted(k for k in ours if k not in theirs) == []
    sums = {k: (ours[k], theirs[k]) for k in ours if k[2] == "c" and "_bytes_" not in k[0]}
    assert {k: v for k, v in sums.items() if v[0] != v[1]} == {}


def sides_with(stage, sink_of):
    sides, heard = [], []
    for name in ("outrider", "envoy"):
        udp = Datagrams()
        options = {
            "routes": [route("backend", "/")],
            "clusters": lambda backend: [cluster("backend", backend)],
            "bootstrap": {"stats_flush_interval": "0.1s", "stats_sinks": [sink_of(udp)]},
        }
        sides.append(Side(stage, name, **options))
        heard.append(udp.lines)
    return sides, heard


@pytest.mark.parametrize("sink", SINKS)
def test_lines(stage, sink):
    sides, heard = sides_with(stage, lambda udp: to_sink(udp, sink))
    compare(sides, heard, "upstream_rq_completed")
