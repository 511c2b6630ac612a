"""Consistent hashing: a key leads to the same host in both, whatever its hosts, its tables and its policy are."""

import threading

import pytest

from config_text import address, cluster, route
from peers import request_bytes, response_bytes
from processes import free_port
from sides import Side, different, needed

pytestmark = needed

RING, MAGLEV = {"lb_policy": "RING_HASH"}, {"lb_policy": "MAGLEV"}
BY_HEADER = [{"header": {"header_name": "x-key"}}]
STATS = ("cluster.backend.ring_hash_lb", "cluster.backend.maglev_lb", "cluster.backend.lb_healthy_panic")


def lb(**fields):
    """What each host has, by its position."""
    return [{name: values[i] for name, values in fields.items()} for i in range(len(next(iter(fields.values()))))]


def key(text):
    return {"filter_metadata": {"envoy.lb": {"hash_key": text}}}


def hashing(**fields):
    return {"common_lb_config": {"consistent_hashing_lb_config": fields}}


NAMED = {"type": "STRICT_DNS"}
# Cluster fields, what the hosts have, their priorities.
PLAIN = [{}] * 4
DOWN = lb(health_status=["UNHEALTHY", "HEALTHY", "HEALTHY", "UNHEALTHY"])
MOST_DOWN = lb(health_status=["UNHEALTHY", "UNHEALTHY", "UNHEALTHY", "HEALTHY"])
WEIGHTS = lb(load_balancing_weight=[1, 7, 20, 3])
KEYS = lb(metadata=[key("first"), key("second"), key("third"), {}])
NO_TEXT = lb(metadata=[key(1), key(""), key("third"), {}])
DEGRADED = lb(health_status=["DEGRADED", "HEALTHY", "DEGRADED", "UNHEALTHY"])
ALL_DEGRADED = lb(health_status=["DEGRADED"] * 4)
CLUSTERS = {
    "ring": (RING, PLAIN, {}),
    "maglev": (MAGLEV, PLAIN, {}),
    "ring_small": ({**RING, "ring_hash_lb_config": {"minimum_ring_size": 3, "maximum_ring_size": 7}}, PLAIN, {}),
    "ring_small_weights": (
        {**RING, "ring_hash_lb_config": {"maximum_ring_size": 30, "minimum_ring_size": 5}},
        WEIGHTS,
        {},
    ),
    "ring_murmur": ({**RING, "ring_hash_lb_config": {"hash_function": "MURMUR_HASH_2"}}, PLAIN, {}),
    "ring_weights": (RING, WEIGHTS, {}),
    "maglev_weights": (MAGLEV, WEIGHTS, {}),
    "maglev_small": ({**MAGLEV, "maglev_lb_config": {"table_size": 11}}, WEIGHTS, {}),
    "maglev_two": ({**MAGLEV, "maglev_lb_config": {"table_size": 2}}, PLAIN, {}),
    "ring_keys": (RING, KEYS, {}),
    "maglev_keys": (MAGLEV, KEYS, {}),
    "ring_no_text": (RING, NO_TEXT, {}),
    "ring_names": ({**RING, **NAMED, **hashing(use_hostname_for_hashing=True)}, PLAIN, {}),
    "maglev_names": ({**MAGLEV, **NAMED, **hashing(use_hostname_for_hashing=True)}, PLAIN, {}),
    "ring_balanced": ({**RING, **hashing(hash_balance_factor=150)}, WEIGHTS, {}),
    "ring_down": (RING, DOWN, {}),
    "maglev_down": (MAGLEV, DOWN, {}),
    "ring_panic": (RING, MOST_DOWN, {}),
    "maglev_panic": (MAGLEV, MOST_DOWN, {}),
    "ring_no_panic": ({**RING, "common_lb_config": {"healthy_panic_threshold": {"value": 0}}}, MOST_DOWN, {}),
    "ring_degraded": (RING, DEGRADED, {}),
    "ring_all_degraded": (RING, ALL_DEGRADED, {}),
    "ring_priorities": (RING, DOWN, {0: 2, 1: 2}),
    "maglev_priorities": (MAGLEV, DOWN, {0: 3, 1: 1}),
    "ring_priorities_panic": (RING, lb(health_status=["UNHEALTHY"] * 4), {0: 3, 1: 1}),
    "ring_empty": (RING, [], {}),
}


