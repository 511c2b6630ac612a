"""The values of every operator of an access log, beside Envoy's, over the ways in which a request can end."""

import json

import pytest

from config_text import cluster, http_filter, http_filters, route
from peers import Client, Hangup, request_bytes, response_bytes
from sides import both, needed

pytestmark = needed

HEADER_BYTES = [f"{kind}BYTES_{way}" for kind in ("HEADER_", "DECOMPRESSED_HEADER_") for way in ("RECEIVED", "SENT")]
PLAIN = (
    "ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_SENT CUSTOM_FLAGS FILTER_CHAIN_NAME HOSTNAME LOCAL_REPLY_BODY PATH PROTOCOL "
    "QUERY_PARAMS RESPONSE_CODE RESPONSE_CODE_DETAILS RESPONSE_FLAGS RESPONSE_FLAGS_LONG REQUESTED_SERVER_NAME "
    "RESPONSE_TRAILERS_BYTES ROUTE_NAME VIRTUAL_CLUSTER_NAME UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW TRACE_ID SPAN_ID "
    "UPSTREAM_PROTOCOL UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_TRANSPORT_FAILURE_REASON GRPC_STATUS GRPC_STATUS_NUMBER "
    "CONNECTION_TERMINATION_DETAILS DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_TRANSPORT_FAILURE_REASON "
    "DOWNSTREAM_TLS_VERSION DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_CERT_V_START UPSTREAM_TLS_CIPHER "
    "DOWNSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_SERVER_NAME DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT "
    "DOWNSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_LOCAL_CLOSE_REASON LISTENER_NAME "
    "ROUTE_RESOLUTION_COUNT BYTES_RETRANSMITTED PACKETS_RETRANSMITTED"
).split() + ["DOWNSTREAM_" + name for name in HEADER_BYTES[:1]]
OTHERS = """
    REQ(:METHOD) REQ(:PATH):5 REQ(HOST) REQ(:AUTHORITY) REQ(:SCHEME) REQ(X-TWICE) REQ(X-EMPTY) REQ(NONE)
    REQ(NONE?X-TWICE)
    REQ(X-RAW) REQUEST_HEADER(X-QUOTES) RESP(:STATUS) RESP(X-A) RESP(NONE?X-A):2 RESPONSE_HEADER(CONTENT-LENGTH)
    TRAILER(X-T) RESPONSE_TRAILER(NONE) QUERY_PARAM(a) QUERY_PARAM(b) QUERY_PARAM(none) QUERY_PARAMS(ORIG) PATH(NQ)
    PATH(WQ:PATH) PATH(NQ:ORIG) PATH(WQ:ORIG_OR_PATH):3 RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)
    GRPC_STATUS(SNAKE_STRING) GRPC_STATUS(NUMBER) START_TIME(%Y) START_TIME_LOCAL(%Y%%) EMIT_TIME(%Y)
    COMMON_DURATION(nothing:known) DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(8) DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(25)
    DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT(99) UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT ENVIRONMENT(HOME):2
    ENVIRONMENT(NO_SUCH) DYNAMIC_METADATA(a:b) FILTER_STATE(a:PLAIN) UPSTREAM_METADATA(a) CLUSTER_METADATA(a:b)
    METADATA(ROUTE:com.x) METADATA(ROUTE:com.x:n) METADATA(ROUTE:com.x:n:y) METADATA(ROUTE:com.x:s):3
    METADATA(ROUTE:none)
    STREAM_INFO_REQ(:PATH) STREAM_INFO_REQ(X-TWICE?:METHOD):2
    METADATA(LISTENER:a) METADATA(VIRTUAL_HOST:a) METADATA(DYNAMIC:a) METADATA(CLUSTER:a)
""".split()
FORMAT = {name: f"%{name}%" for name in PLAIN + OTHERS}
FORMAT |= {
    "mixed": "x-%REQ(none)%-%RESPONSE_CODE%",
    "pair": "%RESPONSE_CODE%%RESPONSE_CODE%",
    "nested": {"z": "%RESPONSE_CODE%", "a": {"none": "%REQ(none)%"}, "list": ["%REQ(none)%", 1, None, True, [], {}]},
    'é"': '"\\\n\té\u0001\u007f</>100%%',
    "null": None,
}
CHOICES = {
    "numbers": ["GRPC_STATUS_NUMBER", "RESPONSE_CODE"],
    "none": ["GRPC_STATUS_NUMBER", "REQUESTED_SERVER_NAME"],
    "an empty one": [{"command": "REQ", "param": "x-empty"}, "PROTOCOL"],
    "cut": [{"command": "REQ", "param": "none?x-twice", "max_length": 3}, {"command": "REQ", "param": ":path"}],
    "an object": [{"command": "METADATA", "param": "ROUTE:com.x"}, {"command": "ENVIRONMENT", "param": "HOME"}],
    "nested": [{"command": "COALESCE", "param": '{"operators": ["GRPC_STATUS"]}'}, "ROUTE_NAME", "HOSTNAME"],
}
for key, operators in CHOICES.items():
    chosen = "%COALESCE(" + json.dumps({"operators": operators}) + ")"
    FORMAT |= {
        f"{key} chosen": f"{chosen}%",
        f"{key} chosen, 2 bytes": f"{chosen}:2%",
        f"{key} in a text": f"x{chosen}%",
    }
