"""Start, reload, drain and end; and what happens when something of the system is missing."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import threading

import pytest

from config_text import bootstrap, cluster, file_log, http_filters, listener, route, typed, virtual_host
from peers import PATIENCE_S, Client, ask, eventually, request_bytes, response_bytes
from processes import BINARY, Proxy, free_port


def direct(text):
    return virtual_host({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": text}}})


def rewrite(proxy, config):
    """A new file at the old place, and the signal."""
    seen = len(proxy.lines["stderr"])
    new = proxy.config.with_suffix(".new")
    new.write_text(config if isinstance(config, str) else json.dumps(config))
    os.replace(new, proxy.config)
    proxy.signal(signal.SIGHUP)
    return proxy.wait_line("reloaded", seen)


class Gate:
    """A backend that says when a request has come, and answers when it may."""

    def __init__(self, stage, name="backend"):
        self.open = threading.Event()
        self.backend = stage.backend(self.answer, name=name)

    def answer(self, request):
        self.open.wait(PATIENCE_S)
        return response_bytes(body=b"done")

    def hold(self, client):
        before = len(self.backend.requests)
        client.send(request_bytes())
        self.backend.wait_requests(before + 1)


# --- files --------------------------------------------------------------------------------------------------------


def test_an_access_log_that_nobody_reads_is_refused_instead_of_waited_for(stage):
    pipe = stage.directory / "pipe"
    os.mkfifo(pipe)
    config = bootstrap([listener(free_port(), [direct("x")], access_log=[file_log(pipe)])], [])
    proxy = stage.start(config, wait=False)
    assert proxy.wait() == 1
    assert f"cannot open '{pipe}' for writing: nobody reads this pipe" in proxy.stderr


def test_an_access_log_may_be_a_pipe_that_somebody_reads(stage):
    pipe, port = stage.directory / "pipe", free_port()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    config = bootstrap([listener(port, [direct("x")], access_log=[file_log(pipe, "%RESPONSE_CODE%")])], [])
    proxy = stage.start(config, ports=[port])
    assert ask(port).status == 200
    assert proxy.terminate() == 0
    assert os.read(reader, 100) == b"200\n"
    os.close(reader)


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/nowhere"])
def test_a_body_that_is_not_a_regular_file_is_refused(stage, path):
    body = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"filename": path}}}
    proxy = stage.start(bootstrap([listener(free_port(), [virtual_host(body)])], []), wait=False)
    assert proxy.wait() == 1
    assert f"direct_response.body.filename: cannot read '{path}'" in proxy.stderr


# --- reload -------------------------------------------------------------------------------------------------------


def test_reload_changes_what_is_served_on_the_connection_that_is_open(stage):
    port = free_port()
    proxy = stage.start(bootstrap([listener(port, [direct("old")])], []), ports=[port])
    client = stage.client(port)
    assert client.ask().body == b"old"
    rewrite(proxy, bootstrap([listener(port, [direct("new")])], []))
    assert client.ask().body == b"new"


def test_who_reads_that_it_was_reloaded_gets_the_new_configuration(stage):
    """From every worker, on connections old and new; and an address that is no longer listened on refuses."""
    port, gone = free_port(), free_port()

    def configuration(text, *more):
        return bootstrap([listener(port, [direct(text)]), *more], [])

    proxy = stage.start(
        configuration("0", listener(gone, [direct("gone")])), ports=[port, gone], concurrency=4, wait=True
    )
    clients = [stage.client(port) for _ in range(16)]
    for round in range(1, 20):
        rewrite(proxy, configuration(str(round), *[listener(gone, [direct("gone")])] * (round % 2)))
        assert {c.ask().body for c in clients} == {str(round).encode()}
        assert stage.client(port).ask().body == str(round).encode()
        if round % 2:
            assert ask(gone).status == 200
        else:
            with pytest.raises(ConnectionRefusedError):
                Client(gone)


def test_reload_does_not_touch_a_request_in_flight(stage):
    port, gate, new = free_port(), Gate(stage), stage.backend(name="new")

    def config(backend):
        return bootstrap([listener(port, [virtual_host(route("b"))])], [cluster("b", backend)])

    proxy = stage.start(config(gate.backend), ports=[port])
    client, idle = stage.client(port), stage.client(port)
    gate.hold(client)
    rewrite(proxy, config(new))
    eventually(lambda: idle.ask().body == b"new")
    gate.open.set()
    assert client.response().body == b"done"
    assert client.ask().body == b"new"


def test_reload_does_not_end_a_tunnel(stage):
    port = free_port()

    def serve(stream):
        stream.request()
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")
        while stream.fill():
            stream.send(stream.take(len(stream.unread)))

    backend = stage.backend(serve=serve)
    config = bootstrap(
        [listener(port, [virtual_host(route("b", upgrade_configs=[{"upgrade_type": "chat"}]))])],
        [cluster("b", backend)],
    )
    proxy = stage.start(config, ports=[port])
    client = stage.client(port)
    assert client.ask(fields=[("Connection", "upgrade"), ("Upgrade", "chat")]).status == 101
    rewrite(proxy, bootstrap([listener(port, [direct("new")])], []))
    client.send(b"still")
    assert client.exactly(5) == b"still"
    eventually(lambda: ask(port).body == b"new")


def test_reload_keeps_connections_to_clusters_that_have_not_changed(stage):
    port, backend = free_port(), stage.backend()

    def config(prefix):
        return bootstrap([listener(port, [virtual_host(route("b", prefix))])], [cluster("b", backend)])

    proxy = stage.start(config("/"), ports=[port])
    client = stage.client(port)
    assert client.ask("/one").status == 200
    rewrite(proxy, config("/one"))
    eventually(lambda: client.ask("/two").status == 404)
    assert client.ask("/one").status == 200
    assert len(backend.streams) == 1


def test_reload_adds_and_removes_listeners_and_clusters(stage):
    old, new, kept = free_port(), free_port(), free_port()
    a, b = stage.backends(2)
    proxy = stage.start(
        bootstrap(
            [listener(kept, [direct("kept")], name="kept"), listener(old, [virtual_host(route("a"))], name="old")],
            [cluster("a", a)],
        ),
        ports=[old, kept],
    )
    assert ask(old).body == b"A"
    rewrite(
        proxy,
        bootstrap(
            [listener(kept, [direct("kept")], name="kept"), listener(new, [virtual_host(route("b"))], name="new")],
            [cluster("b", b)],
        ),
    )
    proxy.wait_listening(new)
    assert ask(new).body == b"B" and ask(kept).body == b"kept"
    eventually(lambda: not proxy.listening(old), "the old listener is closed")


@pytest.mark.parametrize(
    "bad, said", [("static_resources: {clusters: [{nmae: x}]}", "nmae"), ("{", ""), (None, "nowhere")]
)
def test_a_bad_reload_changes_nothing_and_says_why(stage, bad, said):
    port = free_port()
    proxy = stage.start(bootstrap([listener(port, [direct("old")])], []), ports=[port])
    client = stage.client(port)
    assert client.ask().body == b"old"
    bad = bad or bootstrap([listener(port, [virtual_host(route("nowhere"))])], [])
    line = rewrite(proxy, bad)
    assert "not reloaded" in line
    assert said in proxy.stderr
    assert client.ask().body == b"old" and ask(port).body == b"old"


def test_a_reload_that_cannot_bind_changes_nothing(stage):
    port, backend = free_port(), stage.backend()
    proxy = stage.start(bootstrap([listener(port, [direct("old")], name="a")], []), ports=[port])
    line = rewrite(
        proxy,
        bootstrap([listener(port, [direct("new")], name="a"), listener(backend.port, [direct("x")], name="b")], []),
    )
    assert "not reloaded" in line and f"127.0.0.1:{backend.port}" in line
    assert ask(port).body == b"old"


def test_a_configuration_that_can_be_read_once_is_not_waited_for_again(stage):
    port = free_port()
    proxy = stage.start(bootstrap([listener(port, [direct("old")])], []), ports=[port])
    proxy.config.unlink()
    os.mkfifo(proxy.config)
    proxy.signal(signal.SIGHUP)
    assert "not a regular file" in proxy.wait_line("not reloaded")
    assert ask(port).body == b"old"
    assert proxy.terminate() == 0


def test_many_reloads_under_traffic_fail_no_request(stage):
    port, backends = free_port(), stage.backends(2)

    def config(i):
        return bootstrap([listener(port, [virtual_host(route("b"))])], [cluster("b", backends[i % 2])])

    proxy = stage.start(config(0), ports=[port], concurrency=2)
    statuses, ending = [], threading.Event()

    def call():
        with Client(port) as client:
            while not ending.is_set():
                statuses.append(client.ask().status)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for c in callers:
        c.start()
    for i in range(1, 15):
        rewrite(proxy, config(i))
    ending.set()
    for c in callers:
        c.join()
    assert len(statuses) > 14 and set(statuses) == {200}


# --- the end ------------------------------------------------------------------------------------------------------


def drained(stage, **options):
    gate = Gate(stage)
    port, admin = free_port(), free_port()
    proxy = stage.start(
        bootstrap([listener(port, [virtual_host(route("b"))])], [cluster("b", gate.backend)], admin),
        ports=[port, admin],
        admin=admin,
        **options,
    )
    proxy.port, proxy.gate = port, gate
    return proxy


def test_sigterm_without_traffic_ends_it_at_once(stage):
    proxy = drained(stage)
    assert proxy.terminate() == 0


def test_sigterm_lets_requests_in_flight_end_and_refuses_new_ones(stage):
    proxy = drained(stage)
    client = stage.client(proxy)
    proxy.gate.hold(client)
    proxy.signal(signal.SIGTERM)
    eventually(lambda: not proxy.listening(proxy.port), "the listener is closed")
    with pytest.raises(ConnectionRefusedError):
        Client(proxy.port)
    assert proxy.alive
    proxy.gate.open.set()
    response = client.response()
    assert response.status == 200 and response.body == b"done" and response["connection"] == "close"
    assert client.at_end()
    assert proxy.wait() == 0


def test_sigterm_ends_idle_connections(stage):
    proxy = drained(stage)
    proxy.gate.open.set()
    client = stage.client(proxy)
    assert client.ask().status == 200
    assert proxy.terminate() == 0
    assert client.at_end()


def test_a_second_sigterm_ends_it_whatever_is_in_flight(stage):
    proxy = drained(stage)
    client = stage.client(proxy)
    proxy.gate.hold(client)
    proxy.signal(signal.SIGTERM)
    eventually(lambda: not proxy.listening(proxy.port))
    assert proxy.alive
    proxy.signal(signal.SIGTERM)
    proxy.wait()
    assert client.rest() == b""


@pytest.mark.parametrize("mode", ["serve", "validate"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_it_waits_for_its_configuration(stage, mode, number):
    pipe = stage.directory / "pipe"
    os.mkfifo(pipe)
    process = stage.process([BINARY, "-c", pipe, "--mode", mode])

    def opened():
        with contextlib.suppress(OSError):  # Until it reads there.
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)

    writer = eventually(opened)  # Held: its end would be the end of an empty file.
    process.signal(number)
    assert process.wait() == -number
    os.close(writer)


def test_the_drain_time_is_the_limit(stage):
    gate = Gate(stage)
    port = free_port()
    proxy = stage.start(
        bootstrap([listener(port, [virtual_host(route("b"))])], [cluster("b", gate.backend)]),
        "--drain-time-s",
        "1",
        ports=[port],
    )
    client = stage.client(port)
    gate.hold(client)
    proxy.terminate()
    assert client.rest() == b""


def test_quitquitquit_ends_it(stage):
    proxy = drained(stage)
    assert proxy.ask_admin("/quitquitquit", "POST").status == 200
    assert proxy.wait() == 0


# --- what may be missing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["listener", "admin"])
def test_a_port_in_use_is_named_with_the_reason(stage, what):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken, port = other.getsockname()[1], free_port()
        config = bootstrap(
            [listener(taken if what == "listener" else port, [direct("x")])],
            [],
            taken if what == "admin" else free_port(),
        )
        proxy = stage.start(config, wait=False)
        assert proxy.wait() == 1
        assert f"127.0.0.1:{taken}" in proxy.stderr and "Address already in use" in proxy.stderr


def test_an_address_that_is_not_ours_is_named_with_the_reason(stage):
    proxy = stage.start(bootstrap([listener(free_port(), [direct("x")], host="192.0.2.1")], []), wait=False)
    assert proxy.wait() == 1
    assert "192.0.2.1" in proxy.stderr and "Cannot assign requested address" in proxy.stderr


def test_without_file_descriptors_accepting_pauses_and_goes_on(stage):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    backend = stage.backend()
    port, admin = free_port(), free_port()
    config = bootstrap([listener(port, [virtual_host(route("b"))], name="l")], [cluster("b", backend)], admin)
    proxy = stage.start(config, ports=[port, admin], admin=admin, before=few)
    first = stage.client(port)
    assert first.ask().status == 200
    crowd = [Client(port) for _ in range(100)]  # The kernel takes them; the proxy cannot.
    eventually(lambda: first.ask().status in (200, 503) and proxy.alive)
    assert proxy.alive
    for client in crowd:
        client.close()
    assert eventually(lambda: ask(port).status == 200)
    counted = {n: v for n, v in proxy.stats("listener.").items() if n.endswith("downstream_accept_emfile")}
    assert sum(counted.values()) >= 1, proxy.stats("listener.")


def test_signals_that_mean_nothing_are_survived(stage):
    port = free_port()
    proxy = stage.start(bootstrap([listener(port, [direct("x")])], []), ports=[port])
    for number in (signal.SIGPIPE, signal.SIGUSR1):
        proxy.signal(number)
    assert ask(port).body == b"x"


def test_the_admin_address_is_written_to_a_file(stage):
    path = stage.directory / "admin-address"
    admin = free_port()
    stage.start(bootstrap([], [], admin), "--admin-address-path", path, ports=[admin])
    assert eventually(lambda: path.exists() and path.read_text()).strip() == f"127.0.0.1:{admin}"


def test_port_zero_is_given_by_the_kernel(stage):
    path = stage.directory / "admin-address"
    config = bootstrap([{**listener(0, [direct("zero")]), "name": "l"}], [])
    config["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    proxy = stage.start(config, "--admin-address-path", path, wait=False, concurrency=2)
    proxy.wait_line("starting to listen")
    proxy.admin = int(eventually(lambda: path.exists() and path.read_text()).rsplit(":", 1)[1])
    page = proxy.ask_admin("/listeners").body.decode()
    assert page.startswith("l::127.0.0.1:")
    assert [ask(int(page.rsplit(":", 1)[1])).body for _ in range(4)] == [b"zero"] * 4


def test_a_run_without_workers_flag_uses_every_hardware_thread(stage):
    admin = free_port()
    path = stage.file(bootstrap([], [], admin))
    proxy = stage.ending.enter_context(Proxy(["-c", path], admin=admin)).wait_listening(admin)
    options = proxy.ask_admin("/server_info").json()["command_line_options"]
    assert options["concurrency"] == len(os.sched_getaffinity(0))


# --- flags and listeners without socket ---------------------------------------------------------------------------


@pytest.mark.parametrize("flag, status", [("drain", 503), ("other", 200)])
def test_a_file_drain_below_flags_path_lets_health_checks_fail(stage, flag, status):
    (stage.directory / "flags").mkdir()
    (stage.directory / "flags" / flag).touch()
    config = typed("envoy.extensions.filters.http.health_check.v3.HealthCheck", pass_through_mode=False)
    config["headers"] = [{"name": ":path", "string_match": {"exact": "/health"}}]
    check = {"name": "envoy.filters.http.health_check", "typed_config": config}
    flags = {"flags_path": str(stage.directory / "flags")}
    proxy = stage.proxy(virtual_hosts=[direct("x")], http_filters=http_filters(check), bootstrap=flags)
    assert ask(proxy.port, "/health").status == status
    assert ask(proxy.port).status == 200


def test_a_listener_that_does_not_bind_opens_no_port(stage):
    port, silent, admin = free_port(), free_port(), free_port()
    listeners = [listener(port, [direct("x")]), listener(silent, [direct("y")])]
    listeners[1]["bind_to_port"] = False
    proxy = stage.start(bootstrap(listeners, [], admin), ports=[port], admin=admin)
    assert ask(port).body == b"x" and not proxy.listening(silent)
    assert f"127.0.0.1:{silent}" in proxy.ask_admin("/listeners").body.decode()


def test_reloads_are_counted(stage):
    port, admin = free_port(), free_port()
    proxy = stage.start(bootstrap([listener(port, [direct("a")])], [], admin), ports=[port], admin=admin)
    assert proxy.stats("server.config_reload_") == {
        "server.config_reload_failure": 0,
        "server.config_reload_success": 0,
    }
    rewrite(proxy, bootstrap([listener(port, [direct("b")])], []))
    rewrite(proxy, "{")
    rewrite(proxy, "{")
    assert proxy.stat("server.config_reload_success") == 1
    assert proxy.stat("server.config_reload_failure") == 2


def test_statistics_call_it_live_as_soon_as_it_is(stage):
    port, admin = free_port(), free_port()
    proxy = stage.start(bootstrap([listener(port, [direct("a")])], [], admin), ports=[port], admin=admin)
    assert proxy.ask_admin("/ready").body == b"LIVE\n"
    assert proxy.stat("server.live") == 1 and proxy.stat("server.state") == 0
    proxy.ask_admin("/healthcheck/fail", "POST")
    assert proxy.stat("server.live") == 0 and proxy.stat("server.state") == 1
    assert proxy.stat("server.version") > 0


def test_an_admin_address_that_comes_back_has_not_changed(stage):
    port, admin = free_port(), free_port()

    def configuration(admin):
        return bootstrap([listener(port, [direct("a")])], [], admin=admin)

    proxy = stage.start(configuration(admin), ports=[port])
    rewrite(proxy, configuration(free_port()))
    proxy.wait_line("the admin address has changed")
    seen = len(proxy.lines["stderr"])
    rewrite(proxy, configuration(admin))
    assert not [line for line in proxy.lines["stderr"][seen:] if "admin address" in line]


# --- reloads at a bad time ------------------------------------------------------------------------------------------


def checked(host):
    """A cluster whose health is not known before the host answers."""
    check = {"timeout": "60s", "interval": "60s", "unhealthy_threshold": 1, "healthy_threshold": 1}
    return cluster("checked", host, health_checks=[{**check, "http_health_check": {"path": "/"}}])


def test_a_reload_during_the_start_waits_for_its_end(stage):
    gate, old, new, admin = Gate(stage), free_port(), free_port(), free_port()
    clusters = [checked(gate.backend)]
    proxy = stage.start(bootstrap([listener(old, [direct("old")], name="a")], clusters, admin), ports=[admin])
    gate.backend.wait_requests(1)
    line = rewrite(proxy, bootstrap([listener(new, [direct("new")], name="b")], clusters, admin))
    assert "will be reloaded once all clusters are initialized" in line
    gate.open.set()
    proxy.wait_line("the configuration was reloaded")
    assert ask(new).body == b"new" and not proxy.listening(old)


def test_a_draining_proxy_takes_no_configuration(stage):
    gate, port, other = Gate(stage), free_port(), free_port()
    clusters = [cluster("b", gate.backend)]
    proxy = stage.start(bootstrap([listener(port, [virtual_host(route("b"))], name="a")], clusters), ports=[port])
    client = stage.client(port)
    gate.hold(client)
    proxy.signal(signal.SIGTERM)
    proxy.wait_line("draining")
    assert "not reloaded" in rewrite(proxy, bootstrap([listener(other, [direct("x")], name="b")], clusters))
    assert not proxy.listening(other)
    gate.open.set()
    assert client.response().body == b"done"
    assert proxy.wait() == 0


def test_a_reload_that_cannot_bind_changes_no_statistics(stage):
    port, admin, backend = free_port(), free_port(), stage.backend()
    proxy = stage.start(bootstrap([listener(port, [direct("a")])], [], admin), ports=[port], admin=admin)
    none = {"stats_config": {"stats_matcher": {"reject_all": True}}}
    rewrite(proxy, bootstrap([listener(backend.port, [direct("x")], name="b")], [], admin, **none))
    assert proxy.stat("server.config_reload_failure") == 1


def test_a_mistake_in_a_configuration_from_a_pipe_is_told(stage):
    pipe = stage.directory / "pipe"
    os.mkfifo(pipe)
    config = bootstrap([listener(free_port(), [direct("x")], access_log=[file_log("/dev/null", "%NOTHING%")])], [])
    proxy = stage.ending.enter_context(Proxy(["-c", pipe, "--mode", "validate"]))
    pipe.write_text(json.dumps(config))
    assert proxy.wait() == 1
    assert "NOTHING" in proxy.stderr


# --- sockets that are files -----------------------------------------------------------------------------------------


def at_pipe(path, **fields):
    return {**listener(0, [direct("x")], name="a"), "address": {"pipe": {"path": str(path), **fields}}}


def test_a_pipe_has_the_permissions_that_the_configuration_gives_it(stage):
    path, admin = stage.directory / "socket", stage.directory / "admin"
    pages = {"admin": {"address": {"pipe": {"path": str(admin), "mode": 0o777}}}}
    proxy = stage.start({**bootstrap([at_pipe(path, mode=0o622)], []), **pages}, wait=False)
    proxy.wait_line("starting to listen")
    assert [each.stat().st_mode & 0o777 for each in (path, admin)] == [0o622, 0o777]
    rewrite(proxy, {**bootstrap([at_pipe(path, mode=0o600)], []), **pages})
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "pipe, said",
    [
        ({"path": "/" + "x" * 107}, "pipe.path: has 108 bytes; the path of a socket has at most 107"),
        ({"path": "@x", "mode": 0o600}, "pipe.mode: an abstract socket has no file, and so no permissions"),
    ],
    ids=["long", "abstract"],
)
def test_a_pipe_that_cannot_be_is_refused_by_line(stage, pipe, said):
    host = {"endpoint": {"address": {"pipe": pipe}}}
    config = bootstrap(
        [at_pipe(**pipe)],
        [cluster("c", load_assignment={"cluster_name": "c", "endpoints": [{"lb_endpoints": [host]}]})],
    )
    proxy = stage.start(config, wait=False)
    assert proxy.wait() == 1
    found = re.findall(rf"{proxy.config.name}:\d+:\d+: (.*)", proxy.stderr)
    assert sorted(line.partition("address.")[2] for line in found) == [said, said], proxy.stderr