def cluster_of(fields, backends, having, priorities):
    hosts = [
        {"endpoint": {"address": address(b.port), "hostname": f"host-{b.name}"}, **have}
        for b, have in zip(backends, having)
    ]
    localities, rest = [], hosts
    for priority, count in (priorities or {0: len(hosts)}).items():
        localities.append({"priority": priority, "lb_endpoints": rest[:count]})
        rest = rest[count:]
    made = cluster("backend", **fields)
    return {**made, "load_assignment": {"cluster_name": "backend", "endpoints": localities}}


def keyed(count, **fields):
    return [request_bytes("/", fields=[("x-key", f"key-{i}")], **fields) for i in range(count)]


def seen(stage, name, backends, made, policy, requests, **options):
    routes = [route("backend", hash_policy=policy)]
    side = Side(stage, name, routes=routes, clusters=lambda _: [made], **options)
    answers = [side.exchange(r, "GET") for r in requests]
    cookies = [[v for n, v in a["fields"] if n == "set-cookie"] for a in answers]
    stats = {n: v for n, v in side.proxy.stats(STATS).items()}
    return {
        "hosts": [a["body"] for a in answers],
        "lines": [a["line"] for a in answers],
        "cookies": [str(c) for c in cookies],
        "stats": [f"{n} {v}" for n, v in sorted(stats.items())],
    }


def compare(stage, made, policy, requests, backends, **options):
    ours, theirs = (seen(stage, n, backends, made, policy, requests, **options) for n in ("outrider", "envoy"))
    found = different(ours, theirs)
    assert not found and ours["hosts"] == theirs["hosts"], f"{found}\n{ours['hosts']}\n{theirs['hosts']}"
    return ours


@pytest.mark.parametrize("case", CLUSTERS)
def test_a_key_leads_to_the_same_host(stage, case):
    fields, having, priorities = CLUSTERS[case]
    backends = stage.backends(4)
    made = cluster_of(fields, backends, having, priorities)
    ours = compare(stage, made, BY_HEADER, keyed(40), backends)
    if having and "degraded" not in case and "no_panic" not in case:
        assert len(set(ours["hosts"])) > 1


def cookie(**fields):
    return {"cookie": {"name": "session", **fields}}


SOURCE = {"connection_properties": {"source_ip": True}}
REWRITE = {"pattern": {"regex": "^([a-z]+)-.*$"}, "substitution": "\\1"}


def valued(name, values):
    return [[(name, str(v))] for v in values]


def paired(one, other, form="{}"):
    """Nine requests with both fields."""
    return [[(one, str(i)), (other, form.format(i))] for i in range(9)]


