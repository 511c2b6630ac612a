"""Subsets of a cluster: which host answers, and what is counted."""

import pytest

from config_text import address, cluster, http_filter, http_filters, route
from peers import request_bytes
from sides import Side, different, needed

pytestmark = needed

HOSTS = {
    "A": {"stage": "prod", "version": "1"},
    "B": {"stage": "prod", "version": "2"},
    "C": {"stage": "dev", "version": "2", "kinds": ["x", "y"]},
    "D": {},
}
SELECTORS = [{"keys": ["stage"]}, {"keys": ["version", "stage"]}, {"keys": ["kinds"]}]
FIRST = {"keys": ["stage", "version"], "fallback_policy": "KEYS_SUBSET", "fallback_keys_subset": ["stage"]}
CONFIGS = {
    "none": {"subset_selectors": SELECTORS},
    "any": {"subset_selectors": SELECTORS, "fallback_policy": "ANY_ENDPOINT"},
    "default": {
        "subset_selectors": SELECTORS,
        "fallback_policy": "DEFAULT_SUBSET",
        "default_subset": {"version": "1"},
    },
    "panic": {
        "subset_selectors": SELECTORS,
        "fallback_policy": "DEFAULT_SUBSET",
        "default_subset": {"version": "9"},
        "panic_mode_any": True,
    },
    "list": {"subset_selectors": SELECTORS, "list_as_any": True},
    "fewer": {"subset_selectors": [FIRST, {"keys": ["stage"]}]},
}
MATCHES = {
    "/nothing": {},
    "/prod": {"stage": "prod"},
    "/prod2": {"stage": "prod", "version": "2"},
    "/prod9": {"stage": "prod", "version": "9"},
    "/version": {"version": "1"},
    "/x": {"kinds": "x"},
}


def match(wanted):
    return {"metadata_match": {"filter_metadata": {"envoy.lb": wanted}}} if wanted else {}


def routes():
    made = [route("backend", path, **match(wanted)) for path, wanted in MATCHES.items()]
    weighted = {"clusters": [{"name": "backend", "weight": 1, **match({"version": "2"})}]}
    action = {"weighted_clusters": weighted, **match({"stage": "dev", "version": "1"})}
    return [*made, {"match": {"prefix": "/weighted"}, "route": action}]


RULE = {
    "header": "x-stage",
    "on_header_present": {"metadata_namespace": "envoy.lb", "key": "stage", "type": "STRING"},
}
FILTER = http_filter("header_to_metadata", "Config", request_rules=[RULE])


def served(stage, name, config):
    backends = stage.backends(len(HOSTS))
    endpoints = [
        {"endpoint": {"address": address(b.port)}, "metadata": {"filter_metadata": {"envoy.lb": HOSTS[b.name]}}}
        for b in backends
    ]
    load = {"cluster_name": "backend", "endpoints": [{"lb_endpoints": endpoints}]}
    subsets = {**cluster("backend"), "load_assignment": load, "lb_subset_config": CONFIGS[config]}
    side = Side(stage, name, routes=routes(), http_filters=http_filters(FILTER), clusters=lambda _: [subsets])
    seen = {}
    requests = [(path, []) for path in [*MATCHES, "/weighted"]]
    requests += [
        ("/nothing", [("x-stage", "dev")]),
        ("/version", [("x-stage", "prod")]),
        ("/prod", [("x-stage", "dev")]),
    ]
    for path, fields in requests:
        before = side.proxy.stats("cluster.backend.lb_subsets")
        answers = [side.exchange(request_bytes(path, fields=fields), "GET") for _ in range(8)]
        after = side.proxy.stats("cluster.backend.lb_subsets")
        bodies = sorted({a["body"] for a in answers})
        seen[f"{path} {fields}"] = [*bodies, *(f"{n} {v - before[n]}" for n, v in after.items() if v != before[n])]
    return seen


@pytest.mark.parametrize("config", CONFIGS)
def test_which_host_answers(stage, config):
    ours, theirs = (served(stage, name, config) for name in ("outrider", "envoy"))
    found = different(ours, theirs)
    assert not found, found
