"""How a cluster's connections are made: where they come from, what becomes of sockets that cannot be had."""

import pytest
from config_text import cluster, route
from peers import request_bytes
from sides import Side, compare_whole, needed

pytestmark = needed

KEEPCNT, TCP = 6, 6
ELSEWHERE = "192.0.2.9"  # No address of this machine.


def source(address, **fields):
    return {"source_address": {"address": address, "port_value": 0}, **fields}


def option(value, state="STATE_PREBIND", **fields):
    return {"level": TCP, "name": KEEPCNT, "int_value": value, "state": state, **fields}


BINDS = {
    "elsewhere": source(ELSEWHERE),
    "other_family": source("::1"),
    "refused_option": {"socket_options": [option(100000)]},
    "option_of_listeners": {"socket_options": [option(100000, "STATE_LISTENING"), option(100000, "STATE_BOUND")]},
    "option_for_datagrams": {"socket_options": [option(100000, type={"datagram": {}})]},
    "bytes": {"socket_options": [{"level": TCP, "name": KEEPCNT, "buf_value": "BwAAAA=="}]},
    "here": source("127.0.0.9"),
    "only_freebind": {"freebind": True},
    "keepalive": None,
    "refused_keepalive": None,
}
KEEPALIVE = {"keepalive": {"keepalive_probes": 7, "keepalive_time": 5}, "refused_keepalive": {"keepalive_probes": 1000}}


def connections(name):
    if name in KEEPALIVE:
        return {"upstream_connection_options": {"tcp_keepalive": KEEPALIVE[name]}}
    return {"upstream_bind_config": BINDS[name]}


def side(stage, name, case, **options):
    def clusters(backend):
        return [cluster("backend", backend, **connections(case))]

    return Side(stage, name, routes=[route("backend")], clusters=clusters, **options)


@pytest.mark.parametrize("case", BINDS)
def test_a_connection_is_made_or_refused_alike(stage, case):
    compare_whole([side(stage, name, case) for name in ("outrider", "envoy")], request_bytes("/"))


MANAGERS = {
    "own_source": (source("127.0.0.9"), source("127.0.0.8")),
    "source_of_all": (None, source("127.0.0.8")),
    "no_source_of_its_own": ({"socket_options": [option(3)]}, source("127.0.0.8")),
    "options_of_all": (source("127.0.0.9"), {"socket_options": [option(100000)]}),
    "options_of_its_own": ({"socket_options": [option(3)]}, {"socket_options": [option(100000)]}),
}


@pytest.mark.parametrize("case", MANAGERS)
def test_what_the_cluster_does_not_say_the_cluster_manager_says(stage, case):
    own, of_all = MANAGERS[case]
    seen = []
    for name in ("outrider", "envoy"):
        fields = {"upstream_bind_config": own} if own else {}

        def clusters(backend, fields=fields):
            return [cluster("backend", backend, **fields)]

        bootstrap = {"cluster_manager": {"upstream_bind_config": of_all}}
        of = Side(stage, name, routes=[route("backend")], clusters=clusters, bootstrap=bootstrap)
        answer = of.exchange(request_bytes("/"), "GET")
        if "200" in answer["line"]:  # Else Envoy goes on to connect before it closes.
            answer["log"] += [stream.socket.getpeername()[0] for stream in of.backend.streams]
        seen.append((answer["line"], answer["log"]))
    assert seen[0] == seen[1]
