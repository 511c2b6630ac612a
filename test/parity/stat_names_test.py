"""Which statistics there are, and what they are called for Prometheus, beside Envoy's, after the same traffic."""

import re

import pytest

from config_text import cluster, http_filter, http_filters, route, virtual_host
from peers import Client, Hangup, request_bytes, response_bytes
from sides import both, needed

pytestmark = needed

# What Envoy has and outrider does not, on purpose: why, and a pattern of whole names.
ABSENT = {
    "HTTP/3 and TLS are not built": r".*(http3|0rtt|0_rtt|ssl|fips_mode|ocsp|rx_reset_no_error).*",
    "no EDS": r"cluster\..*\.(assignment_\w+|warming_state)|cluster_manager\.(cluster_updated_via_merge|update_\w+)",
    "no subsets, no zones": r"cluster\..*\.lb_(subsets|zone|local|recalculate)_?.*",
    "no transport socket matches": r"cluster\..*\.default\.total_match_count",
    "no preconnecting": r"cluster\..*\.upstream_cx_preconnect_skipped",
    "no limit of pools": r"cluster\..*\.circuit_breakers\..*\.cx_pool_open",
    "no internal redirects": r".*internal_redirect.*",
    "bodies are pulled: nothing is paused, and nothing is buffered that could back up":
        r".*(flow_control|bytes_buffered|queue_overloaded).*",
    "the codec to hosts has no such limits": r"cluster\..*\.http1\..*",
    "no overload manager": r".*(overload|soft_drain|reset_high_memory).*",
    "no hot restart": r"server\.hot_restart_generation",
    "of Envoy's own build": r"server\.(debug_assertion_failures|envoy_bug_failures|envoy_notifications|wip_protos)",
    "the sinks drop nothing": r"server\.dropped_stat_flushes",
    "names are not looked up": r"server\.stats_recent_lookups",
    "no listener filters": r"listener\..*\.(downstream_pre_cx_\w+|downstream_listener_filter_\w+|"
        r"downstream_cx_transport_socket_connect_timeout|(network_)?extension_config_missing)",
    "each worker accepts on a socket of its own": r"listener\..*\.(connections_accepted_per_socket_event|"
        r"(worker_\d+|main_thread)\..*)|listener_manager\.workers_pinned",
    "the workers' clusters are made when they are used": r"thread_local_cluster_manager\..*",
    "requests of filters are counted by their cluster": r"http\.async-client\..*",
    "the admin page is no connection manager": r"http\.admin\..*|listener\.admin\.http\..*",
    "tracing counts where it is configured": r"http\.in\.tracing\..*",
    "machines of scripts are not counted": r"lua\.lua_vm_count",
    "codes are shown from their first count on": r"cluster\.(in_statistics|with_colon)\.upstream_rq_completed",
    "a response that breaks off is counted as reset": r"http\..*\.rq_reset_after_downstream_response_started",
}  # fmt: skip
# What outrider has and Envoy does not.
OWN = {
    "reloads are a thing of outrider": r"server\.config_reload_(success|failure)",
    "the codec's counters are there before its first connection": r"(cluster\..*\.)?http2\..*",
    "limits of scripts": r"http\.in\.lua\.(memory|instructions)_exceeded",
    "requests that come back": r"http\.\w+\.rq_loop",
    "lines that a slow disk did not take": r"filesystem\.write_dropped",
    "accept() has no file descriptor": r"listener\..*\.downstream_accept_emfile",
    "the admin page is served as a connection manager is": r"http\.admin\..*",
}


def serve(stream):
    while True:
        request = stream.request()
        if request.target == "/close":
            return
        canary = [("x-envoy-upstream-canary", "true")] if request.target == "/canary" else []
        stream.send(response_bytes("404 No" if request.target == "/404" else "200 OK", canary, b"hello"))