NINE, SIX = range(9), [f"2001:db8::{i}" for i in range(9)]
FOUR = [f"10.0.0.{i}" for i in range(9)]
FORWARDED, KEY = "x-forwarded-for", "x-key"
ORDERS = [[(KEY, "b"), (KEY, "a")], [(KEY, "a"), (KEY, "b")], [(KEY, "ab")]]
ORDERS += [[(KEY, str(i)), (KEY, "x"), (KEY, str(i + 1))] for i in range(9)]
SESSIONS = [f"a=1; session={i}" for i in range(9)]
QUOTED = ['session="4"', "session=4", "session=4; session=5"]
UPPER = [{"header": {"header_name": "X-Key"}}]
REWRITTEN = [{"header": {"header_name": KEY, "regex_rewrite": REWRITE}}]
LAST = [{**BY_HEADER[0], "terminal": True}]
# The policy, what requests say.
POLICIES = {
    "no_key": (BY_HEADER, [[]]),
    "two_values": (BY_HEADER, ORDERS),
    "list": (BY_HEADER, valued(KEY, ["a, b", "a,b", ""])),
    "upper_case": (UPPER, valued("x-KEY", NINE)),
    "authority": ([{"header": {"header_name": ":authority"}}], [[("x", "1")]]),
    "host": ([{"header": {"header_name": "host"}}], [[]]),
    "path": ([{"header": {"header_name": ":path"}}], [[("x", "1")]]),
    "rewrite": (REWRITTEN, valued(KEY, [f"{k}-{i}" for k in "abcd" for i in range(2)])),
    "cookie": ([cookie()], valued("cookie", SESSIONS)),
    "cookie_quoted": ([cookie()], valued("cookie", QUOTED)),
    "source": ([SOURCE], valued(FORWARDED, FOUR)),
    "source_six": ([SOURCE], valued(FORWARDED, SIX)),
    "both": ([*BY_HEADER, SOURCE], paired(KEY, FORWARDED, "10.0.0.{}")),
    "same_twice": ([*BY_HEADER, *BY_HEADER], valued(KEY, NINE)),
    "three": ([*BY_HEADER, SOURCE, cookie()], paired(KEY, "cookie", "session={}")),
    "terminal": ([*LAST, cookie()], paired(KEY, "cookie", "session={}")),
    "terminal_behind": ([cookie(), *LAST, SOURCE], valued("cookie", SESSIONS)),
}


@pytest.mark.parametrize("case", POLICIES)
def test_what_the_key_is_made_of(stage, case):
    policy, requests = POLICIES[case]
    backends = stage.backends(4)
    made = cluster_of(RING, backends, PLAIN, {})
    if case in ("no_key", "host"):
        made = cluster_of(RING, backends, PLAIN[:1], {})
    compare(stage, made, policy, [request_bytes("/p?q=1", fields=f) for f in requests], backends)


QUERIES = ["k=1", "k=2&k=3", "a&k=4", "k=%41", "k=A", "%6b=5&k=6", "k=7#k=8", "k=", "k", "kk=1&k=9"]
QUERIES += ["x;k=1&k=10", "b?k=1&k=11"]


def test_a_parameter_is_the_key(stage):
    backends = stage.backends(4)
    made = cluster_of(RING, backends, PLAIN, {})
    policy = [{"query_parameter": {"name": "k"}}, {"header": {"header_name": "x-else"}}]
    requests = [request_bytes(f"/?{q}", fields=[("x-else", "1")]) for q in QUERIES]
    compare(stage, made, policy, requests, backends)


COOKIES = {
    "plain": cookie(ttl="60s"),
    "for_the_session": cookie(ttl="0s"),
    "path": cookie(ttl="3.5s", path="/here"),
    "attributes": cookie(ttl="60s", path="/", attributes=[{"name": "SameSite", "value": "Strict"}, {"name": "Secure"}]),
}


def without_values(fields):
    return [(n, v.split('"')[0] + v.split('"')[2] + str(len(v)) if n == "set-cookie" else v) for n, v in fields]


@pytest.mark.parametrize("case", COOKIES)
def test_a_cookie_is_made_for_the_client(stage, case):
    backends = stage.backends(4)
    made = cluster_of(RING, backends, PLAIN, {})
    answers = []
    for name in ("outrider", "envoy"):
        side = Side(stage, name, routes=[route("backend", hash_policy=[COOKIES[case]])], clusters=lambda _: [made])
        first = side.exchange(request_bytes("/"), "GET")
        said = next(v for n, v in first["fields"] if n == "set-cookie").split(";")[0]
        again = side.exchange(request_bytes("/", fields=[("cookie", said)]), "GET")
        assert again["body"] == first["body"] and "set-cookie" not in dict(again["fields"])
        answers.append(without_values(first["fields"]))
    assert answers[0] == answers[1]


def cookie_seen(stage, name, made, **fields):
    side = Side(
        stage, name, routes=[{**route("backend", hash_policy=[cookie(ttl="60s")]), **fields}], clusters=lambda _: [made]
    )
    return [(a["line"], without_values(a["fields"])) for a in [side.exchange(request_bytes("/"), "GET")]]


