"""What a connection manager does to a request at the edge, through outrider and through Envoy."""

import pytest

from config_text import route, typed
from peers import request_bytes
import sides
from sides import both, compare, needed

pytestmark = needed

LOG = (
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% "
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
)
INTERNAL = {"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}
LOOPBACK = {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}


def detection(*extensions):
    named = [{"name": "envoy.http.original_ip_detection." + n, "typed_config": c} for n, c in extensions]
    return {"original_ip_detection_extensions": named}


def custom_header(**fields):
    message = "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig"
    return "custom_header", typed(message, header_name="x-client", **fields)


def xff(**fields):
    return "xff", typed("envoy.extensions.http.original_ip_detection.xff.v3.XffConfig", **fields)


WAYS = {
    "inside": {},
    "edge": {"use_remote_address": True},
    "edge, one hop": {"use_remote_address": True, "xff_num_trusted_hops": 1},
    "edge, two hops": {"use_remote_address": True, "xff_num_trusted_hops": 2},
    "inside, one hop": {"xff_num_trusted_hops": 1},
    "edge, nothing appended": {"use_remote_address": True, "skip_xff_append": True},
    "edge with port": {"use_remote_address": True, "append_x_forwarded_port": True},
    "edge, one hop, with port": {
        "use_remote_address": True,
        "append_x_forwarded_port": True,
        "xff_num_trusted_hops": 1,
    },
    "internal": {"internal_address_config": INTERNAL},
    "internal at the edge": {"internal_address_config": LOOPBACK, "use_remote_address": True},
    "kept id": {"use_remote_address": True, "preserve_external_request_id": True},
    "shown id": {"always_set_request_id_in_response": True},
    "via": {"via": "here"},
    "agent": {"add_user_agent": True},
    "by field": detection(custom_header()),
    "by trusted field": {
        **detection(custom_header(allow_extension_to_set_address_as_trusted=True)),
        "internal_address_config": INTERNAL,
    },
    "by field or refused": detection(custom_header(reject_with_status={"code": 401})),
    "by list": detection(xff(xff_num_trusted_hops=1)),
    "by list, appended": detection(xff(xff_num_trusted_hops=1, skip_xff_append=False)),
    "by ranges": detection(xff(xff_trusted_cidrs={"cidrs": LOOPBACK["cidr_ranges"]}, skip_xff_append=False)),
    "by other ranges": detection(xff(xff_trusted_cidrs={"cidrs": INTERNAL["cidr_ranges"]})),
    "scheme at the edge": {
        "scheme_header_transformation": {"scheme_to_overwrite": "https"},
        "use_remote_address": True,
    },
    "scheme": {"scheme_header_transformation": {"scheme_to_overwrite": "https"}},
}
FIELDS = [
    [],
    [("x-forwarded-for", "10.1.1.1")],
    [("x-forwarded-for", "1.2.3.4")],
    [("x-forwarded-for", "10.1.1.1, 10.2.2.2")],
    [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "10.3.3.3,127.0.0.1")],
    [("x-forwarded-for", "nonsense")],
    [("x-forwarded-for", "1.2.3.4:80")],
    [("x-client", "10.9.9.9"), ("x-forwarded-for", "1.1.1.1")],
    [("x-client", "what")],
    [("x-forwarded-proto", "https"), ("x-forwarded-port", "99")],
    [("x-request-id", "mine"), ("via", "before"), ("user-agent", "me")],
    [("x-envoy-internal", "true"), ("x-envoy-retry-on", "5xx"), ("x-envoy-external-address", "6.6.6.6")],
]
VALUES = [
    "/a/./b",
    "/a/../b",
    "/a/../../b",
    "/a/..",
    "/a/.",
    "/..",
    "/a//b",
    "//a",
    "/a/b//",
    "/a%2Fb",
    "/a%2fb%5Cc",
    "/a%5cb",
    "/%41%2e%2E/x",
    "/a%2e/b",
    "/a/%2e%2e/b",
    "/a\\b",
    "/a%zz",
    "/a%2",
    "/a%00b",
    "/a?b/../c//d%2F",
    "/a/..?x",
    "/a|b^c[d]e",
    '/a"b',
    "/a'b!$&()*+,;=:@~_-.",
    "/%7E%7e%2D%5f",
    "/a;x=1/../b",
    "/%c3%a4",
    "/a/...../b",
    "/.a/b.",
    "/a/.b/..c/",
]
PATHS = {
    "normal": {"normalize_path": True},
    "merged": {"merge_slashes": True},
    "both": {"normalize_path": True, "merge_slashes": True},
    "reject": {"path_with_escaped_slashes_action": "REJECT_REQUEST"},
    "redirect": {"path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT", "normalize_path": True},
    "forward": {"path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"},
    "forward, all": {
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
        "normalize_path": True,
        "merge_slashes": True,
    },
}


