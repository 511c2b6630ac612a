"""Which filter chain of a listener takes a connection."""

import copy

import pytest

from config_text import address, bootstrap, listener, virtual_host
from envoy_binary import ENVOY
from peers import Client, Hangup
from processes import BINARY, free_port
from sides import needed

pytestmark = needed


def chain(name, **match):
    direct = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": name}}}
    made = copy.deepcopy(listener(0, [virtual_host(direct)])["filter_chains"][0])
    return {"name": name, **made, **({"filter_chain_match": match} if match else {})}


def cidr(prefix, length):
    return {"address_prefix": prefix, "prefix_len": length}


def take(port, at="127.0.0.1"):
    """The chain that answered; nothing: the connection was closed."""
    try:
        with Client(port, at) as client:
            return client.ask("/").body.decode()
    except (Hangup, OSError):
        return ""


CASES = {
    "the nearest destination": [
        chain("all"),
        chain("net", prefix_ranges=[cidr("127.0.0.0", 8)]),
        chain("host", prefix_ranges=[cidr("127.0.0.2", 32), cidr("10.0.0.0", 8)]),
    ],
    "no chain for it": [chain("host", prefix_ranges=[cidr("127.0.0.2", 32)])],
    "another port": [chain("other", destination_port=1), chain("rest")],
    "only another port": [chain("other", destination_port=1)],
    "the source": [
        chain("elsewhere", source_prefix_ranges=[cidr("10.0.0.0", 8)]),
        chain("near", source_prefix_ranges=[cidr("127.0.0.0", 8)]),
    ],
    "the direct source before the source": [
        chain("source", source_prefix_ranges=[cidr("127.0.0.1", 32)]),
        chain("direct", direct_source_prefix_ranges=[cidr("127.0.0.0", 8)]),
    ],
    "no way back": [
        chain("host", prefix_ranges=[cidr("127.0.0.2", 32)], source_ports=[1]),
        chain("all", source_type="SAME_IP_OR_LOOPBACK"),
    ],
    "this machine": [chain("same", source_type="SAME_IP_OR_LOOPBACK"), chain("external", source_type="EXTERNAL")],
    "external only": [chain("external", source_type="EXTERNAL")],
    "plain bytes": [chain("tls", transport_protocol="tls"), chain("raw", transport_protocol="raw_buffer")],
    "plain bytes before any": [chain("any"), chain("raw", transport_protocol="raw_buffer")],
    "a chain without filters": [{"name": "empty", "filters": []}],
    "source ports": [chain("port", source_ports=[1, 2]), chain("any")],
}


@pytest.fixture(scope="module")
def answers(shared):
    """Every case with and without a default chain, as listeners of one configuration."""
    ports, listeners = {}, []
    for case, chains in CASES.items():
        for default in (False, True):
            ports[case, default] = port = free_port()
            made = {"name": f"{case} {default}", "address": address(port, "0.0.0.0"), "filter_chains": chains}
            listeners.append({**made, **({"default_filter_chain": chain("default")} if default else {})})
    found = {}
    for name, binary, flags in (("ours", BINARY, ()), ("theirs", ENVOY, ("--base-id", "4242", "-l", "error"))):
        admin = free_port()
        config = bootstrap(listeners, [], admin)
        with_proxy = shared.start(config, *flags, ports=ports.values(), admin=admin, binary=binary)
        found[name] = {(*case, at): take(port, at) for case, port in ports.items() for at in ("127.0.0.1", "127.0.0.2")}
        missed = with_proxy.stats("listener.")
        found[name]["missed"] = sum(v for n, v in missed.items() if n.endswith("no_filter_chain_match"))
        with_proxy.stop()
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_chain_is_envoys(answers, case):
    for default in (False, True):
        for at in ("127.0.0.1", "127.0.0.2"):
            assert answers["ours"][case, default, at] == answers["theirs"][case, default, at], (default, at)


def test_the_cases_are_what_they_say(answers):
    assert answers["ours"]["the nearest destination", False, "127.0.0.2"] == "host"
    assert answers["ours"]["no way back", True, "127.0.0.2"] == "default"
    assert answers["ours"]["no chain for it", False, "127.0.0.1"] == ""


def test_connections_without_chain_are_counted(answers):
    assert answers["ours"]["missed"] == answers["theirs"]["missed"] > 0


SAME = [
    [chain("a"), chain("b")],
    [chain("a", destination_port=1), chain("b", destination_port=1)],
    [
        chain("a", prefix_ranges=[cidr("10.1.0.0", 8), cidr("9.0.0.0", 8)]),
        chain("b", prefix_ranges=[cidr("10.0.0.0", 8)]),
    ],
    [chain("a", source_ports=[1, 2]), chain("b", source_ports=[2, 3])],
    [chain("a", source_type="EXTERNAL"), chain("b", source_type="SAME_IP_OR_LOOPBACK")],
    [chain("a", destination_port=1), chain("b")],
]


@pytest.mark.parametrize("chains", SAME, ids=range(len(SAME)))
def test_chains_that_take_the_same_are_refused(stage, chains):
    path = stage.file(bootstrap([{"address": address(free_port()), "filter_chains": chains}], []))
    ours = stage.process([BINARY, "--mode", "validate", "-c", path]).wait()
    theirs = stage.process([ENVOY, "--mode", "validate", "-c", path, "-l", "critical"]).wait()
    assert ours == theirs
