"""Servers of HTTP/2 that keep no rules, behind outrider and Envoy: what the client gets, the log, what is counted."""

import pytest

from config_text import http2_cluster
from h2_talk import H2Backend
from h2_upstream_attacks import ATTACKS, attack
from peers import Client, Hangup
from sides import Side, different, needed

pytestmark = needed

LOG = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"
GROWTH_MAX_KIB = 10 * 1024
COUNTED = ("http2.", "upstream_rq_", "upstream_cx_protocol_error", "upstream_cx_close_notify")
# Gauges, and what depends on who is first.
UNCOUNTED = (
    "_active",
    "_bytes",
    "_time",
    "_total",
    "_completed",
    "tx_reset",
    "rx_reset",
    "_flow_control_",
    "nghttp2",
    "control_flood",
)

# Where outrider does otherwise, and why.
OURS = {
    "a status of 099": "Envoy passes it on to HTTP/1, where it is none",
    "informational for ever": "Envoy takes them for ever",
    "informational of much": "Envoy takes them for ever",
    "goaways": "Envoy waits for the answer",
    "a goaway that refuses it": "outrider sends what a host has passed over again, on new connections",
    "less than its length": "outrider has passed on what had come; Envoy drops it",
    "continuations": "outrider ends the connection, for their number",
    "large continuations": "outrider ends the connection: no more of the head is read than could be allowed",
    "reset 10 before the head": "Envoy tells CONNECT_ERROR from other resets, also where nobody asked for CONNECT",
}
# What comes of the request is a matter of time.
HARMLESS = ("pongs", "unknown frames", "beyond the window")
NAMES = [name for name in ATTACKS if name not in (*OURS, *HARMLESS)]


def cluster_of(name):
    return "c-" + name.replace(" ", "-").replace("'", "")


def hostile(shared, which):
    backends = {n: shared.ending.enter_context(H2Backend(talk=attack(n), name=n)) for n in ATTACKS}
    return Side(
        shared,
        which,
        routes=[{"match": {"prefix": "/"}, "route": {"cluster_header": "to", "timeout": "2s"}}],
        clusters=lambda _: [http2_cluster(cluster_of(n), b) for n, b in backends.items()],
        log=LOG,
        delayed_close_timeout="0.02s",
    )


@pytest.fixture(scope="module")
def sides(shared):
    return hostile(shared, "outrider"), hostile(shared, "envoy")


def seen(side, name):
    prefix = f"cluster.{cluster_of(name)}."

    def counted():
        stats = side.proxy.stats(prefix).items()
        kept = {n.removeprefix(prefix): v for n, v in stats}
        return {n: v for n, v in kept.items() if n.startswith(COUNTED) and not any(w in n for w in UNCOUNTED)}

    lines, before, to = len(side.logged()), counted(), [("to", cluster_of(name))]
    with Client(side.proxy.port) as client:
        try:
            r = client.ask("/hostile", fields=to)
            said = (r.status, r.body, [m.status for m in r.informational])
        except Hangup as e:
            said = e.read
    side.wait_logged(lines + 1)
    changed = {n: v - before.get(n, 0) for n, v in counted().items() if v != before.get(n, 0)}
    with Client(side.proxy.port) as client:
        after = client.ask("/", fields=to).body
    side.wait_logged(lines + 2)
    return {
        "said": said,
        "log": side.logged()[lines],
        "counted": [f"{n} {v}" for n, v in sorted(changed.items())],
        "after": after,
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_of_a_hostile_server(sides, name):
    ours, theirs = (seen(side, name) for side in sides)
    found = different(ours, theirs)
    assert not found, found


@pytest.mark.parametrize("name", [*OURS, *HARMLESS])
def test_a_hostile_server_costs_its_request_only(sides, name):
    rss = sides[0].proxy.rss_kib()
    assert seen(sides[0], name)["after"] == b"ok"
    assert sides[0].proxy.rss_kib() - rss < GROWTH_MAX_KIB
