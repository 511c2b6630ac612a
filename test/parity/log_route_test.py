"""What logs and fields tell of a request's way: its route, its paths, its clusters, and how much of it has come."""

import json

import pytest

from config_text import cluster, http_filter, http_filters, route, virtual_host
from peers import Client, Hangup, request_bytes, response_bytes
from sides import both, needed, stable

pytestmark = needed

METADATA = {"metadata": {"filter_metadata": {"com.x": {"a": 1}}}}
OPERATORS = """
    VIRTUAL_CLUSTER_NAME METADATA(ROUTE:com.x) METADATA(VIRTUAL_HOST:com.x) CLUSTER_METADATA(com.x) ROUTE_NAME
    REQ(:PATH) REQ(X-ENVOY-ORIGINAL-PATH) PATH PATH(WQ:ORIG) QUERY_PARAMS UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW
    RESPONSE_CODE RESPONSE_CODE_DETAILS RESPONSE_FLAGS ROUTE_RESOLUTION_COUNT
""".split()
LOG = {"json_format": {name: f"%{name}%" for name in OPERATORS}}
SEEN = "%BYTES_RECEIVED% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %VIRTUAL_CLUSTER_NAME% %UPSTREAM_CLUSTER% %REQ(:PATH)%"
FIELD = [{"header": {"key": "x-seen", "value": SEEN}}]


def named(name, made):
    return {"name": name, **METADATA, **made, "response_headers_to_add": FIELD}


def leads(path, **redirect):
    return named(path, {"match": {"prefix": path}, "redirect": redirect})


def regex(pattern, substitution):
    return {"pattern": {"regex": pattern}, "substitution": substitution}


ROUTES = [
    named("none", route("empty", "/none")),
    leads("/prefix", prefix_rewrite="/new"),
    leads("/regex", regex_rewrite=regex("^/regex/(.*)$", r"/y/\1")),
    leads("/path", path_redirect="/x"),
    leads("/host", host_redirect="h", strip_query=True),
    named("direct", {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}}),
    named("rewritten", route("backend", "/rewritten", prefix_rewrite="/new")),
    named("by regex", route("backend", "/by", regex_rewrite=regex("^/by/(.*)$", r"/y/\1"))),
    named("field", {"match": {"prefix": "/field"}, "route": {"cluster_header": "x-to"}}),
    named("slow", route("backend", "/slow", timeout="0.2s")),
    named("plain", route("backend", "/plain")),
]
VIRTUAL = [{"name": "known", "headers": [{"name": ":path", "string_match": {"prefix": "/plain/known"}}]}]
HOST = {"domains": ["*"], **METADATA}
HOSTS = [virtual_host(*ROUTES, **HOST, virtual_clusters=VIRTUAL)]
KEY = http_filter(
    "api_key_auth", "ApiKeyAuth", credentials=[{"key": "k", "client": "c"}], key_sources=[{"header": "x-key"}]
)
ROUTER = http_filters()[0]
QUIET = {**ROUTER, "typed_config": {**ROUTER["typed_config"], "suppress_envoy_headers": True}}
SETUPS = {
    "router": {"virtual_hosts": HOSTS},
    "no virtual clusters": {"virtual_hosts": [virtual_host(*ROUTES, **HOST)]},
    "filter": {"virtual_hosts": HOSTS, "http_filters": http_filters(KEY)},
    "quiet": {"virtual_hosts": HOSTS, "http_filters": [QUIET]},
    "refused paths": {
        "virtual_hosts": HOSTS,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    },
    "redirected paths": {
        "virtual_hosts": HOSTS,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
    },
}
PATHS = """
    /none /prefix/a?q /regex/a?q /path/a?q /host/a?q /direct /rewritten/a?q /by/a?q /field /plain/known /plain/other
    /nothing /slow /plain/a%2fb?x /direct/a%2fb /plain/../../../direct /plain/%00
""".split()
REQUESTS = {path: request_bytes(path) for path in PATHS}
REQUESTS |= {
    "no host field": b"GET /plain HTTP/1.1\r\n\r\n",
    "a field names a cluster": request_bytes("/field", fields=[("x-to", "backend")]),
    "a field names none": request_bytes("/field", fields=[("x-to", "nobody")]),
    "a key": request_bytes("/plain", fields=[("x-key", "k")]),
    "a body": request_bytes("/plain", "POST", body=b"0123456789", fields=[("x-key", "k")]),
    "a late answer to a body": request_bytes("/slow", "POST", body=b"0123456789", fields=[("x-key", "k")]),
    "chunks": b"POST /plain HTTP/1.1\r\nhost: h\r\nx-key: k\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}


def serve(stream):
    while True:
        if stream.request().target.startswith("/slow"):
            return stream.rest()
        stream.send(response_bytes(body=b"hello"))


def clusters(backend):
    return [cluster("backend", backend, **METADATA), cluster("empty", **METADATA)]


@pytest.fixture(scope="module", params=SETUPS)
def logged(request, shared):
    return both(shared, clusters=clusters, serve=serve, log=LOG, **SETUPS[request.param])


def seen(side, data):
    lines = len(side.logged())
    with Client(side.proxy.port) as client:
        client.send(data)
        try:
            response = client.response()
            found = {"line": response.start_line, **{f"field {n}": v for n, v in stable(response.fields)}}
        except Hangup:
            found = {"line": "hangup"}
    side.wait_logged(lines + 1)
    return {**json.loads(side.logged()[lines]), **found}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_way(logged, name):
    ours, theirs = (seen(side, REQUESTS[name]) for side in logged)
    different = {k: (ours.get(k), theirs.get(k)) for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)}
    assert not different, different
