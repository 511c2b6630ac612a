"""How a request can end, beside Envoy: code, details, flags and reasons in the log, and what is counted."""

import contextlib
import json
import socket

import pytest

from config_text import cluster, http1_cluster, http_filter, http_filters, per_filter, route, virtual_host
from peers import Client, Hangup, eventually, request_bytes, response_bytes
from sides import both, needed

pytestmark = needed

LOG = {
    name: f"%{name}%"
    for name in (
        "RESPONSE_CODE RESPONSE_CODE_DETAILS RESPONSE_FLAGS RESPONSE_FLAGS_LONG UPSTREAM_TRANSPORT_FAILURE_REASON "
        "CONNECTION_TERMINATION_DETAILS DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_LOCAL_CLOSE_REASON "
        "UPSTREAM_LOCAL_CLOSE_REASON BYTES_RECEIVED BYTES_SENT "
        "UPSTREAM_CLUSTER ROUTE_NAME UPSTREAM_REQUEST_ATTEMPT_COUNT REQ(:METHOD)"
    ).split()
}


# ---------------------------------------------------------------------------------------------------- the backend


def serve(stream):
    """What a path asks for."""
    while True:
        request = stream.head()
        path = request.target.split("?")[0]
        if path == "/early":
            stream.send(response_bytes("413 No", [("connection", "close")]))
            stream.rest()
            return
        if path in ("/never", "/reset-in-request"):
            if path == "/never":
                stream.rest()
            stream.reset()
            return
        stream.body_of(request)
        if path in ANSWERS:
            stream.send(ANSWERS[path])
            return
        if path == "/reset":
            stream.reset()
            return
        if path == "/reset-in-body":
            stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            stream.reset()
            return
        if path.startswith("/silent"):
            stream.rest()
            return
        if path == "/stuck":
            stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            stream.rest()
            return
        stream.send(response_bytes(body=b"hello"))


OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "/close": b"",
    "/half-head": b"HTTP/1.1 200 OK\r\ncont",
    "/half-body": OK + b"content-length: 10\r\n\r\nabc",
    "/half-chunk": OK + b"transfer-encoding: chunked\r\n\r\n10\r\nabc",
    "/bad-chunk": OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\nabc",
    "/no-http": b"what?\r\n\r\n",
    "/bad-version": b"HTTP/3.7 200 OK\r\n\r\n",
    "/bad-status": b"HTTP/1.1 2OO OK\r\n\r\n",
    "/bad-field": OK + b"a b: c\r\n\r\n",
    "/bad-length": OK + b"content-length: 1x\r\n\r\n",
    "/two-lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nabc",
    "/length-and-chunks": OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "/large-head": OK + b"a: " + b"x" * 70_000 + b"\r\n\r\n",
    "/many-fields": OK + b"".join(b"a%d: x\r\n" % i for i in range(120)) + b"\r\n",
    "/unasked-101": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "/interim-then-close": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
    "/interim-then-junk": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\njunk\r\n\r\n",
}


