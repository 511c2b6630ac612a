"""What collectors and backends are told of the same requests. Each side has its own collector."""

import time

import pytest

from config_text import ROUTER, address, cluster, http2_cluster, http_filter, http_filters, route, typed
from h2_peers import H2Host
from peers import request_bytes, response_bytes
from sides import Side, different, needed
from traces import Collector, extension, open_telemetry, sampler_ratio, soon, zipkin

pytestmark = needed

SHORT, SPAN, PARENT = "463ac35c9f6413ad", "a2fb4a1d1a96d312", "0020000000000001"
LONG = "0af7651916cd43dd8448eb211c80319c"
GIVEN = {SHORT, SPAN, PARENT, LONG, "0" * 16 + SHORT}
TOLD = ("b3", "traceparent", "tracestate", "x-envoy-decorator-operation", "x-request-id")
FLAGS = ["--service-cluster", "front", "--service-node", "node", "--service-zone", "zone"]
METADATA = {"filter_metadata": {"ns": {"a": {"b": 7}, "text": "t"}}}


class Ids:
    """Ids that were made for one request, by the order in which they are seen."""

    def __init__(self):
        self.known = {}

    def __call__(self, id):
        return id if id in GIVEN or not id else self.known.setdefault(id, f"made {len(self.known)} ({len(id)})")


def is_hex(part):
    return len(part) in (16, 32) and set(part) <= set("0123456789abcdef")


class TracedSide(Side):
    def __init__(
        self, stage, name, *routes, clusters=(), outbound=False, runtime=None, hcm=None, answer=None, **tracing
    ):
        self.collector = Collector(stage)
        self.taken = 0
        super().__init__(
            stage,
            name,
            answer,
            routes=routes or [route("backend")],
            clusters=lambda backend: [
                place(backend),
                cluster("gone"),
                cluster("refused", 1),
                self.collector.cluster,
                *clusters,
            ],
            flags=FLAGS,
            listener={"traffic_direction": "OUTBOUND" if outbound else "INBOUND"},
            bootstrap=soon(**(runtime or {})),
            tracing=tracing,
            **(hcm or {}),
        )

    def told(self, fields, ids):
        """Fields of a trace, with names for ids that were made."""
        told = {}
        for name, value in fields:
            if name == "x-request-id":
                told[name] = value[14:15]
            elif name in TOLD or name.startswith("x-b3"):
                told[name] = "-".join(ids(part) if is_hex(part) else part for part in value.split("-"))
        return told

    def plain(self, span, ids):
        tags = dict(span["tags"])
        for name in ("upstream_address", "peer.address"):
            if name in tags:
                tags[name] = tags[name].replace(f":{self.backend.port}", ":backend")
        tags["response_flags"] = ",".join(sorted(tags["response_flags"].split(",")))  # Envoy: as they came up.
        if "guid:x-request-id" in tags:
            tags["guid:x-request-id"] = tags["guid:x-request-id"][14:15]
        assert span["end"] >= span["begin"]
        rest = {k: v for k, v in span.items() if k not in ("begin", "end", "of")}
        return {**rest, "tags": tags, **{k: ids(span[k]) for k in ("trace", "id", "parent")}}

    def traced(self, data, spans, to="GET"):
        """What the client, the backend and the collector see of a request that is told of in so many spans."""
        ids = Ids()
        before = len(self.backend.requests)
        seen = self.exchange(data, to)
        got = self.collector.wait(self.taken + spans)[self.taken :]
        self.taken += len(got)
        assert len(got) == spans, got
        known = {span["id"] for span in got}
        got.sort(key=lambda span: (span["name"], int(span["tags"].get("retry.count", 0))))
        got.sort(key=lambda span: span["parent"] in known)
        got.sort(key=lambda span: span["kind"], reverse=True)
        result = {"line": seen.get("line")}
        result["response"] = [v for n, v in seen.get("fields", []) if n == "x-envoy-decorator-operation"]
        told = [self.told(sorted(request.fields), ids) for request in self.backend.requests[before:]]
        result["told"] = [f"{n}: {v}" for fields in told for n, v in fields.items()]
        for i, span in enumerate(self.plain(span, ids) for span in got):
            tags = sorted(f"{n}={v}" for n, v in span.pop("tags").items())
            result |= {f"span {i}": [f"{n} {v}" for n, v in span.items()], f"tags {i}": tags}
        return result


