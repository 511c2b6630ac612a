"""The admin pages of outrider and of Envoy beside each other."""

import json
import re

import pytest

from config_text import bootstrap, cluster, listener, route, virtual_host
from peers import Client, request_bytes
from processes import BINARY, free_port
from sides import ENVOY, both, needed

pytestmark = needed

VARYING = {"date"}


@pytest.fixture(scope="module")
def pair(shared):
    def clusters(backend):
        return [cluster("backend", backend), cluster("other", 1, 2, outlier_detection={"interval": "60s"})]

    sides = both(shared, routes=[route("backend")], clusters=clusters, listener={"name": "front"})
    for side in sides:
        side.exchange(request_bytes("/"), "GET")
    return sides


def answers(sides, path, method="GET"):
    return [side.proxy.ask_admin(path, method) for side in sides]


def head(answer):
    return answer.status, sorted({(n, v) for n, v in answer.fields if n not in VARYING})


def test_every_command_of_envoy_exists_with_its_parameters(pair):
    def commands(answer):
        return {line.partition(": ")[0] for line in answer.body.decode().splitlines()[1:]}

    ours, theirs = map(commands, answers(pair, "/help"))
    assert not theirs - ours


# (method, path): answered with the same status, fields and body.
SAME = [
    ("GET", "/ready"),
    ("GET", "/certs"),
    ("GET", "/init_dump"),
    ("GET", "/init_dump?mask=listener"),
    ("GET", "/runtime", "fields"),
    ("POST", "/runtime_modify?a=b"),
    ("POST", "/runtime_modify"),
    ("POST", "/cpuprofiler?enable=y"),
    ("POST", "/cpuprofiler?enable=n"),
    ("POST", "/cpuprofiler?enable=z"),
    ("GET", "/cpuprofiler"),
    ("POST", "/heapprofiler?enable=y", "status"),
    ("GET", "/heapprofiler"),
    ("GET", "/contention", "fields"),
    ("GET", "/nothing", "fields"),
    ("GET", "/help/", "fields"),
    ("GET", "/", "fields"),
    ("PUT", "/healthcheck/ok"),
    ("DELETE", "/ready"),
    ("POST", "/ready"),
    ("GET", "/memory", "fields"),
    ("GET", "/server_info", "fields"),
    ("GET", "/config_dump", "fields"),
    ("GET", "/config_dump?resource=nosuch"),
    ("GET", "/config_dump?resource=bootstrap"),
    ("GET", "/config_dump?mask=nosuch"),
    ("GET", "/config_dump?mask=static_clusters.cluster.name"),
    ("GET", "/config_dump?mask=bootstrap,static_clusters"),
    ("GET", "/config_dump?resource=static_clusters&mask=cluster", "fields"),
    ("GET", "/config_dump?resource=static_clusters&mask=cluster.name,foo.bar", "fields"),
    ("GET", "/config_dump?resource=static_clusters&name_regex=zzz"),
    ("GET", "/config_dump?resource=static_secrets"),
    ("GET", "/config_dump?resource=static_endpoint_configs"),
    ("GET", "/config_dump?name_regex=pa("),
    ("GET", "/clusters?filter=pa("),
    ("GET", "/listeners?format=xx", "fields"),
    ("GET", "/stats?filter=("),
    ("GET", "/stats?format=foo"),
    ("GET", "/stats?type=foo"),
    ("GET", "/stats?type=TextReadouts"),
    ("GET", "/stats?format=json&type=TextReadouts"),
    ("GET", "/stats?histogram_buckets=foo"),
    ("GET", "/stats?histogram_buckets=prometheusnative"),
    ("GET", "/stats?invert_filter"),
    ("GET", "/stats/prometheus?histogram_buckets=detailed"),
    ("GET", "/stats/prometheus?histogram_buckets=prometheusnative"),
    ("GET", "/stats/prometheus?histogram_buckets=foo"),
    ("GET", "/stats/prometheus?filter=("),
    ("GET", "/stats/recentlookups", "fields"),
    ("POST", "/stats/recentlookups/enable"),
    ("GET", "/stats/recentlookups", "fields"),
    ("POST", "/stats/recentlookups/clear"),
    ("POST", "/stats/recentlookups/disable"),
    ("POST", "/reopen_logs"),
    ("POST", "/reset_counters"),
    ("GET", "/reset_counters"),
    ("POST", "/logging?level=foo", "fields"),
    ("POST", "/drain_listeners?graceful&skip_exit"),
]