class Unanswering:
    """A port whose connections are never accepted: its backlog is full."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port, self.host = self.socket.getsockname()[1], "127.0.0.1"
        self.full = []
        for _ in range(2):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.full.append(s)


UNANSWERING = Unanswering()


# ---------------------------------------------------------------------------------------------------- the proxies


def limits(**numbers):
    return {"circuit_breakers": {"thresholds": [numbers]}}


def clusters(backend):
    return [
        cluster("backend", backend),
        cluster("empty"),
        cluster("refused", 1),
        cluster("connecting", UNANSWERING, connect_timeout="0.2s"),
        cluster("no requests", backend, **limits(max_requests=0)),
        cluster("no pending", backend, **limits(max_pending_requests=0)),
        cluster("no connections", backend, **limits(max_connections=0)),
        http1_cluster("durations", backend, common={"max_stream_duration": "0.2s"}),
        http1_cluster("few fields", backend, common={"max_headers_count": 3}),
    ]


def to(path, name, **action):
    return {"name": name, "match": {"prefix": path}, **action}


def to_cluster(path, name, to="backend", **action):
    return {"name": name, **route(to, path, **action)}


ROUTES = [
    to_cluster("/to/empty", "empty", "empty"),
    to_cluster("/to/refused", "refused", "refused"),
    to_cluster("/to/connecting", "connecting", "connecting"),
    to_cluster("/to/no-requests", "no requests", "no requests"),
    to_cluster("/to/no-pending", "no pending", "no pending"),
    to_cluster("/to/no-connections", "no connections", "no connections", timeout="0.2s"),
    to_cluster("/few-fields", "few fields", "few fields", prefix_rewrite="/many-fields"),
    to_cluster("/durations", "durations", "durations", prefix_rewrite="/silent"),
    to_cluster("/stuck-durations", "durations", "durations", prefix_rewrite="/stuck"),
    {"name": "named", "match": {"prefix": "/by-field"}, "route": {"cluster_header": "x-to"}},
    {
        "name": "named 404",
        "match": {"prefix": "/by-field-404"},
        "route": {"cluster_header": "x-to", "cluster_not_found_response_code": "NOT_FOUND"},
    },
    to_cluster("/silent/timeout", "time-out", timeout="0.2s"),
    to_cluster("/silent/idle", "idle", idle_timeout="0.2s"),
    to_cluster("/silent/long", "long", max_stream_duration={"max_stream_duration": "0.2s"}),
    to_cluster("/silent", "silent", timeout="0s"),
    to_cluster("/timeout-in-body", "time-out", prefix_rewrite="/stuck", timeout="0.2s"),
    to_cluster("/idle-in-body", "idle", prefix_rewrite="/stuck", idle_timeout="0.2s"),
    to_cluster("/long-in-body", "long", prefix_rewrite="/stuck", max_stream_duration={"max_stream_duration": "0.2s"}),
    to_cluster("/never", "never", timeout="0s", idle_timeout="0.2s"),
    to("/direct", "direct", direct_response={"status": 418, "body": {"inline_string": "tea"}}),
    to("/redirect", "redirect", redirect={"path_redirect": "/x"}),
    to("/secure", "secure", redirect={"https_redirect": True}),
    to_cluster("/upgrade", "upgrade", upgrade_configs=[{"upgrade_type": "websocket"}]),
    {
        **to_cluster("/csrf", "csrf"),
        **per_filter(
            "csrf", "CsrfPolicy", filter_enabled={"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        ),
    },
    {"name": "buffer", **route("backend", "/buffer"), **per_filter("buffer", "BufferPerRoute", disabled=False)},
    to_cluster("/", "root"),
]
for entry in ROUTES:
    if entry["name"] == "buffer":
        entry["typed_per_filter_config"]["envoy.filters.http.buffer"] = {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
            "buffer": {"max_request_bytes": 10},
        }

LUA = """
function envoy_on_request(handle)
  local path = handle:headers():get(":path")
  if path == "/lua/respond" then handle:respond({[":status"] = "403"}, "no") end
  if path == "/lua/error" then error("wrong") end