def place(backend):
    endpoint = {"endpoint": {"address": address(backend.port)}, "metadata": {"filter_metadata": {"ns": {"host": "h"}}}}
    assignment = {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {**cluster("backend"), "load_assignment": assignment, "metadata": {"filter_metadata": {"ns": {"c": [1]}}}}


def both(stage, *routes, **options):
    return TracedSide(stage, "outrider", *routes, **options), TracedSide(stage, "envoy", *routes, **options)


def compare(sides, path="/", fields=(), spans=1, **request):
    data = request_bytes(path, fields=fields, **request)
    theirs, ours = sides[1].traced(data, spans), sides[0].traced(data, spans)
    found = different(ours, theirs)
    assert not found, found
    return ours


# --- what a request may say -----------------------------------------------------------------------------------------

B3 = {"x-b3-traceid": SHORT, "x-b3-spanid": SPAN}
W3C = f"00-{LONG}-{SPAN}-"
FIELDS = {
    "nothing": {},
    "b3 sampled": {**B3, "x-b3-sampled": "1"},
    "b3 true": {**B3, "x-b3-sampled": "true"},
    "b3 with a parent": {**B3, "x-b3-parentspanid": PARENT},
    "b3 not sampled": {**B3, "x-b3-sampled": "0"},
    "b3 debug": {**B3, "x-b3-sampled": "d"},
    "b3 flags": {**B3, "x-b3-flags": "1"},
    "sampled alone": {"x-b3-sampled": "1"},
    "not sampled alone": {"x-b3-sampled": "0"},
    "trace alone": {"x-b3-traceid": SHORT},
    "span alone": {"x-b3-spanid": SPAN},
    "no ids": {"x-b3-traceid": "nonsense", "x-b3-spanid": SPAN},
    "long": {"x-b3-traceid": LONG, "x-b3-spanid": SPAN},
    "single": {"b3": f"{LONG}-{SPAN}-1"},
    "single debug": {"b3": f"{SHORT}-{SPAN}-d-{PARENT}"},
    "single undecided": {"b3": f"{SHORT}-{SPAN}"},
    "single not sampled": {"b3": f"{SHORT}-{SPAN}-0"},
    "single 0": {"b3": "0"},
    "single 1": {"b3": "1"},
    "single d": {"b3": "d"},
    "single nonsense": {"b3": "nonsense"},
    "w3c": {"traceparent": W3C + "01", "tracestate": "a=b"},
    "w3c not sampled": {"traceparent": W3C + "00", "tracestate": "a=b"},
    "w3c flags": {"traceparent": W3C + "03"},
    "w3c without a span": {"traceparent": f"00-{LONG}-{'0' * 16}-01"},
    "w3c later version": {"traceparent": f"01-{LONG}-{SPAN}-01"},
    "w3c longer": {"traceparent": f"01-{LONG}-{SPAN}-01-more"},
    "w3c last version": {"traceparent": f"ff-{LONG}-{SPAN}-01"},
    "w3c nonsense": {"traceparent": "nonsense"},
    "w3c beside b3": {**B3, "x-b3-sampled": "1", "traceparent": W3C + "00"},
    "w3c beside b3's word": {"x-b3-sampled": "0", "traceparent": W3C + "01"},
    "state alone": {"tracestate": "a=b"},
    "two states": [("traceparent", W3C + "01"), ("tracestate", "a=b"), ("tracestate", "c=d")],
    "client trace id": {"x-client-trace-id": "mine"},
    "forced": {"x-envoy-force-trace": "1"},
}
SILENT_B3 = {"b3 not sampled", "b3 debug", "not sampled alone", "no ids", "single not sampled", "single 0"}
SILENT_B3 |= {"single nonsense"}
UNREADABLE_W3C = {"w3c without a span", "w3c longer", "w3c nonsense"}
OTHER_DOUBTS = {"w3c not sampled", "w3c beside b3"} | UNREADABLE_W3C
SETUPS = {
    "zipkin": ({"provider": zipkin()}, SILENT_B3 | {"w3c beside b3's word"}),
    "zipkin not shared": ({"provider": zipkin(shared_span_context=False)}, SILENT_B3 | {"w3c beside b3's word"}),
    "zipkin with w3c": (
        {"provider": zipkin(trace_context_option="USE_B3_WITH_W3C_PROPAGATION", trace_id_128bit=True)},
        SILENT_B3 | {"w3c not sampled"},
    ),
    "zipkin outbound": ({"provider": zipkin(), "outbound": True}, SILENT_B3 | {"w3c beside b3's word"}),
    "opentelemetry": ({"provider": open_telemetry()}, OTHER_DOUBTS),
}


@pytest.fixture(scope="module", params=SETUPS)
def setup(shared, request):
    options, silent = SETUPS[request.param]
    return both(shared, **options), silent


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_a_request(setup, name):
    sides, silent = setup
    compare(sides, fields=FIELDS[name], spans=0 if name in silent else 1)


# --- decisions ------------------------------------------------------------------------------------------------------

NONE = {"random_sampling": {"value": 0}}
DECISIONS = {
    "nothing": ({}, 0),
    "client": ({"x-client-trace-id": "mine"}, 1),
    "forced": ({"x-envoy-force-trace": "1"}, 1),
    "both": ({"x-envoy-force-trace": "1", "x-client-trace-id": "mine"}, 1),
    "marked as sampled": ({"x-request-id": "11111111-1111-9111-8111-111111111111"}, 1),
    "marked as forced": ({"x-request-id": "11111111-1111-a111-8111-111111111111"}, 1),
    "marked as the client's": ({"x-request-id": "11111111-1111-b111-8111-111111111111"}, 1),
    "marked as not traced": ({"x-request-id": "11111111-1111-4111-8111-111111111111"}, 0),
    "an id that is none": ({"x-request-id": "mine", "x-client-trace-id": "mine"}, 0),
    "b3 over it": ({"x-b3-sampled": "1"}, 1),
    "b3 against it": ({"x-b3-sampled": "0", "x-client-trace-id": "mine"}, 0),
}
INTERNAL = {"hcm": {"internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}}}
INTERNAL["hcm"]["use_remote_address"] = True


@pytest.fixture(scope="module")
def undecided(shared):
    return both(shared, provider=zipkin(), **NONE, **INTERNAL)


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions(undecided, name):
    fields, spans = DECISIONS[name]
    before = [side.proxy.stats("http.in.tracing.") for side in undecided]
    compare(undecided, fields=fields, spans=spans)
    after = [side.proxy.stats("http.in.tracing.") for side in undecided]
    ours, theirs = ({n: v - b[n] for n, v in a.items()} for a, b in zip(after, before))
    assert ours == theirs and sum(ours.values()) == 1


def test_without_a_provider_ids_are_marked_all_the_same(stage):
    sides = both(stage, {**route("backend"), "decorator": {"operation": "op"}})
    seen = compare(sides, fields={"x-envoy-decorator-operation": ""}, spans=0)
    assert seen["told"] == ["x-request-id: 9"] and seen["response"] == ["op"]
    compare(sides, fields={"x-envoy-decorator-operation": "mine"}, spans=0)


def test_a_limit_over_all(stage):
    sides = both(stage, provider=zipkin(), overall_sampling={"value": 0})
    compare(sides, fields={"x-client-trace-id": "mine"}, spans=0)


# --- names, routes --------------------------------------------------------------------------------------------------


def said(prefix, to="backend", **fields):
    return {**route(to, prefix), **fields}


DECORATOR = {"operation": "op"}
OWN_TAGS = [{"tag": "a", "literal": {"value": "route"}}, {"tag": "c", "request_header": {"name": "x-none"}}]
ROUTES = [
    said("/deco", decorator=DECORATOR),
    said("/quiet", decorator={"operation": "quiet", "propagate": False}),
    said("/never", tracing={"random_sampling": {"numerator": 0}}),
    said("/tags", tracing={"custom_tags": OWN_TAGS}),
    said("/named", decorator=DECORATOR, tracing={"operation": "N %REQ(:METHOD)%", "upstream_operation": "U"}),
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200}, "decorator": DECORATOR},
    {"match": {"prefix": "/moved"}, "redirect": {"path_redirect": "/there"}, "decorator": DECORATOR},
    said("/gone", "gone", decorator=DECORATOR),
    said("/refused", "refused"),
    {"match": {"path": "/slow"}, "route": {"cluster": "backend", "timeout": "0.2s"}},
    said("/host", **{"route": {"cluster": "backend", "host_rewrite_literal": "other", "prefix_rewrite": "/x"}}),
    {"match": {"prefix": "/weighted"}, "decorator": DECORATOR, "route": {"weighted_clusters": {"clusters": []}}},
    {"match": {"prefix": "/"}, "route": {"cluster": "backend"}},
]
ROUTES[-2]["route"]["weighted_clusters"]["clusters"].append({"name": "backend", "weight": 1})
TAGS = [
    {"tag": "a", "literal": {"value": "manager"}},
    {"tag": "b", "environment": {"name": "NO_SUCH_VARIABLE", "default_value": "none"}},
    {"tag": "c", "request_header": {"name": "x-c", "default_value": "fallback"}},
    {"tag": "component", "request_header": {"name": "x-component"}},
    {"tag": "value", "value": "%REQ(:METHOD)% %PROTOCOL%"},
]


def answer(request):
    path = request.start_line.split()[1]
    if path == "/closed":
        return None
    if path == "/cut":
        request.stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut")
        return None
    if path == "/slow":
        time.sleep(0.5)
    status = "500 Oh" if path == "/500" else "404 Oh" if path == "/404" else "200 OK"
    own = [("x-envoy-decorator-operation", "theirs")] if "theirs" in path else []
    return response_bytes(status, own, b"body")


PATHS = [
    "/",
    "/a/path?query",
    "/deco",
    "/deco?theirs",
    "/?theirs",
    "/quiet",
    "/never",
    "/tags",
    "/named",
    "/direct",
    "/moved",
    "/gone",
    "/refused",
    "/host",
    "/weighted",
    "/500",
    "/404",
    "/closed",
    "/cut",
    "/slow",
]
MANAGERS = {
    "zipkin": {"provider": zipkin()},
    "zipkin, outbound": {"provider": zipkin(), "outbound": True},
    "zipkin, split": {"provider": zipkin(split_spans_for_request=True), "outbound": True},
    "zipkin, upstream": {"provider": zipkin(), "spawn_upstream_span": True},
    "zipkin, upstream and outbound": {"provider": zipkin(), "spawn_upstream_span": True, "outbound": True},
    "opentelemetry": {"provider": open_telemetry()},
    "opentelemetry, outbound": {"provider": open_telemetry(), "outbound": True},
    "opentelemetry, upstream": {"provider": open_telemetry(), "spawn_upstream_span": True},
    "verbose": {"provider": zipkin(), "spawn_upstream_span": True, "verbose": True, "max_path_tag_length": 3},
    "named": {"provider": open_telemetry(), "operation": "%REQ(x-n)%.", "upstream_operation": "M %UPSTREAM_CLUSTER%"},
}


@pytest.fixture(scope="module", params=MANAGERS)
def managed(shared, request):
    options = MANAGERS[request.param]
    return both(shared, *ROUTES, answer=answer, custom_tags=TAGS, **options), options


def spans_of(path, options):
    if path == "/never":
        return 0
    own = options.get("spawn_upstream_span") and path not in ("/direct", "/moved", "/gone")
    return 2 if own else 1


@pytest.mark.parametrize("path", PATHS)
def test_names_and_tags(managed, path):
    sides, options = managed
    more = {"method": "POST", "body": b""} if path == "/closed" else {}  # No request that is sent again.
    compare(sides, path, {"x-component": "mine", "user-agent": "me"}, spans_of(path, options), **more)


@pytest.mark.parametrize("path", ["/", "/deco", "/quiet", "/named"])
@pytest.mark.parametrize("told", ["mine", ""])
def test_a_name_from_the_caller(managed, path, told):
    sides, options = managed
    compare(sides, path, {"x-envoy-decorator-operation": told}, spans_of(path, options))


def test_a_body_counts(managed):
    sides, options = managed
    fields = {"x-envoy-downstream-service-cluster": "caller", "x-c": "sent"}
    compare(sides, "/", fields, spans_of("/", options), method="POST", body=b"12345")


RETRIES = {
    "retry_on": "5xx,reset,connect-failure,unavailable",
    "num_retries": 2,
    "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
}
IN_TIME = {**RETRIES, "num_retries": 1, "per_try_timeout": "0.5s"}


def planned():
    """Answers each attempt of a request as its path says, the last word of it for all that follow."""
    tried = {}

    def answer(request):
        words = request.target.rsplit("/", 1)[1].split(",")
        number = tried[request.target] = tried.get(request.target, -1) + 1
        word = words[min(number, len(words) - 1)]
        if word == "stall":
            request.stream.rest()
        if word in ("stall", "close"):
            return None
        if word == "garbage":
            return b"nonsense\r\n\r\n"
        if word == "grpc":
            return response_bytes(fields=[("content-type", "application/grpc"), ("grpc-status", "14")])
        return response_bytes(f"{word.rstrip('-')} Said", body=b"" if word.endswith("-") else b"body")

    return answer


TRIED = {
    "/200": 2,
    "/503,200": 3,
    "/503-,200": 3,
    "/500,502,200": 4,
    "/500,500,500": 4,
    "/close,200": 3,
    "/garbage,close,503-": 4,
    "/grpc,200": 3,
    "/refused/1": 4,
    "/in-time/stall,200": 3,
    "/in-time/stall": 3,
}


@pytest.fixture(scope="module", params=["plain", "verbose", "opentelemetry"])
def tried(shared, request):
    provider = open_telemetry() if request.param == "opentelemetry" else zipkin()
    routes = [
        route("refused", "/refused", timeout="0s", retry_policy=RETRIES),
        route("backend", "/in-time", timeout="0s", retry_policy=IN_TIME),
        route("backend", timeout="0s", retry_policy=RETRIES),
    ]
    manner = {"spawn_upstream_span": True, "verbose": request.param == "verbose"}
    return [
        TracedSide(shared, name, *routes, answer=planned(), provider=provider, **manner)
        for name in ("outrider", "envoy")
    ]


@pytest.mark.parametrize("path", TRIED)
def test_each_attempt_tells_its_own_outcome(tried, path):
    compare(tried, path, spans=TRIED[path], method="POST", body=b"x")  # No request that is sent again in silence.


def test_a_filter_that_answers_knows_where_the_route_leads(stage):
    csrf = http_filter("csrf", "CsrfPolicy", filter_enabled={"default_value": {"numerator": 100}})
    sides = both(stage, provider=zipkin(), hcm={"http_filters": http_filters(csrf)})
    compare(sides, fields={"origin": "http://other"}, spans=1, method="POST", body=b"")


@pytest.mark.parametrize("provider", [zipkin(), open_telemetry()], ids=["zipkin", "opentelemetry"])
def test_a_span_of_a_host_of_http2(stage, provider):
    host = stage.ending.enter_context(H2Host())
    manner = {"provider": provider, "spawn_upstream_span": True}
    seen = compare(both(stage, route("host"), clusters=[http2_cluster("host", host)], **manner), spans=2)
    assert {"http.protocol=HTTP/1.1", "http.protocol=HTTP/2"} < {*seen["tags 0"], *seen["tags 1"]}


GRPC = {"content-type": "application/grpc", "grpc-timeout": "1S"}


@pytest.fixture(scope="module")
def grpc(shared):
    def says(request):
        fields = [("content-type", "application/grpc"), ("grpc-status", request["x-say"]), ("grpc-message", "why")]
        return response_bytes(fields=fields)

    return both(shared, provider=zipkin(), spawn_upstream_span=True, answer=says)


@pytest.mark.parametrize("status", range(17))
def test_grpc(grpc, status):
    fields = {**GRPC, "x-say": str(status)}
    compare(grpc, "/package.Service/Method", fields, spans=2, method="POST", body=b"")


METADATA_TAGS = [
    {"tag": kind, "metadata": {"kind": {kind: {}}, "metadata_key": {"key": "ns", "path": [{"key": k} for k in keys]}}}
    for kind, keys in (("route", "ab"), ("cluster", "c"), ("host", ["host"]), ("request", ["x"]))
]
METADATA_TAGS[-1]["metadata"]["default_value"] = "default"


@pytest.mark.parametrize("child", [False, True])
@pytest.mark.parametrize("provider", [zipkin(), open_telemetry()], ids=["zipkin", "opentelemetry"])
def test_metadata_and_child_spans(stage, provider, child):
    filters = [{"name": "envoy.filters.http.router", "typed_config": typed(ROUTER, start_child_span=child)}]
    own = {**route("backend"), "metadata": METADATA}
    sides = both(stage, own, provider=provider, custom_tags=METADATA_TAGS, hcm={"http_filters": filters})
    compare(sides, spans=2 if child else 1)


def test_health_checks_are_not_reported(stage):
    check = http_filter("health_check", "HealthCheck", pass_through_mode=True)
    check["typed_config"]["headers"] = [{"name": ":path", "string_match": {"exact": "/healthy"}}]
    sides = both(stage, provider=zipkin(), hcm={"http_filters": http_filters(check)})
    compare(sides, "/healthy", spans=0)
    ours, theirs = (side.proxy.stats("http.in.tracing.") for side in sides)
    assert ours == theirs


# --- OpenTelemetry --------------------------------------------------------------------------------------------------

ON = extension("always_on", "AlwaysOnSamplerConfig")


def parent_based(wrapped):
    return extension("parent_based", "ParentBasedSamplerConfig", wrapped_sampler=wrapped)


OF_TEN_THOUSAND = {"denominator": "TEN_THOUSAND"}
SAMPLERS = {  # What comes of a request without a trace, with one that is sampled, and with one that is not.
    "always on": (ON, (1, 1, 1)),
    "never": (sampler_ratio(0), (0, 0, 0)),
    "all": (sampler_ratio(100), (1, 1, 1)),
    "just below": (sampler_ratio(5178, **OF_TEN_THOUSAND), (None, 0, 0)),
    "just above": (sampler_ratio(5179, **OF_TEN_THOUSAND), (None, 1, 1)),
    "of the caller, or always": (parent_based(ON), (1, 1, 0)),
    "of the caller, or never": (parent_based(sampler_ratio(0)), (0, 1, 0)),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers(stage, name):
    sampler, outcomes = SAMPLERS[name]
    sides = both(stage, provider=open_telemetry(sampler=sampler))
    for fields, spans in zip(({}, {"traceparent": W3C + "01"}, {"traceparent": W3C + "00"}), outcomes):
        if spans is not None:
            compare(sides, fields=fields, spans=spans)


def test_a_decision_of_the_manager_counts_over_samplers(stage):
    sides = both(stage, provider=open_telemetry(sampler=ON), **NONE)
    compare(sides, fields={"traceparent": W3C + "01"}, spans=0)
