"""What of a configuration is refused: the same as by Envoy. One change to a file that both take, for each case."""

import copy

import pytest

from config_text import address, bootstrap, cluster, file_log, http_filter, http_filters, listener, route, virtual_host
from envoy_binary import ENVOY
from processes import BINARY
from sides import needed

pytestmark = needed

BASE = bootstrap([listener(18080, [virtual_host(route("a"))], name="l")], [cluster("a", 80)], 0)


UNSET = {"endpoints": [{"lb_endpoints": [{}]}]}


def put(path, value):
    """`path`: keys and indices by dots, below the place that the first word names."""

    def change(config):
        resources = config["static_resources"]
        chain = resources["listeners"][0]["filter_chains"][0]
        hcm = chain["filters"][0]["typed_config"]
        host = hcm["route_config"]["virtual_hosts"][0]
        places = {
            "bootstrap": config,
            "cluster": resources["clusters"][0],
            "assignment": resources["clusters"][0].get("load_assignment"),
            "lb": resources["clusters"][0].get("load_assignment", UNSET)["endpoints"][0]["lb_endpoints"][0],
            "listener": resources["listeners"][0],
            "chain": chain,
            "hcm": hcm,
            "routes": hcm["route_config"],
            "host": host,
            "route": host["routes"][0],
            "action": host["routes"][0].get("route"),
        }
        *way, last = path.split(".")
        at = places[way[0]]
        for key in way[1:]:
            at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
        if value is None:
            del at[last]
        elif isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value

    return change


def regex(pattern):
    return {"pattern": {"regex": pattern}, "substitution": "x"}


def mutating(name):
    append = {"append": {"header": {"key": name, "value": "x"}}}
    return http_filter("header_mutation", "HeaderMutation", mutations={"request_mutations": [append]})