end
"""


def lua():
    return http_filter("lua", "Lua", default_source_code={"inline_string": LUA})


def health():
    matcher = [{"name": ":path", "string_match": {"exact": "/healthy"}}]
    return http_filter("health_check", "HealthCheck", pass_through_mode=False, headers=matcher)


def csrf():
    return http_filter(
        "csrf", "CsrfPolicy", filter_enabled={"default_value": {"numerator": 0, "denominator": "HUNDRED"}}
    )


def api_key():
    return http_filter(
        "api_key_auth",
        "ApiKeyAuth",
        credentials=[{"key": "right", "client": "me"}],
        key_sources=[{"header": "x-key"}],
    )


def ext_authz(port, **fields):
    service = {
        "server_uri": {"uri": f"http://127.0.0.1:{port}", "cluster": "refused", "timeout": "0.5s"},
        "path_prefix": "/authz",
    }
    return http_filter("ext_authz", "ExtAuthz", http_service=service, **fields)


# What differs is who closes first: Envoy leaves the connection open for that time, outrider says at once that it ends.
AT_ONCE = {"delayed_close_timeout": "0s"}
INTERNAL = {"internal_address_config": {"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}}
OPTIONS = {
    "plain": {
        "virtual_hosts": [
            virtual_host(*ROUTES),
            virtual_host(to_cluster("/no/such", "none"), name="some", domains=["some.example"]),
            virtual_host(to("/", "secure", redirect={"https_redirect": True}), name="tls", domains=["tls.example"],
                         require_tls="ALL"),
        ],
    },
    "head": {"request_headers_timeout": "0.2s"},
    "whole": {"request_timeout": "0.2s"},
    "idle": {"stream_idle_timeout": "0.2s"},
    "duration": {"common_http_protocol_options": {"max_stream_duration": "0.2s"}},
    "connection": {"common_http_protocol_options": {"max_connection_duration": "0.2s"}, "drain_timeout": "0.1s"},
    "underscores": {"common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"}},
    "few": {"common_http_protocol_options": {"max_headers_count": 5}},
    "small": {"max_request_headers_kb": 1},
    "paths": {"normalize_path": True, "path_with_escaped_slashes_action": "REJECT_REQUEST"},
    "redirects": {"path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT"},
    "1.0": {"http_protocol_options": {"accept_http_10": True}},
    "lua": {"http_filters": http_filters(lua())},
    "filters": {"http_filters": http_filters(health(), csrf(), http_filter("buffer", "Buffer", max_request_bytes=100))},
    "keys": {"http_filters": http_filters(api_key())},
    "authz": {"http_filters": http_filters(ext_authz(1))},
}  # fmt: skip


@pytest.fixture(scope="module")
def started(shared):
    sides = {}

    def get(name):
        if name not in sides:
            options = {"routes": ROUTES, **AT_ONCE, **INTERNAL, **OPTIONS[name]}
            sides[name] = both(shared, clusters=clusters, serve=serve, log={"json_format": LOG}, **options)
        return sides[name]

    return get


# ---------------------------------------------------------------------------------------------------- what clients do


def sends(data, to="GET"):
    """And reads what comes, to the end of a response."""

    def talk(client, side):
        client.send(data)
        with contextlib.suppress(Hangup, ConnectionResetError):
            client.response(to)

    return talk


def waits(data):
    """And reads until the proxy hangs up."""

    def talk(client, side):
        client.send(data)
        client.rest()

    return talk


def leaves(data, after="/", how="close"):
    """Hangs up when the backend has the request."""

    def talk(client, side):
        before = len(side.backend.bytes)
        client.send(data)
        if after == "response":
            client.until(b"abc")
        elif after:
            eventually(lambda: len(side.backend.bytes) > before, "the request at the backend")
        getattr(client, how)()

    return talk


def get(path, *fields, **more):
    return sends(request_bytes(path, fields=list(fields), **more))


def post(path, body=b"0123456789", *fields):
    return sends(request_bytes(path, "POST", body=body, fields=list(fields)))


PARTIAL = b"POST %s HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nabc"
INSIDE = ("x-forwarded-for", "10.0.0.1")
UPGRADE = [("connection", "upgrade"), ("upgrade", "websocket")]

CASES = {
    "answered": ("plain", get("/")),
    "no virtual host route": ("plain", get("/", host="some.example")),
    "tls required": ("plain", get("/", host="tls.example")),
    "direct response": ("plain", get("/direct")),
    "redirect": ("plain", get("/redirect")),
    "redirect to https": ("plain", get("/secure")),
    "unknown cluster in a field": ("plain", get("/by-field", ("x-to", "nobody"))),
    "no cluster in a field": ("plain", get("/by-field")),
    "unknown cluster, 404": ("plain", get("/by-field-404", ("x-to", "nobody"))),
    "known cluster in a field": ("plain", get("/by-field", ("x-to", "backend"))),
    "no host": ("plain", get("/to/empty")),
    "refused": ("plain", get("/to/refused")),
    "connect time-out": ("plain", get("/to/connecting")),
    "no requests allowed": ("plain", get("/to/no-requests")),
    "no pending allowed": ("plain", get("/to/no-pending")),
    "no connections allowed": ("plain", get("/to/no-connections")),
    **{f"backend: {path}": ("plain", post(path)) for path in ANSWERS},
    "backend resets": ("plain", post("/reset")),
    "backend resets while the request comes": ("plain", waits(PARTIAL % b"/reset-in-request")),
    "backend resets in its body": ("plain", post("/reset-in-body")),
    "backend answers early": ("plain", waits(PARTIAL % b"/early")),
    "too many fields from the backend": ("plain", get("/few-fields")),
    "time-out": ("plain", get("/silent/timeout")),
    "time-out of the request's own": ("plain", get("/silent", ("x-envoy-upstream-rq-timeout-ms", "200"), INSIDE)),
    "time-out, 204": ("plain", get("/silent/timeout", ("x-envoy-upstream-rq-timeout-alt-response", "1"), INSIDE)),
    "time-out in a body": ("plain", get("/timeout-in-body")),
    "idle route": ("plain", get("/silent/idle")),
    "idle route in a body": ("plain", get("/idle-in-body")),
    "idle route in a request": ("plain", waits(PARTIAL % b"/silent/idle")),
    "too long a route": ("plain", get("/silent/long")),
    "too long a route in a body": ("plain", get("/long-in-body")),
    "too long a cluster": ("plain", get("/durations")),
    "too long a cluster in a body": ("plain", get("/stuck-durations")),
    "too long a cluster in a request": ("plain", waits(PARTIAL % b"/durations")),
    "upgrade not allowed": ("plain", get("/", *UPGRADE)),
    "upgrade declined": ("plain", get("/upgrade", *UPGRADE)),
    "absolute path": ("plain", get("*", method="OPTIONS")),
    "no path": ("plain", get("x/y")),
    "no host field": ("plain", sends(b"GET / HTTP/1.1\r\n\r\n")),
    "empty host": ("plain", sends(b"GET / HTTP/1.1\r\nhost:\r\n\r\n")),
    "two hosts": ("plain", sends(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")),
    "bad host": ("plain", sends(b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n")),
    "no HTTP": ("plain", sends(b"BLAH\r\n\r\n")),
    "bad version": ("plain", sends(b"GET / HTTP/4.7\r\nhost: h\r\n\r\n")),
    "bad method": ("plain", sends(b"G@T / HTTP/1.1\r\nhost: h\r\n\r\n")),
    "unknown method": ("plain", sends(b"WHAT / HTTP/1.1\r\nhost: h\r\n\r\n")),
    "bad field name": ("plain", sends(b"GET / HTTP/1.1\r\nhost: h\r\na b: c\r\n\r\n")),
    "NUL in a field": ("plain", sends(b"GET / HTTP/1.1\r\nhost: h\r\na: \0c\r\n\r\n")),
    "bad length": ("plain", sends(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1x\r\n\r\n")),
    "length and chunks": (
        "plain",
        sends(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ),
    "unknown coding": ("plain", sends(b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip\r\n\r\n")),
    "CONNECT": ("plain", sends(b"CONNECT h:80 HTTP/1.1\r\nhost: h:80\r\n\r\n")),
    "HTTP/1.0": ("plain", sends(b"GET / HTTP/1.0\r\n\r\n")),
    "HTTP/1.0 without host": ("1.0", sends(b"GET / HTTP/1.0\r\n\r\n")),
    "bad chunk": ("plain", sends(b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n")),
    "bad chunk behind a good one": (
        "plain",
        sends(b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n"),
    ),
    "client leaves before a head": ("plain", leaves(b"GET / HTT", after=None)),
    "client leaves while it waits": ("plain", leaves(request_bytes("/silent"))),
    "client resets while it waits": ("plain", leaves(request_bytes("/silent"), how="reset")),
    "client leaves in its body": ("plain", leaves(PARTIAL % b"/silent")),
    "client resets in its body": ("plain", leaves(PARTIAL % b"/silent", how="reset")),
    "client leaves in the response": ("plain", leaves(request_bytes("/stuck"), after="response")),
    "client resets in the response": ("plain", leaves(request_bytes("/stuck"), after="response", how="reset")),
    "head too large": ("small", sends(b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 2000 + b"\r\n\r\n")),
    "target too large": ("small", sends(b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nhost: h\r\n\r\n")),
    "too many fields": ("few", sends(b"GET / HTTP/1.1\r\nhost: h\r\n" + b"a: b\r\n" * 10 + b"\r\n")),
    "underscore": ("underscores", get("/", ("x_y", "z"))),
    "escaped slash": ("paths", get("/a%2fb")),
    "path above the root": ("paths", get("/../../x")),
    "redirect of a path": ("redirects", get("/a%2fb")),
    "slow head": ("head", waits(b"GET / HTTP/1.1\r\nhost: h\r\n")),
    "slow request": ("whole", waits(PARTIAL % b"/silent")),
    "slow head of a request": ("whole", waits(b"GET / HTTP/1.1\r\nhost: h\r\n")),
    "idle stream": ("idle", get("/silent")),
    "idle stream in a body": ("idle", get("/stuck")),
    "idle stream in a request": ("idle", waits(PARTIAL % b"/silent")),
    "idle stream in a head": ("idle", waits(b"GET / HTTP/1.1\r\nhost: h\r\n")),
    "too long a stream": ("duration", get("/silent")),
    "too long a stream in a body": ("duration", get("/stuck")),
    "too long a stream in a request": ("duration", waits(PARTIAL % b"/silent")),
    "too old a connection": ("connection", get("/silent/timeout")),
    "lua responds": ("lua", get("/lua/respond")),
    "lua fails": ("lua", get("/lua/error")),
    "csrf": ("filters", post("/csrf", b"x", ("origin", "http://other"))),
    "body too large for a buffer": ("filters", post("/buffer", b"x" * 50)),
    "health check": ("filters", get("/healthy")),
    "no key": ("keys", get("/")),
    "wrong key": ("keys", get("/", ("x-key", "wrong"))),
    "denied by ext_authz": ("authz", get("/")),
}

# Where outrider differs on purpose: why.
ON_PURPOSE = {
    "no requests allowed": "no connection is opened for a request that the limit of requests refuses",
    "backend: /unasked-101": "a 101 that nobody asked for is no response",
    "backend: /bad-version": "HTTP/3.7 is no HTTP/1",
    "backend: /interim-then-close": "a 103 is passed on, and counted as a response",
    "backend: /interim-then-junk": "a 103 is passed on, and counted as a response",
    "two hosts": "two hosts are refused: two parties could read the request differently",
    "too old a connection": "the response to the request at hand ends an old connection at once",
    "bad chunk": "what is here of a body is read before a backend is asked",
    "bad chunk behind a good one": "what is here of a body is read before a backend is asked",
    "csrf": "the rest of a refused request is read, so that its connection can go on",
}
ANY_TIME = ("_bytes_", "_cx_length_ms", "lb_", "update_", "membership", "cx_pool_open", "tracing.")


def counted(side):
    return {n: v for n, v in side.proxy.stats(("http.in.", "cluster.")).items() if not any(w in n for w in ANY_TIME)}


def seen(side, name, talk):
    lines, before = len(side.logged()), counted(side)
    with Client(side.proxy.port) as client:
        with contextlib.suppress(OSError):
            talk(client, side)
        side.wait_logged(lines + 1)
    side.proxy.wait_stat("http.in.downstream_cx_active", 0)
    after = counted(side)
    changed = {n: v - before.get(n, 0) for n, v in after.items() if v != before.get(n, 0)}
    return [json.loads(line) for line in side.logged()[lines:]], changed


def apart(ours, theirs):
    return {k: (ours.get(k), theirs.get(k)) for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)}


@pytest.mark.parametrize("name", CASES)
def test_end(started, name):
    group, talk = CASES[name]
    (ours, our_counts), (theirs, their_counts) = (seen(side, name, talk) for side in started(group))
    found = [apart(a, b) for a, b in zip(ours, theirs)]
    assert len(ours) == len(theirs), json.dumps([ours, theirs])
    found = {"log": [f for f in found if f], "counted": apart(our_counts, their_counts)}
    alike = not found["log"] and not found["counted"]
    assert alike == (name not in ON_PURPOSE), json.dumps(found)