def get(path="/", fields=(), host="a", method="GET"):
    return request_bytes(path, method, fields, host=host)


def started(stage, options):
    flags = ["--service-cluster", "our-cluster", "--service-node", "our-node"]
    # The listeners' ports differ; x-forwarded-port tells them.
    return both(stage, log=LOG, flags=flags, routes=[route("backend")], **options)


@pytest.mark.parametrize("way", WAYS)
def test_the_client_is_who_the_connection_manager_believes(stage, way, monkeypatch):
    monkeypatch.setattr("sides.VARYING", sides.VARYING | {"x-forwarded-port"})
    pair = started(stage, WAYS[way])
    for fields in FIELDS:
        compare(pair, get(fields=fields))


@pytest.mark.parametrize("way", PATHS)
def test_paths_are_made_normal(stage, way):
    pair = started(stage, PATHS[way])
    for path in VALUES:
        compare(pair, get(path))


@pytest.mark.parametrize("byte", [*range(0x21, 0x7F)], ids=chr)
def test_each_byte_of_a_path_is_made_normal(shared_normal, byte):
    if chr(byte) not in "#?":
        compare(shared_normal, get(f"/a{chr(byte)}b"))
    compare(shared_normal, get(f"/a%{byte:02X}b%{byte:02x}"))


@pytest.fixture(scope="module")
def shared_normal(shared):
    return started(shared, {"normalize_path": True})


HOSTS = ["a", "a:80", "a:0", "a.:80", "a.", "[::1]:80", "[::1]"]
STRIPPED = {
    "any": {"strip_any_host_port": True},
    "matching": {"strip_matching_host_port": True},
    "dot": {"strip_trailing_host_dot": True},
    "dot and port": {"strip_trailing_host_dot": True, "strip_any_host_port": True},
}


@pytest.mark.parametrize("way", STRIPPED)
def test_hosts_are_stripped(stage, way):
    pair = started(stage, STRIPPED[way])
    for host in HOSTS:
        compare(pair, get(host=host))
    seen = []
    for side in pair:
        side.exchange(get(host=f"a:{side.proxy.port}"), "GET")
        seen.append(dict(side.backend.requests[-1].fields).get("host", "").replace(str(side.proxy.port), "PORT"))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("action", ["ALLOW", "REJECT_REQUEST", "DROP_HEADER"])
def test_underscores_in_names_are_treated(stage, action):
    pair = started(stage, {"common_http_protocol_options": {"headers_with_underscores_action": action}})
    for fields in ([("x_a", "1"), ("x-b", "2")], [("x-b", "2_2")]):
        compare(pair, get(fields=fields))


def answer_in_part(part):
    def serve(stream):
        stream.head()
        stream.send(part)
        stream.rest()

    return serve


def test_a_stream_lasts_no_longer_than_allowed(stage):
    for silent in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"):
        pair = both(
            stage,
            serve=answer_in_part(silent),
            routes=[route("backend")],
            common_http_protocol_options={"max_stream_duration": "0.3s"},
        )
        compare(pair, get())
        compare(pair, request_bytes(method="POST", fields=[("Content-Length", "5")]))
