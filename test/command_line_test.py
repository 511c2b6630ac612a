"""Flags of every era."""

import re
import subprocess

import pytest

from config_text import bootstrap, cluster, listener, route, typed, virtual_host
from peers import ask
from processes import BINARY, Proxy, free_port
from v1_config import service_cluster


def run(stage, *words):
    process = stage.process([BINARY, *words])
    process.status = process.wait()
    return process


def started(stage, *flags):
    admin = free_port()
    path = stage.file(bootstrap([], [], admin))
    return stage.ending.enter_context(Proxy(["-c", path, *flags], admin=admin)).wait_listening(admin)


def test_version(stage):
    done = run(stage, "--version")
    assert done.status == 0 and re.search(r"version: \S*\d+\.\d+\.\d+", done.stdout)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_flag_of_the_documents(stage, flag):
    done = run(stage, flag)
    assert done.status == 0
    for word in (
        "--config-path",
        "--service-cluster",
        "--service-node",
        "--v2-config-only",
        "--log-level",
        "--log-format",
        "--concurrency",
        "--base-id",
        "--mode",
        "--version",
        "--drain-time-s",
    ):
        assert word in done.stdout


@pytest.mark.parametrize(
    "words, said",
    [
        (["--no-such-flag"], "--no-such-flag"),
        (["-c"], "-c"),
        (["--concurrency", "many"], "--concurrency"),
        (["--concurrency", "4294967295"], "--concurrency is at most 4096"),
        (["/dev/null"], "Did you mean --config-path /dev/null?"),
        (["-l", "loud"], "loud"),
        (["--mode", "dream"], "dream"),
    ],
)
def test_a_flag_that_is_wrong_is_named(stage, words, said):
    done = run(stage, *words)
    assert done.status == 1 and said in done.stderr + done.stdout


def test_flags_of_every_era_are_taken(stage):
    proxy = started(
        stage,
        "--v2-config-only",
        "--allow-deprecated-v1-api",
        "--max-stats",
        "100",
        "--max-obj-name-len",
        "60",
        "--base-id",
        "3",
        "--restart-epoch",
        "0",
        "--disable-hot-restart",
        "--bootstrap-version",
        "3",
        "--service-zone",
        "z",
        "--drain-strategy",
        "immediate",
        "--parent-shutdown-time-s",
        "5",
        "--cpuset-threads",
        "--use-fake-symbol-table",
        "0",
        "--allow-unknown-fields",
    )
    assert proxy.ask_admin("/ready").status == 200


def test_a_value_may_follow_an_equals_sign(stage):
    proxy = started(stage, "--service-cluster=c", "--service-node=n", "--concurrency=2")
    info = proxy.ask_admin("/server_info").json()
    assert (info["node"]["cluster"], info["node"]["id"], info["command_line_options"]["concurrency"]) == ("c", "n", 2)


def test_the_format_of_the_log(stage):
    proxy = started(stage, "--log-format", "[METADATA][%Y-%m-%d %T.%e][%t][%l][%n] %v")
    proxy.wait_line("starting to listen")
    assert all(
        re.match(r"\[METADATA\]\[\d{4}(-\d\d){2} (\d\d:){2}\d\d\.\d{3}\]\[\d+\]\[\w+\]\[\w+\] ", line)
        for line in proxy.lines["stderr"]
    )


def test_the_level_of_the_log(stage):
    quiet, loud = started(stage, "-l", "error"), started(stage, "-l", "debug")
    loud.wait_line("starting to listen")
    assert quiet.stderr == "" and "[info]" in loud.stderr
    assert "admin: debug" in loud.ask_admin("/logging", "POST").body.decode()


def test_the_level_of_one_logger(stage):
    page = (
        started(stage, "--component-log-level", "upstream:debug,config:trace")
        .ask_admin("/logging", "POST")
        .body.decode()
    )
    assert "upstream: debug" in page and "config: trace" in page and "http: info" in page


def test_debug_tells_the_way_of_a_request(stage):
    port, dead = free_port(), free_port()
    hosts = [virtual_host(route("b", prefix="/a"))]
    path = stage.file(bootstrap([listener(port, hosts)], [cluster("b", dead)]))
    proxy = stage.ending.enter_context(Proxy(["-c", path, "-l", "debug"])).wait_listening(port)
    assert ask(port, "/a", fields=[("X-Field", "value")]).status == 503
    for line in (
        r"\[debug\]\[connection\] \[C\d+\] new connection from 127.0.0.1:",
        r"\[debug\]\[http\] \[C\d+\] request headers complete \(end_stream=true\):",
        "'x-field', 'value'",
        r"\[debug\]\[router\] \[C\d+\] cluster 'b' match for URL '/a'",
        rf"\[debug\]\[pool\] \[C\d+\] creating a new connection to 127.0.0.1:{dead}",
        r"\[debug\]\[pool\] \[C\d+\] no connection: .*refused",
        r"\[debug\]\[http\] \[C\d+\] Sending local reply with details upstream_reset_before_response_started",
        "':status', '503'",
        r"\[debug\]\[connection\] \[C\d+\] (remote close|closed)",
    ):
        proxy.wait_line(line)