REMOVED = {"response_headers_to_remove": ["set-cookie"]}


@pytest.mark.parametrize("case", ["removed", "refused", "round_robin", "own_cookie"])
def test_where_the_made_cookie_stands(stage, case):
    own = response_bytes(fields=[("set-cookie", 'own="1"')])
    backends = [stage.backend((lambda _: own) if case == "own_cookie" else None)]
    made = cluster_of({} if case == "round_robin" else RING, backends, PLAIN, {})
    if case == "refused":
        made = cluster("backend", free_port(), **RING)
    fields = REMOVED if case == "removed" else {}
    ours, theirs = (cookie_seen(stage, name, made, **fields) for name in ("outrider", "envoy"))
    assert ours == theirs


def test_the_key_is_made_of_the_request_as_it_goes_upstream(stage):
    backends = stage.backends(4)
    made = cluster_of(RING, backends, PLAIN, {})
    for field, name in ((":path", "path"), ("x-key", "x-key")):
        policy = [{"header": {"header_name": field}}]
        seen = []
        for side_name in ("outrider", "envoy"):
            add = [
                {"header": {"key": "x-key", "value": "%REQ(x-from)%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            ]
            routes = [{**route("backend", hash_policy=policy, prefix_rewrite="/same"), "request_headers_to_add": add}]
            side = Side(stage, side_name, routes=routes, clusters=lambda _: [made])
            requests = [request_bytes(f"/{i}", fields=[("x-key", "1"), ("x-from", str(i))]) for i in range(8)]
            seen.append([side.exchange(r, "GET")["body"] for r in requests])
        assert seen[0] == seen[1], name


def test_a_full_host_is_passed_over(stage):
    taken = []
    for name in ("outrider", "envoy"):
        release, order = threading.Event(), []

        def answer(who, release=release, order=order):
            def wait(_):
                order.append(who)
                release.wait(10)
                return response_bytes(body=who.encode())

            return wait

        if not taken:
            backends = [stage.backend(name=n) for n in "ABCD"]
        for b in backends:
            b.answer = answer(b.name)
        fields = {**RING, **hashing(hash_balance_factor=120)}
        made = cluster_of(fields, backends, WEIGHTS, {})
        side = Side(stage, name, routes=[route("backend", hash_policy=BY_HEADER)], clusters=lambda _: [made])
        clients = []
        for i in range(12):
            clients.append(stage.client(side.proxy))
            clients[-1].send(request_bytes("/", fields=[("x-key", f"key-{i // 6}")]))
            side.proxy.wait_stat("cluster.backend.upstream_rq_active", i + 1)
            while len(order) <= i:
                release.wait(0.005)
        release.set()
        for c in clients:
            c.response("GET")
        taken.append(list(order))
    assert taken[0] == taken[1] and len(set(taken[0])) > 1


RETRY = {
    "retry_on": "5xx",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.001s"},
    "host_selection_retry_max_attempts": 4,
}
PREVIOUS = {
    "name": "previous",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    },
}


@pytest.mark.parametrize("policy", ["RING_HASH", "MAGLEV"])
@pytest.mark.parametrize("predicate", [False, True])
def test_a_retry_goes_where_it_goes_in_envoy(stage, policy, predicate):
    hit = []

    def failing(name):
        def answer(_):
            hit.append(name)
            return response_bytes(503)

        return answer

    backends = [stage.backend(failing(n), name=n) for n in "ABCD"]
    made = cluster_of({"lb_policy": policy}, backends, PLAIN, {})
    retry = {**RETRY, "retry_host_predicate": [PREVIOUS]} if predicate else RETRY
    seen = []
    for name in ("outrider", "envoy"):
        side = Side(
            stage, name, routes=[route("backend", hash_policy=BY_HEADER, retry_policy=retry)], clusters=lambda _: [made]
        )
        for request in keyed(6):
            side.exchange(request, "GET")
        seen.append(hit[:])
        hit.clear()
    assert seen[0] == seen[1]