METADATA = {"filter_metadata": {"com.x": {"a": 1, "s": "text", "n": {"z": True, "y": [1, "2", None]}}}}


def named(name, made, **fields):
    return {"name": name, **made, **fields}


def to_path(path, **action):
    return {"match": {"prefix": path}, **action}


ROUTES = [
    route("empty", "/nohost"),
    route("refused", "/refused"),
    to_path("/direct", direct_response={"status": 203, "body": {"inline_string": "direct!"}}),
    to_path("/redirect", redirect={"path_redirect": "/x"}),
    route("backend", "/slow", timeout="0.2s"),
    named("rewritten", route("backend", "/re", prefix_rewrite="/new"), metadata=METADATA),
    named("root route", route("backend")),
]


def clusters(backend):
    return [cluster("backend", backend), cluster("empty"), cluster("refused", 1)]


def serve(stream):
    while True:
        request = stream.request()
        if request.target.startswith("/slow"):
            stream.rest()
            return
        if request.target == "/close":
            return
        if request.target == "/half":
            stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            return
        if request.target == "/bad":
            stream.send(b"HTP/1.1 2OO\r\n\r\n")
        elif request.target == "/grpc":
            stream.send(response_bytes(fields=[("content-type", "application/grpc"), ("grpc-status", "7")]))
        else:
            stream.send(response_bytes(fields=[("X-A", "12"), ("X-A", "13")], body=b"hello" + request.body))


REQUESTS = {
    "answered": request_bytes("/hi?a=1&b=%20x%zz&", fields=[("X-Twice", "1"), ("X-Twice", "2"), ("X-Empty", "")]),
    "with odd values": request_bytes(fields=[("X-Quotes", 'say "hi"\\ /'), ("X-Raw", "\xff\xe9z")]),
    "with a body": request_bytes("/", method="POST", body=b"0123456789"),
    "rewritten": request_bytes("/re/x?q=2"),
    "gRPC": request_bytes("/grpc", method="POST", body=b"abc", fields=[("Content-Type", "application/grpc")]),
    "gRPC without a status": request_bytes("/", fields=[("Content-Type", "application/grpc+proto")]),
    "not quite gRPC": request_bytes("/grpc", fields=[("Content-Type", "application/grpcx")]),
    "no host": request_bytes("/nohost"),
    "refused": request_bytes("/refused"),
    "direct response": request_bytes("/direct"),
    "redirect": request_bytes("/redirect"),
    "time-out": request_bytes("/slow"),
    # No GET: outrider would send it again if its connection was used before, and count two attempts.
    "closed by the backend": request_bytes("/close", "POST", body=b"x"),
    "cut short": request_bytes("/half"),
    "no HTTP from the backend": request_bytes("/bad"),
    "no HTTP": b"BLAH\r\n\r\n",
    "no host field": b"GET / HTTP/1.1\r\n\r\n",
    "an upgrade that is not allowed": request_bytes("/", fields=[("Connection", "upgrade"), ("Upgrade", "websocket")]),
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "too large": b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 70000 + b"\r\n\r\n",
    "no path": request_bytes("x/y"),
}


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "without what is empty"])
def logged(request, shared):
    log = {"json_format": FORMAT, "omit_empty_values": request.param}
    return both(shared, routes=ROUTES, clusters=clusters, serve=serve, log=log)


def line_of(side, data):
    lines = len(side.logged())
    with Client(side.proxy.port) as client:
        client.send(data)
        try:
            client.response()
        except Hangup:
            pass
    side.wait_logged(lines + 1)
    return json.loads(side.logged()[lines], object_pairs_hook=list)


@pytest.mark.parametrize("name", REQUESTS)
def test_values(logged, name):
    ours, theirs = (line_of(side, REQUESTS[name]) for side in logged)
    assert [k for k, _ in ours] == [k for k, _ in theirs], "the order of the members"
    different = {k: (a, b) for (k, a), (_, b) in zip(ours, theirs) if a != b}
    if name == "too large":
        different.pop("DOWNSTREAM_WIRE_BYTES_RECEIVED", None)  # How much was read before it is refused.
    assert not different, different


NUMBERS = """function envoy_on_request(h)
  local data = h:streamInfo():dynamicMetadata()
  data:set("a", "nan", 0/0)
  data:set("a", "list", {0/0, 1, 1e300})
  data:set("b", "most", 1/0)
  data:set("b", "least", -1/0)
end"""


def test_numbers_that_json_has_no_name_for(stage):
    """They are null. Envoy writes `inf` where an infinite number stands, which is no JSON."""
    log = {key: f"%DYNAMIC_METADATA({key})%" for key in ("a", "a:nan", "a:list", "b", "b:most", "b:least")}
    script = http_filter("lua", "Lua", default_source_code={"inline_string": NUMBERS})
    sides = both(stage, routes=[route("backend")], log={"json_format": log}, http_filters=http_filters(script))
    ours, theirs = (side.exchange(request_bytes(), "GET")["log"][0] for side in sides)
    assert ours == theirs.replace("-inf", "null").replace(":inf", ":null")
    assert json.loads(ours)["b"] == {"most": None, "least": None}