BEYOND = {"pattern": {"regex": "a"}, "substitution": r"\3"}  # The pattern has no third group.
BEYOND_KEY = [{"header": {"header_name": "a", "regex_rewrite": BEYOND}}]
HEADER = {"key": "x-a", "value": "b"}
ODD = virtual_host(route("a"), name="odd")
HOSTS = [{"lb_endpoints": [{"endpoint": {"address": address(p, "a.example")}} for p in (1, 2)]}]
CASES = [
    ("cluster.name", None),
    ("cluster.name", ""),
    ("cluster.connect_timeout", "0s"),
    ("cluster.connect_timeout", "-1s"),
    ("cluster.connect_timeout", "1 s"),
    ("cluster.connect_timeout", "0.0000001s"),
    ("cluster.lb_policy", "ROUND"),
    ("cluster.lb_policy", 77),
    ("cluster.lb_policy", "CLUSTER_PROVIDED"),
    ("cluster.type", "ORIGINAL_DST"),
    ("cluster.type", "STATIK"),
    ("cluster.dns_refresh_rate", "0s"),
    ("cluster.dns_refresh_rate", "0.0005s"),
    ("cluster.dns_failure_refresh_rate", {"base_interval": "0s"}),
    ("cluster.dns_failure_refresh_rate", {}),
    ("cluster.cleanup_interval", "0s"),
    ("cluster.least_request_lb_config", {"choice_count": 1}),
    ("cluster.lb_policy", "RING_HASH"),
    ("cluster.lb_policy", "MAGLEV"),
    ("cluster.common_lb_config", {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}}),
    ("cluster.common_lb_config", {"consistent_hashing_lb_config": {"hash_balance_factor": 99}}),
    ("cluster.upstream_bind_config", {"source_address": {"address": "a", "port_value": 0}}),
    ("cluster.upstream_bind_config", {"source_address": {"address": "127.0.0.1"}}),
    ("cluster.upstream_bind_config", {"socket_options": [{"level": 6, "name": 6}]}),
    ("cluster.upstream_bind_config", {}),
    ("cluster.upstream_connection_options", {"tcp_keepalive": {}}),
    ("action.hash_policy", [{}]),
    ("action.hash_policy", [{"header": {"header_name": ""}}]),
    ("action.hash_policy", [{"header": {"header_name": "a b"}}]),
    ("action.hash_policy", [{"header": {"header_name": "a", "regex_rewrite": regex("(")}}]),
    ("action.hash_policy", BEYOND_KEY),
    ("action.hash_policy", [{"cookie": {"name": ""}}]),
    ("action.hash_policy", [{"cookie": {"name": "a", "ttl": "-1s"}}]),
    ("action.hash_policy", [{"cookie": {"name": "a", "attributes": [{"name": "", "value": "b"}]}}]),
    ("action.hash_policy", [{"cookie": {"name": "a", "attributes": [{"name": "a;", "value": "b"}]}}]),
    ("action.hash_policy", [{"query_parameter": {"name": ""}}]),
    ("action.hash_policy", [{"connection_properties": {"source_ip": False}}]),
    ("cluster.circuit_breakers", {"thresholds": [{"priority": "LOW"}]}),
    ("cluster.per_connection_buffer_limit_bytes", -1),
    ("cluster.per_connection_buffer_limit_bytes", "x"),
    ("cluster.unknown_field", 1),
    ("assignment.cluster_name", ""),
    ("assignment.endpoints.0.priority", 129),
    ("lb.load_balancing_weight", 0),
    ("lb.endpoint.address", address(70000)),
    ("lb.endpoint.address", address(80, "name.example")),
    ("lb.endpoint.address", {"socket_address": {"address": "127.0.0.1"}}),
    ("lb.endpoint.address", {"socket_address": {"address": "", "port_value": 1}}),
    ("lb.endpoint.address", {"pipe": {"path": ""}}),
    ("lb.endpoint.address", {}),
    ("lb.health_status", "SICK"),
    ("listener.address", None),
    ("listener.address", address(80, "300.0.0.1")),
    ("listener.filter_chains", []),
    ("listener.tcp_backlog_size", -1),
    ("chain.filters", []),
    ("chain.filters.0.name", None),
    ("chain.filters.0.typed_config.@type", "type.googleapis.com/no.such.Type"),
    ("chain.filter_chain_match", {"destination_port": 0}),
    ("chain.filter_chain_match", {"destination_port": 65536}),
    ("chain.filter_chain_match", {"source_ports": [0]}),
    ("chain.filter_chain_match", {"prefix_ranges": [{"address_prefix": "10.0.0.x", "prefix_len": 8}]}),
    ("chain.filter_chain_match", {"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 129}]}),
    ("hcm.stat_prefix", None),
    ("hcm.route_config", None),
    ("hcm.http_filters", []),
    ("hcm.http_filters", http_filters(http_filters()[0])),
    ("hcm.http_filters", [*http_filters(), http_filter("buffer", "Buffer", max_request_bytes=1)]),
    ("hcm.http_filters", http_filters(http_filter("buffer", "Buffer"))),
    ("hcm.http_filters", http_filters(http_filter("buffer", "Buffer", max_request_bytes=0))),
    ("hcm.codec_type", "HTTP4"),
    ("hcm.max_request_headers_kb", 0),
    ("hcm.max_request_headers_kb", 8193),
    ("hcm.common_http_protocol_options", {"max_headers_count": 0}),
    ("hcm.common_http_protocol_options", {"max_requests_per_connection": 0}),
    ("hcm.server_name", "a\nb"),
    ("hcm.strip_any_host_port", True),
    ("hcm.upgrade_configs", [{"upgrade_type": "websocket"}, {"upgrade_type": "websocket"}]),
    ("hcm.local_reply_config", {"mappers": [{"status_code": 99}]}),
    ("hcm.local_reply_config", {"mappers": [{}]}),
    ("hcm.access_log", [file_log("/dev/null", "%FOO%")]),
    ("hcm.access_log", [file_log("/dev/null", "%REQ(a%")]),
    ("hcm.access_log", [file_log("")]),
    ("hcm.access_log", [{**file_log("/dev/null"), "filter": {}}]),
    ("hcm.xff_num_trusted_hops", -1),
    ("hcm.request_timeout", "x"),
    ("routes.virtual_hosts", [virtual_host(route("a")), virtual_host(route("a"), name="b")]),
    ("routes.virtual_hosts", [virtual_host(route("a")), virtual_host(route("a"), domains=["x"])]),
    ("routes.virtual_hosts", [virtual_host(route("a"), domains=["x", "X"])]),
    ("routes.virtual_hosts", [virtual_host(route("a"), domains=["*.*"])]),
    ("routes.virtual_hosts", [virtual_host(route("a"), domains=["a*b"])]),
    ("hcm.http_filters", http_filters(mutating(":path"))),
    ("hcm.http_filters", http_filters(mutating("host"))),
    ("routes.request_headers_to_remove", ["x\ny"]),
    ("routes.request_headers_to_remove", [":path"]),
    ("routes.request_headers_to_add", [{"header": {"key": "", "value": "b"}}]),
    ("routes.request_headers_to_add", [{"header": {"key": ":path", "value": "b"}}]),
    ("routes.request_headers_to_add", [{"header": {"key": "host", "value": "b"}}]),
    ("routes.request_headers_to_add", [{"header": {"key": "a", "value": "%FOO%"}}]),
    ("routes.request_headers_to_add", [{"header": HEADER}] * 2),
    ("routes.response_headers_to_add", [{}]),
    ("host.name", ""),
    ("host.domains", []),
    ("host.domains", [""]),
    ("host.virtual_clusters", [{"name": "", "headers": []}]),
    ("host.require_tls", "SOME"),
    ("route.match", None),
    ("route.match", {}),
    ("route.match", {"prefix": "/", "path": "/"}),
    ("route.match", {"safe_regex": {"regex": "("}}),
    ("route.match", {"safe_regex": {"regex": ""}}),
    ("route.match", {"path_separated_prefix": "/a/"}),
    ("route.match", {"path_separated_prefix": "a?b"}),
    ("route.match", {"prefix": "/", "headers": [{"name": ""}]}),
    ("route.match", {"prefix": "/", "headers": [{"name": "a", "string_match": {"safe_regex": {"regex": "("}}}]}),
    ("route.match", {"prefix": "/", "headers": [{"name": "a", "string_match": {"prefix": ""}}]}),
    ("route.match", {"prefix": "/", "query_parameters": [{"name": ""}]}),
    ("route.match", {"prefix": "/", "runtime_fraction": {}}),
    ("route.route", {}),
    ("route.route", None),
    ("route.redirect", {}),
    ("action.cluster", ""),
    ("action.cluster", "b"),
    ("action.cluster_header", "x"),
    ("action.weighted_clusters", {"clusters": [{"name": "a", "weight": 1}]}),
    ("action.timeout", "-1s"),
    ("action.timeout", "1"),
    ("action.timeout", 1),
    ("action.idle_timeout", "1ms"),
    ("action.prefix_rewrite", "/a\n"),
    ("action.regex_rewrite", regex("(")),
    ("action.regex_rewrite", BEYOND),
    ("action.host_rewrite_literal", "a\nb"),
    ("action.upgrade_configs", [{"upgrade_type": "x"}, {"upgrade_type": "X"}]),
    ("action.upgrade_configs", [{"upgrade_type": "websocket", "connect_config": {}}]),
    ("action.priority", "LOW"),
    ("action.hash_policy", [{}]),
    ("bootstrap.admin", {"address": {}}),
    ("bootstrap.watchdog", {"miss_timeout": "-1s"}),
    ("bootstrap.watchdogs", {"worker_watchdog": {"multikill_threshold": {"value": 101}}}),
    ("bootstrap.stats_flush_interval", "0s"),
    ("bootstrap.stats_flush_interval", "0.0001s"),
    ("bootstrap.stats_flush_interval", "301s"),
    ("bootstrap.layered_runtime", {"layers": [{"name": "", "admin_layer": {}}]}),
    ("bootstrap.layered_runtime", {"layers": [{"name": "a"}]}),
    ("bootstrap.layered_runtime", {"layers": [{"name": "a", "admin_layer": {}}, {"name": "a", "static_layer": {}}]}),
    ("bootstrap.layered_runtime", {"layers": [{"name": n, "admin_layer": {}} for n in "ab"]}),
    ("bootstrap.node", {"locality": {"region": 1}}),
    ("bootstrap.nodes", {}),
]


def whole(change):
    """Changes of several places at once, by name."""
    return {
        "two rewrites": [put("action.prefix_rewrite", "/a"), put("action.regex_rewrite", regex("a"))],
        "two host rewrites": [put("action.host_rewrite_literal", "a"), put("action.auto_host_rewrite", True)],
        "no weight": [
            put("action.cluster", None),
            put("action.weighted_clusters", {"clusters": [{"name": "a", "weight": 0}]}),
        ],
        "an unknown choice": [
            put("action.cluster", None),
            put("action.weighted_clusters", {"clusters": [{"name": "b", "weight": 1}]}),
        ],
        "redirect to path and prefix": [
            put("route.route", None),
            put("route.redirect", {"path_redirect": "/a", "prefix_rewrite": "/b"}),
        ],
        "status 99": [put("route.route", None), put("route.direct_response", {"status": 99})],
        "status 600": [put("route.route", None), put("route.direct_response", {"status": 600})],
        "a long body": [
            put("route.route", None),
            put("route.direct_response", {"status": 200, "body": {"inline_string": "x" * 5000}}),
        ],
        "two ports stripped": [put("hcm.strip_any_host_port", True), put("hcm.strip_matching_host_port", True)],
        "logical dns with two hosts": [put("cluster.type", "LOGICAL_DNS"), put("assignment.endpoints", HOSTS)],
        "strict dns with two hosts": [put("cluster.type", "STRICT_DNS"), put("assignment.endpoints", HOSTS)],
        "original dst with hosts": [put("cluster.type", "ORIGINAL_DST"), put("cluster.lb_policy", "CLUSTER_PROVIDED")],
        "both watchdogs": [put("bootstrap.watchdog", {}), put("bootstrap.watchdogs", {})],
        "no header field": [
            put("cluster.type", "ORIGINAL_DST"),
            put("cluster.lb_policy", "CLUSTER_PROVIDED"),
            put("cluster.load_assignment", None),
            put("cluster.original_dst_lb_config", {"http_header_name": "x"}),
        ],
        "two clusters of a name": [put("bootstrap.static_resources.clusters", [cluster("a", 80)] * 2)],
    }[change]


WHOLE = [
    "two rewrites",
    "two host rewrites",
    "no weight",
    "an unknown choice",
    "redirect to path and prefix",
    "status 99",
    "status 600",
    "a long body",
    "two ports stripped",
    "logical dns with two hosts",
    "strict dns with two hosts",
    "original dst with hosts",
    "both watchdogs",
    "no header field",
    "two clusters of a name",
]
# What only one of them takes: (outrider's verdict, Envoy's).
APART = {
    "hcm.http_filters []": (1, 0),  # Nothing would ever answer a request.
    f"action.regex_rewrite {BEYOND}": (1, 0),  # It would rewrite nothing.
    f"action.hash_policy {BEYOND_KEY}": (1, 0),  # Likewise.
    "action.idle_timeout 1ms": (0, 1),  # A note says that Envoy knows seconds only.
    "bootstrap.node {'locality': {'region': 1}}": (0, 1),  # A number can be read as text.
}


def verdicts(stage, changes):
    config = copy.deepcopy(BASE)
    for change in changes:
        change(config)
    path = stage.file(config)
    ours = stage.process([BINARY, "--mode", "validate", "-c", path])
    theirs = stage.process([ENVOY, "--mode", "validate", "-c", path, "-l", "critical"])
    return ours.wait(), theirs.wait(), ours.stderr, theirs.stderr


@pytest.mark.parametrize("path, value", CASES, ids=[f"{p}-{n}" for n, (p, _) in enumerate(CASES)])
def test_one_value(stage, path, value):
    ours, theirs, said, told = verdicts(stage, [put(path, value)])
    expected = APART.get(f"{path} {value}", (ours, ours))
    assert (ours, theirs) == expected, f"ours: {said}\ntheirs: {told}"


@pytest.mark.parametrize("name", WHOLE)
def test_values_together(stage, name):
    ours, theirs, said, told = verdicts(stage, whole(name))
    assert ours == theirs, f"ours: {said}\ntheirs: {told}"


# The policy and what is said of it or of another one.
BALANCERS = [
    ("RING_HASH", {"ring_hash_lb_config": {"minimum_ring_size": 9, "maximum_ring_size": 8}}),
    ("RING_HASH", {"ring_hash_lb_config": {"minimum_ring_size": 1025, "maximum_ring_size": 1025}}),
    ("RING_HASH", {"ring_hash_lb_config": {"maximum_ring_size": 1023}}),
    ("RING_HASH", {"ring_hash_lb_config": {"maximum_ring_size": 8388609}}),
    ("RING_HASH", {"ring_hash_lb_config": {"minimum_ring_size": 0}}),
    ("RING_HASH", {"ring_hash_lb_config": {"hash_function": "DEFAULT_HASH"}}),
    ("MAGLEV", {"maglev_lb_config": {"table_size": 12}}),
    ("MAGLEV", {"maglev_lb_config": {"table_size": 0}}),
    ("MAGLEV", {"maglev_lb_config": {"table_size": 2}}),
    ("MAGLEV", {"maglev_lb_config": {"table_size": 5000017}}),
    ("MAGLEV", {"ring_hash_lb_config": {"minimum_ring_size": 9, "maximum_ring_size": 8}}),
    ("ROUND_ROBIN", {"maglev_lb_config": {"table_size": 12}}),
    ("ROUND_ROBIN", {"ring_hash_lb_config": {"minimum_ring_size": 9, "maximum_ring_size": 8}}),
]


@pytest.mark.parametrize("policy, fields", BALANCERS)
def test_balancers(stage, policy, fields):
    changes = [put("cluster.lb_policy", policy), *(put(f"cluster.{name}", value) for name, value in fields.items())]
    ours, theirs, said, told = verdicts(stage, changes)
    assert ours == theirs, f"ours: {said}\ntheirs: {told}"


def test_the_base_is_taken(stage):
    assert verdicts(stage, [])[:2] == (0, 0)
