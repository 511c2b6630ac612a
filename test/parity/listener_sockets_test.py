"""How the sockets of a listener are made, and where it listens."""

import os
import random

import pytest

from config_text import address, bootstrap, listener, virtual_host
from envoy_binary import ENVOY
from held_sockets import held
from peers import Client, eventually
from processes import BINARY, free_port
from sides import needed

pytestmark = [needed, pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into other processes")]

PRIORITY, TOS, DEFER = {"level": 1, "name": 12}, {"level": 0, "name": 1}, {"level": 6, "name": 9}


def sides():
    yield "ours", BINARY, ()
    yield "theirs", ENVOY, ("--base-id", str(random.randrange(1 << 20)), "-l", "off")


def made(port, body="ok", host="127.0.0.1", **fields):
    direct = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": body}}}
    return {**listener(port, [virtual_host(direct)], host=host, name="x"), **fields}


def same(found):
    assert found["ours"] == found["theirs"]
    return found["ours"]


CASES = {
    "nothing": {},
    "one socket for all": {"enable_reuse_port": False},
    "the old name": {"reuse_port": True},
    "the new name before the old": {"reuse_port": True, "enable_reuse_port": False},
    "an address that is not there": {"freebind": True},
    "not an address that is not there": {"freebind": False},
    "somebody else's addresses": {"transparent": True},
    "fast open": {"tcp_fast_open_queue_length": 7},
    "no fast open": {"tcp_fast_open_queue_length": 0},
    "options": {
        "socket_options": [
            {**PRIORITY, "int_value": 5},
            {**TOS, "int_value": 16, "state": "STATE_BOUND"},
            {**DEFER, "int_value": 3, "state": "STATE_LISTENING"},
        ]
    },
    "an option in bytes": {"socket_options": [{**DEFER, "buf_value": "CQAAAA=="}]},
    "an option of datagrams": {"socket_options": [{**PRIORITY, "int_value": 5, "type": {"datagram": {}}}]},
    "an option of streams": {"socket_options": [{**PRIORITY, "int_value": 5, "type": {"stream": {}}}]},
    "one at a time": {"max_connections_to_accept_per_socket_event": 1},
    "listener filters in time": {"listener_filters_timeout": "0.5s", "continue_on_listener_filters_timeout": True},
    "a short queue": {"tcp_backlog_size": 3},
}


@pytest.fixture(scope="module")
def sockets(shared):
    """What is set on the sockets of every case, as listeners of one configuration, with two workers."""
    ports = {case: free_port() for case in CASES}
    listeners = [{**made(ports[case], **fields), "name": case} for case, fields in CASES.items()]
    found = {}
    for name, binary, flags in sides():
        proxy = shared.start(bootstrap(listeners, []), *flags, ports=ports.values(), concurrency=2, binary=binary)
        clients = {case: Client(port) for case, port in ports.items()}
        for client in clients.values():
            client.ask("/")
        found[name] = {case: held(proxy.pid, port) for case, port in ports.items()}
        for client in clients.values():
            client.close()
        proxy.stop()
    return found


@pytest.mark.parametrize("case", CASES)
def test_sockets_are_set_up_as_envoys(sockets, case):
    assert sockets["ours"][case] == sockets["theirs"][case]


def test_workers_have_a_socket_each_or_share_one(sockets):
    listening = {case: sum(s["listens"] for s in found) for case, found in sockets["ours"].items()}
    assert listening["nothing"] == 2
    assert listening["one socket for all"] == 1


MORE = {
    "a port": lambda port: {"address": address(port)},
    "a host": lambda port: {"address": address(port, "127.0.0.2")},
    "options of its own": lambda port: {
        "address": address(port),
        "socket_options": {"socket_options": [{**PRIORITY, "int_value": 6}]},
    },
}


@pytest.mark.parametrize("more", MORE)
def test_a_listener_has_more_addresses(stage, more):
    found = {}
    first, second, admin = free_port(), free_port(), free_port()
    entry = MORE[more](second)
    host = entry["address"]["socket_address"]["address"]
    options = [{**PRIORITY, "int_value": 2}]
    config = bootstrap([made(first, additional_addresses=[entry], socket_options=options)], [], admin)
    for name, binary, flags in sides():
        proxy = stage.start(config, *flags, ports=[first], admin=admin, binary=binary)
        said = []
        for port, at in ((first, "127.0.0.1"), (second, host)):
            with Client(port, at) as client:
                said.append(client.ask("/").body)
            proxy.wait_stat(f"listener.127.0.0.1_{first}.downstream_cx_active", 0)
        counted = proxy.stat(f"listener.127.0.0.1_{first}.http.in.downstream_rq_2xx")
        text = proxy.ask_admin("/listeners").body
        listening = [[s for s in held(proxy.pid, port) if s["listens"]] for port in (first, second)]
        found[name] = said, counted, text, listening
        proxy.stop()
    said, counted, _, listening = same(found)
    assert said == [b"ok", b"ok"] and counted == 2
    assert listening[1][0]["SO_PRIORITY"] == (6 if more == "options of its own" else 2)


COMPAT = {"::": True, "::ffff:127.0.0.1": True, "::1": False, "0.0.0.0": False}


@pytest.mark.parametrize("host", COMPAT)
def test_ipv4_compat(stage, host):
    port, found = free_port(), {}
    config = made(port)
    config["address"]["socket_address"].update(address=host, ipv4_compat=True)
    log = stage.directory / "log"
    text = {"text_format_source": {"inline_string": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\n"}}
    file = {"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"}
    config["access_log"] = [{"name": "file", "typed_config": {**file, "path": str(log), "log_format": text}}]
    for name, binary, flags in sides():
        log.unlink(missing_ok=True)
        flags = ("--file-flush-interval-msec", "10", *flags)
        proxy = stage.start(
            bootstrap([config], []), *flags, ports=[port] if COMPAT[host] else [], wait=COMPAT[host], binary=binary
        )
        if COMPAT[host]:
            with Client(port) as client:
                client.ask("/")
            eventually(lambda: log.exists() and "127.0.0.1" in log.read_text(), "a line with an IPv4 address")
            found[name] = set(log.read_text().splitlines())
            proxy.stop()
        else:
            found[name] = proxy.wait()
    same(found)


def of_one_name(port, other):
    return [made(port, "one"), made(other, "two")]


def test_the_first_of_one_name_stays(stage):
    first, second, admin, found = free_port(), free_port(), free_port(), {}
    for name, binary, flags in sides():
        config = bootstrap(of_one_name(first, second), [], admin)
        proxy = stage.start(config, *flags, ports=[first], admin=admin, binary=binary)
        with Client(first) as client:
            said = client.ask("/").body
        found[name] = said, proxy.listening(second), proxy.stat("listener_manager.listener_added")
        proxy.stop()
    assert same(found) == (b"one", False, 1)


def refused(port, other):
    yield "one address twice", [made(port), {**made(port), "name": "y"}], 1
    yield "one address twice, not bound", [made(port), {**made(port), "name": "y", "bind_to_port": False}], 1
    more = {"additional_addresses": [{"address": address(other)}]}
    yield "an address that another has too", [made(port, **more), {**made(other), "name": "y"}], 1
    yield "an option that is none", [made(port, socket_options=[{"level": 6, "name": 9999, "int_value": 1}])], 1
    yield "a bound option that is none", [
        made(port, socket_options=[{"level": 6, "name": 9999, "int_value": 1, "state": "STATE_BOUND"}])
    ], 1
    yield "an option without value", [made(port, socket_options=[{"level": 6, "name": 9}])], 1
    yield "no connection at a time", [made(port, max_connections_to_accept_per_socket_event=0)], 1
    namespace = {"address": "127.0.0.1", "port_value": port, "network_namespace_filepath": "/nowhere"}
    yield "no such network namespace", [made(port, address={"socket_address": namespace})], 1


@pytest.mark.parametrize("number", range(8))
def test_what_cannot_be_is_refused(stage, number):
    case, listeners, code = list(refused(free_port(), free_port()))[number]
    for name, binary, flags in sides():
        proxy = stage.start(bootstrap(listeners, []), *flags, wait=False, binary=binary)
        assert proxy.wait() == code, (case, name)


def test_a_listener_whose_last_option_is_none_is_left_out(stage):
    port, other, admin, found = free_port(), free_port(), free_port(), {}
    wrong = made(port, socket_options=[{"level": 6, "name": 9999, "int_value": 1, "state": "STATE_LISTENING"}])
    config = bootstrap([wrong, {**made(other), "name": "y"}], [], admin)
    for name, binary, flags in sides():
        proxy = stage.start(config, *flags, ports=[other], admin=admin, binary=binary)
        counted = {n: v for n, v in proxy.stats("listener_manager.listener_").items() if v}
        found[name] = proxy.listening(port), counted, proxy.ask_admin("/listeners").body
        proxy.stop()
    assert not same(found)[0]


def test_a_network_namespace(stage):
    port, found = free_port(), {}
    for name, binary, flags in sides():
        config = made(port)
        config["address"]["socket_address"]["network_namespace_filepath"] = "/proc/self/ns/net"
        proxy = stage.start(bootstrap([config], []), *flags, ports=[port], binary=binary)
        with Client(port) as client:
            found[name] = client.ask("/").start_line
        proxy.stop()
    assert same(found).startswith("HTTP/1.1 200")