@pytest.mark.parametrize("case", SAME, ids=" ".join)
def test_the_same_answer(pair, case):
    method, path, *less = case
    ours, theirs = answers(pair, path, method)
    assert ours.status == theirs.status
    if less != ["status"]:
        assert head(ours) == head(theirs)
    if not less:
        assert ours.body == theirs.body


@pytest.mark.parametrize(
    "query",
    [
        "paths=http:debug",
        "paths=http",
        "paths=nosuch:debug",
        "paths=:info",
        "paths=http:info,,upstream:debug",
        "paths=http:warn",
        "group=http:debug",
        "group=http",
        "group=",
        "level=",
        "level=debug&http=info",
        "http=trace",
        "quic=trace",
        "http=",
        "http=warn",
        "nosuch=debug",
        "level=info",
    ],
)
def test_log_levels(pair, query):
    def seen(answer):
        said, _, levels = answer.body.decode().partition("active loggers:")
        return answer.status, said, sorted(levels.split("\n"))

    for side in pair:
        side.proxy.ask_admin("/logging?level=info", "POST")
    ours, theirs = map(seen, answers(pair, "/logging?" + query, "POST"))
    assert ours == theirs


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("last_updated", "version_info")}
    return sorted(map(without_times, value), key=str) if isinstance(value, list) else value


@pytest.mark.parametrize(
    "query",
    [
        "resource=static_clusters&mask=cluster.name,cluster.type",
        "resource=static_clusters&mask=cluster.name,last_updated",
        "resource=static_clusters&mask=last_updated",
        "resource=static_clusters&name_regex=oth.*&mask=cluster.name",
        "resource=static_clusters&name_regex=oth&mask=cluster.name",
        "resource=static_route_configs&mask=route_config.name",
        "resource=static_listeners&mask=listener.name,listener.address.socket_address.address",
        "resource=static_endpoint_configs&include_eds&name_regex=other",
        "mask=bootstrap.static_resources.clusters&resource=",
        "mask=static_clusters&name_regex=other",
    ],
)
def test_parts_of_the_configuration(pair, query):
    ours, theirs = (a.json() for a in answers(pair, "/config_dump?" + query))
    backend = [re.sub(r'"port_value": \d+', "", json.dumps(without_times(x), sort_keys=True)) for x in (ours, theirs)]
    assert backend[0] == backend[1]


def test_the_sections_of_the_configuration(pair):
    ours, theirs = ([c["@type"] for c in a.json()["configs"]] for a in answers(pair, "/config_dump?include_eds"))
    assert ours == theirs


def names_of(text):
    return {line.rpartition(":")[0] for line in text.splitlines()}


@pytest.mark.parametrize("query", ["filter=^other$", "", "filter=e"])
def test_clusters(pair, query):
    ours, theirs = (
        {re.sub(r"127.0.0.1:\d{4,}", "backend", line) for line in a.body.decode().splitlines()}
        for a in answers(pair, "/clusters?" + query)
    )
    assert names_of("\n".join(ours)) == names_of("\n".join(theirs))