def test_the_log_may_go_to_a_file(stage):
    path = stage.directory / "log"
    proxy = started(stage, "--log-path", path)
    proxy.stop()
    assert "starting" in path.read_text()


def test_unknown_fields_are_told_by_line_when_they_are_allowed(stage):
    admin = free_port()
    path = stage.file(
        "nosuch: {a: 1}\nadmin:\n  address: {socket_address: {address: 127.0.0.1, port_value: %d}}\n" % admin
    )
    proxy = Proxy(["-c", path, "--allow-unknown-static-fields"], admin=admin)
    stage.ending.enter_context(proxy).wait_listening(admin)
    proxy.wait_line(f"{path}:1:1: note: envoy.config.bootstrap.v3.Bootstrap has no field `nosuch`")
    assert proxy.stat("server.static_unknown_fields") == 1


def test_a_tag_of_the_command_line_is_in_every_statistic(stage):
    proxy = started(stage, "--stats-tag", "zone:a", "--stats-tag", "rack:7")
    text = proxy.ask_admin("/stats/prometheus").body.decode()
    assert 'envoy_server_concurrency{zone="a",rack="7"}' in text
    assert all('zone="a",rack="7"' in line for line in text.splitlines() if not line.startswith("#"))


def test_core_dumps_can_be_enabled(stage):
    proxy = started(stage, "--enable-core-dump")
    limits = open(f"/proc/{proxy.pid}/limits").read()
    soft, hard = re.search(r"Max core file size\s+(\S+)\s+(\S+)", limits).groups()
    assert soft == hard


def test_an_extension_can_be_turned_off(stage):
    config = bootstrap([listener(free_port(), [])], [])
    done = run(
        stage, "-c", stage.file(config), "--mode", "validate", "--disable-extensions", "x,envoy.filters.http.router"
    )
    assert done.status == 1 and "envoy.filters.http.router, an HTTP filter, is turned off by --disable" in done.stderr


def test_mode_validate_opens_nothing(stage):
    admin = free_port()
    done = run(stage, "-c", stage.file(bootstrap([], [], admin)), "--mode", "validate")
    assert done.status == 0 and "OK" in done.stdout


def test_the_verb_validate_tells_the_errors_of_all_files(stage):
    good, bad, worse = stage.file(bootstrap([], [])), stage.file("admin: 1\n"), stage.file("nodes: {}\n")
    done = run(stage, "validate", good, bad, worse)
    assert done.status == 1
    assert f"{bad}:1:8:" in done.stderr and f"{worse}:1:1:" in done.stderr and f"{good}:" not in done.stderr


def test_a_file_that_asks_for_discovery_is_looked_at_without_the_name_of_the_proxy(stage):
    file = stage.file({"lds": {"cluster": service_cluster("discovery", 1)}, "cluster_manager": {"clusters": []}})
    assert run(stage, "validate", file).status == 0
    assert run(stage, "explain", file, "GET", "http://a/").status == 0
    done = run(stage, "-c", file, "--mode", "validate")
    assert done.status == 1 and "needs a name: --service-cluster" in done.stderr


def test_a_mistyped_verb_is_told_the_right_one():
    done = subprocess.run([BINARY, "vaildate", "x"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "outrider: there is no verb 'vaildate'; did you mean 'validate'?\n"


@pytest.mark.parametrize("verb", ["validate", "convert", "lint"])
def test_a_verb_without_file_says_so(verb):
    done = subprocess.run([BINARY, verb], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("outrider: FILE is missing\nusage:")


def test_the_verb_validate_tells_notes_too(stage):
    retried = listener(1, [virtual_host(route("b", retry_policy={"retry_on": "5xx,5xxx"}))])
    done = run(stage, "validate", stage.file(bootstrap([retried], [cluster("b", 1)])))
    assert done.status == 0
    assert "retry_policy.retry_on: note: no reason to retry, and left out: 5xxx" in done.stderr


def test_a_word_of_a_route_on_a_filter_that_is_not_there_is_told(stage):
    cors = typed("envoy.extensions.filters.http.cors.v3.CorsPolicy")
    worded = {**route("b"), "typed_per_filter_config": {"nonsense": cors}}
    done = run(stage, "validate", stage.file(bootstrap([listener(1, [virtual_host(worded)])], [cluster("b", 1)])))
    assert done.status == 0
    assert "note: no filter of this connection manager is named 'nonsense': this has no effect" in done.stderr


def test_a_value_of_a_verb_may_follow_an_equals_sign(stage):
    path = stage.file(bootstrap([], []))
    assert run(stage, "convert", "--format=json", path).stdout == run(stage, "convert", "--format", "json", path).stdout