HOST = virtual_host(
    route("empty", "/empty"),
    {**route("backend", "/", timeout="1s"), "stat_prefix": "all"},
    virtual_clusters=[{"name": "every", "headers": [{"name": ":path", "string_match": {"prefix": "/"}}]}],
)
FILTERS = [
    http_filter("cors", "Cors"),
    http_filter(
        "csrf", "CsrfPolicy", filter_enabled={"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    ),
    http_filter("buffer", "Buffer", max_request_bytes=1000),
    http_filter("health_check", "HealthCheck", pass_through_mode=False,
                headers=[{"name": ":path", "string_match": {"exact": "/healthy"}}]),
    http_filter("lua", "Lua", default_source_code={"inline_string": "function envoy_on_request(h) end"}),
]  # fmt: skip
REQUESTS = [
    request_bytes("/"),
    request_bytes("/404"),
    request_bytes("/canary"),
    request_bytes("/empty"),
    request_bytes("/", fields=[("x-forwarded-for", "10.0.0.1")]),
    request_bytes("/healthy"),
    request_bytes("/close", "POST", body=b"x"),
    request_bytes("/", "POST", [("origin", "http://elsewhere")], b"x"),
    request_bytes("/", fields=[("a_b", "c")]),
    b"nonsense\r\n\r\n",
]


def clusters(backend):
    named = cluster("other:name", backend, alt_stat_name="in_statistics")
    return [cluster("backend", backend), cluster("empty"), named, cluster("with:colon", backend)]


@pytest.fixture(scope="module")
def sides(shared):
    sides = both(
        shared,
        virtual_hosts=[HOST],
        clusters=clusters,
        serve=serve,
        http_filters=http_filters(*FILTERS),
        internal_address_config={"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]},
        common_http_protocol_options={"headers_with_underscores_action": "DROP_HEADER"},
    )
    for side in sides:
        for i, data in enumerate(REQUESTS):
            with Client(side.proxy.port) as client:
                client.send(data)
                try:
                    client.response()
                except Hangup:
                    pass
            side.wait_logged(i + 1)
        side.proxy.wait_stat("http.in.downstream_cx_active", 0)
    return sides


def plain(side, text):
    """Ports are not the same on both sides."""
    return text.replace(f"_{side.proxy.port}", "_PORT")


def statistics(side):
    lines = plain(side, side.proxy.ask_admin("/stats").body.decode()).splitlines()
    return {line.split(": ")[0]: line.split(": ")[1] for line in lines if ": " in line}


def unexplained(names, reasons):
    return sorted(n for n in names if not any(re.fullmatch(pattern, n) for pattern in reasons.values()))


def test_names(sides):
    ours, theirs = (statistics(side) for side in sides)
    lacking, more = unexplained(theirs.keys() - ours.keys(), ABSENT), unexplained(ours.keys() - theirs.keys(), OWN)
    assert not lacking and not more, f"{lacking} {more}"


def test_every_reason_is_needed(sides):
    ours, theirs = (statistics(side).keys() for side in sides)
    for names, reasons in ((theirs - ours, ABSENT), (ours - theirs, OWN)):
        needless = [why for why, pattern in reasons.items() if not any(re.fullmatch(pattern, n) for n in names)]
        assert not needless, str(needless)


# Counters that depend on what is read of a refused request (see failures_test.py), on time, on sizes of heads, on the
# order of things, or on what the process is.
VARYING = "|".join([
    r".*(response_before_rq_complete|rq_rx_reset|_bytes_|_time|_ms|upstream_cx_|downstream_cx_|lb_|update_|pending_).*",
    r"(server|filesystem|runtime|main_thread|cluster_manager|listener_manager|workers)\..*",
    r".*\.admin\..*",
    r"cluster\..*\.(version|max_host_weight|membership_excluded)",
])  # fmt: skip


def test_values(sides):
    ours, theirs = (statistics(side) for side in sides)
    alike = {n for n in ours.keys() & theirs.keys() if not re.fullmatch(VARYING, n)}
    assert len(alike) > 100
    different = {n: (ours[n], theirs[n]) for n in alike if ours[n] != theirs[n]}
    assert not different, str(different)


def prometheus(side):
    """Each metric's type, and the labels of its lines."""
    found = {}
    for line in plain(side, side.proxy.ask_admin("/stats/prometheus").body.decode()).splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            found[name] = (kind, set())
        elif line and not line.startswith("#"):
            metric, labels = re.match(r"([^{ ]+)(?:\{(.*)\})?", line).groups()
            pairs = frozenset(p for p in re.findall(r'(\w+="[^"]*")', labels or "") if not p.startswith("le="))
            base = re.sub(r"_(bucket|sum|count)$", "", metric) if metric not in found else metric
            found[base][1].add(pairs)
    return found


def test_prometheus_has_the_same_metrics_with_the_same_labels(sides):
    ours, theirs = (prometheus(side) for side in sides)
    names = {n for n in ours.keys() & theirs.keys() if not re.search("admin|listener_manager|upstream_rq_completed", n)}
    assert len(names) > 150
    different = {}
    for name in sorted(names):
        mine, envoys = (
            {p for p in x[name][1] if not re.search('admin"|async-client"', str(p))} for x in (ours, theirs)
        )
        if ours[name][0] != theirs[name][0] or mine != envoys:
            different[name] = (ours[name][0], theirs[name][0], sorted(map(sorted, mine ^ envoys)))
    assert not different, "\n".join(f"{k}: {v}" for k, v in different.items())