@pytest.mark.parametrize("buckets", ["", "cumulative", "disjoint", "detailed", "summary"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_histograms_that_are_empty(pair, form, buckets):
    path = f"/stats?type=Histograms&filter=cluster.other.upstream_cx_length_ms&format={form}"
    ours, theirs = answers(pair, path + (f"&histogram_buckets={buckets}" if buckets else ""))
    assert (head(ours), ours.body) == (head(theirs), theirs.body)


@pytest.mark.parametrize("flags", [[], ["--stats-tag", "zone:a", "--stats-tag", "rack:7"]])
def test_what_prometheus_reads(stage, flags):
    chosen = "filter=upstream_rq_(total|2xx|200)|downstream_rq_xx&usedonly"
    seen = []
    for side in both(stage, routes=[route("backend")], flags=flags):
        side.exchange(request_bytes("/"), "GET")
        lines = side.proxy.ask_admin("/stats/prometheus?" + chosen).body.decode().splitlines()
        seen.append({line for line in lines if "external" not in line})
    assert seen[0] == seen[1]


@pytest.mark.parametrize("state, closed", [("fail", True), ("ok", False)])
def test_failing_health_drains(stage, state, closed):
    sides = both(stage, routes=[route("backend")])
    seen = []
    for side in sides:
        order = side.proxy.ask_admin(f"/healthcheck/{state}", "POST")
        ready = side.proxy.ask_admin("/ready")
        with Client(side.proxy.port) as client:
            response = client.ask("/")
        seen.append((head(order), order.body, head(ready), ready.body, response["connection"]))
    assert seen[0] == seen[1]
    assert (seen[0][4] == "close") == closed


@pytest.mark.parametrize("query", ["", "?inboundonly", "?graceful", "?graceful&skip_exit", "?skip_exit"])
@pytest.mark.parametrize("direction", ["INBOUND", "OUTBOUND"])
def test_drained_listeners(stage, query, direction):
    def accepts(port):
        try:
            Client(port).close()
            return True
        except ConnectionRefusedError:
            return False

    flags = ["--drain-strategy", "immediate", "--drain-time-s", "100"]
    options = {"traffic_direction": direction, "name": "front"}
    seen = []
    for side in both(stage, routes=[route("backend")], flags=flags, listener=options):
        with Client(side.proxy.port) as client:
            client.ask("/")
            order = side.proxy.ask_admin("/drain_listeners" + query, "POST")
            connection = None
            for _ in range(20):  # The workers learn of it a moment later.
                connection = connection or client.ask("/")["connection"]
        ends = not query or query == "?inboundonly" and direction == "INBOUND"
        if ends:
            side.proxy.wait_stat("listener_manager.listener_stopped", 1)
        listed = side.proxy.ask_admin("/listeners").body.decode().partition("::")[0]
        seen.append((head(order), order.body, connection, accepts(side.proxy.port), listed))
    assert seen[0] == seen[1]


ALLOWED = [{"exact": "/ready"}, {"prefix": "/stats"}, {"safe_regex": {"regex": "/help.?"}}]


@pytest.mark.parametrize(
    "path", ["/ready", "/ready?x=1", "/stats?filter=nothing", "/", "/nosuch", "/help", "/clusters"]
)
def test_paths_that_are_allowed(stage, path):
    seen = []
    for binary in (BINARY, ENVOY):
        admin, port = free_port(), free_port()
        config = bootstrap([listener(port, [virtual_host(route("a"))])], [cluster("a", 1)], admin)
        config["admin"]["allow_paths"] = ALLOWED
        more = ["--base-id", str(admin)] if binary == ENVOY else []
        answer = stage.start(config, *more, ports=[port], admin=admin, binary=binary).ask_admin(path)
        seen.append((head(answer), answer.body if path != "/help" else b""))
    assert seen[0] == seen[1]


LAYERS = [
    {"name": "base", "static_layer": {"foo": 1, "bar": {"baz": "x"}, "flag": True, "neg": -1}},
    {"name": "disk", "disk_layer": {"symlink_root": "ROOT", "subdirectory": "envoy"}},
    {"name": "admin", "admin_layer": {}},
]


def test_the_runtime(stage):
    files = stage.directory / "runtime" / "envoy" / "sub"
    files.mkdir(parents=True)
    (files / "k").write_text("# a comment\na b \n\n")
    (files.parent / "foo").write_text("7\n")
    layers = json.loads(json.dumps(LAYERS).replace("ROOT", str(files.parent.parent)))
    seen = []
    for side in both(stage, routes=[route("backend")], bootstrap={"layered_runtime": {"layers": layers}}):
        ask, said = side.proxy.ask_admin, []
        said.append(ask("/runtime").json())
        for change in ("foo=9&new=3&x%20y=1+2", "new=", "foo="):
            said.append(ask("/runtime_modify?" + change, "POST").body)
            said.append(ask("/runtime").json())
        said.append({n: side.proxy.stat("runtime." + n) for n in ("num_keys", "num_layers", "admin_overrides_active")})
        seen.append(said)
    assert seen[0] == seen[1]
