"""Traces: what the next hop is told, and what a collector gets."""

import pytest

from config_text import bootstrap, cluster, file_log, listener, route, virtual_host
from peers import eventually
from processes import BINARY
from traces import Collector, extension, http_service, open_telemetry, soon, zipkin

ID, SPAN = "463ac35c9f6413ad", "a2fb4a1d1a96d312"
LONG = "0af7651916cd43dd8448eb211c80319c"
B3 = {"X-B3-TraceId": ID, "X-B3-SpanId": SPAN, "X-B3-Sampled": "1"}


@pytest.fixture
def collector(stage):
    return Collector(stage)


def traced(stage, collector, *routes, provider=None, log=None, env=None, **tracing):
    backend = stage.backend(name="backend")
    proxy = stage.proxy(
        *(routes or [route("backend")]),
        clusters=[cluster("gone"), cluster("backend", backend), collector.cluster],
        bootstrap=soon(),
        env=env,
        tracing={"provider": provider or zipkin(), **tracing},
        flags=["--service-cluster", "front", "--service-node", "node", "--file-flush-interval-msec", "10"],
        access_log=[file_log(log, "%TRACE_ID% %SPAN_ID% %REQ(X-REQUEST-ID)%")] if log else [],
    )
    return proxy, backend


def asked(stage, proxy, backend, fields=None):
    """What the backend was told, by field."""
    stage.client(proxy).ask("/path?query", fields=fields or {})
    return dict(backend.requests[-1].fields)


def test_a_request_without_a_trace_begins_one(stage, collector):
    log = stage.directory / "log"
    proxy, backend = traced(stage, collector, log=log)
    told = asked(stage, proxy, backend, {"User-Agent": "me"})
    assert told["x-b3-traceid"] == told["x-b3-spanid"]
    assert told["x-b3-sampled"] == "1" and "x-b3-parentspanid" not in told
    assert told["x-request-id"][14] == "9", "a request id says that it was sampled"
    eventually(lambda: log.exists() and log.read_text(), "the line")
    assert log.read_text().split() == [told["x-b3-traceid"], told["x-b3-spanid"], told["x-request-id"]]
    (span,) = collector.wait(1)
    assert (span["trace"], span["id"]) == (told["x-b3-traceid"], told["x-b3-spanid"])
    assert span["name"] == "test.example" and span["kind"] == "SERVER" and span["shared"]
    assert span["of"] == "front"
    assert span["end"] > span["begin"] and span["notes"] == ["ss"]
    assert span["tags"] == {
        "component": "proxy",
        "downstream_cluster": "-",
        "guid:x-request-id": told["x-request-id"],
        "http.method": "GET",
        "http.protocol": "HTTP/1.1",
        "http.status_code": "200",
        "http.url": "http://test.example/path?query",
        "node_id": "node",
        "peer.address": "127.0.0.1",
        "request_size": "0",
        "response_flags": "-",
        "response_size": span["tags"]["response_size"],
        "upstream_cluster": "backend",
        "upstream_cluster.name": "backend",
        "user_agent": "me",
    }
    proxy.wait_stat("tracing.zipkin.spans_sent", 1)
    assert proxy.stat("http.in.tracing.random_sampling") == 1


def test_a_trace_goes_on(stage, collector):
    proxy, backend = traced(stage, collector)
    told = asked(stage, proxy, backend, B3)
    assert (told["x-b3-traceid"], told["x-b3-spanid"]) == (ID, SPAN)
    (span,) = collector.wait(1)
    assert (span["trace"], span["id"]) == (ID, SPAN)


def test_a_trace_goes_on_below(stage, collector):
    proxy, backend = traced(stage, collector, provider=zipkin(shared_span_context=False))
    told = asked(stage, proxy, backend, B3)
    assert told["x-b3-traceid"] == ID and told["x-b3-parentspanid"] == SPAN and told["x-b3-spanid"] != SPAN
    (span,) = collector.wait(1)
    assert (span["id"], span["parent"]) == (told["x-b3-spanid"], SPAN) and not span["shared"]


def test_ids_of_128_bits(stage, collector):
    proxy, backend = traced(stage, collector, provider=zipkin(trace_id_128bit=True))
    told = asked(stage, proxy, backend)
    assert len(told["x-b3-traceid"]) == 32 and told["x-b3-traceid"].endswith(told["x-b3-spanid"])


def test_the_single_field(stage, collector):
    proxy, backend = traced(stage, collector)
    told = asked(stage, proxy, backend, {"b3": f"{LONG}-{SPAN}-1"})
    assert told["b3"] == f"{LONG}-{SPAN}-1" and "x-b3-traceid" not in told
    assert collector.wait(1)[0]["trace"] == LONG


def test_the_fields_of_the_w3c(stage, collector):
    provider = zipkin(trace_context_option="USE_B3_WITH_W3C_PROPAGATION")
    proxy, backend = traced(stage, collector, provider=provider)
    told = asked(stage, proxy, backend, {"traceparent": f"00-{LONG}-{SPAN}-01", "tracestate": "a=b"})
    assert told["traceparent"] == f"00-{LONG}-{SPAN}-01" and told["tracestate"] == "a=b"
    assert (told["x-b3-traceid"], told["x-b3-spanid"]) == (LONG, SPAN)


def test_what_is_not_sampled_is_not_reported(stage, collector):
    proxy, backend = traced(stage, collector, random_sampling={"value": 0})
    told = asked(stage, proxy, backend)
    assert told["x-b3-sampled"] == "0" and told["x-request-id"][14] == "4"
    assert asked(stage, proxy, backend, {"X-Client-Trace-Id": "mine"})["x-request-id"][14] == "b"
    (span,) = collector.wait(1)
    assert span["tags"]["guid:x-client-trace-id"] == "mine"
    assert proxy.stat("http.in.tracing.not_traceable") == 1
    assert proxy.stat("http.in.tracing.client_enabled") == 1


def test_whoever_said_no_is_heeded(stage, collector):
    proxy, backend = traced(stage, collector)
    assert asked(stage, proxy, backend, {"X-B3-Sampled": "0"})["x-b3-sampled"] == "0"
    asked(stage, proxy, backend, B3)
    assert [span["trace"] for span in collector.wait(1)] == [ID]


def test_fields_that_nobody_can_read_are_left_alone(stage, collector):
    proxy, backend = traced(stage, collector)
    told = asked(stage, proxy, backend, {"X-B3-TraceId": "nonsense", "X-B3-SpanId": SPAN})
    assert told["x-b3-traceid"] == "nonsense" and "x-b3-sampled" not in told


def test_a_span_for_the_request_to_the_host(stage, collector):
    proxy, backend = traced(stage, collector, spawn_upstream_span=True)
    told = asked(stage, proxy, backend)
    upstream, served = sorted(collector.wait(2), key=lambda span: span["kind"])
    assert (upstream["kind"], upstream["name"]) == ("CLIENT", "router backend egress")
    assert upstream["id"] == told["x-b3-spanid"]
    assert upstream["parent"] == told["x-b3-parentspanid"] == served["id"]
    assert upstream["tags"]["upstream_address"] == f"127.0.0.1:{backend.port}"


def test_tags_and_names_of_ones_own(stage, collector):
    tags = [
        {"tag": "literal", "literal": {"value": "text"}},
        {"tag": "environment", "environment": {"name": "NO_SUCH_VARIABLE", "default_value": "none"}},
        {"tag": "header", "request_header": {"name": "X-Tag"}},
        {"tag": "missing", "request_header": {"name": "X-Missing"}},
        {
            "tag": "route",
            "metadata": {"kind": {"route": {}}, "metadata_key": {"key": "com.x", "path": [{"key": "a"}, {"key": "b"}]}},
        },
    ]
    metadata = {"filter_metadata": {"com.x": {"a": {"b": 7}}}}
    to = {**route("backend"), "metadata": metadata}
    proxy, backend = traced(stage, collector, to, custom_tags=tags, max_path_tag_length=5, verbose=True)
    told = asked(stage, proxy, backend, {"X-Tag": "value", "X-Envoy-Decorator-Operation": "look"})
    assert "x-envoy-decorator-operation" not in told
    (span,) = collector.wait(1)
    assert span["name"] == "look"
    own = {name: span["tags"].get(name) for name in ("literal", "environment", "header", "missing", "route")}
    assert own == {"literal": "text", "environment": "none", "header": "value", "missing": None, "route": "7"}
    assert span["tags"]["http.url"] == "http://test.example/path"
    assert set(span["notes"]) >= {"first_upstream_tx_byte_sent", "last_downstream_tx_byte_sent"}


def test_a_failure_is_an_error(stage, collector):
    proxy, backend = traced(stage, collector, route("gone"))
    stage.client(proxy).ask("/")
    assert collector.wait(1)[0]["tags"]["error"] == "true"


# --- OpenTelemetry --------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver(stage):
    return Collector(stage, "200 OK")


def detector(**attributes):
    return extension("static_config", "StaticConfigResourceDetectorConfig", attributes=attributes)


FROM_ENVIRONMENT = extension("environment", "EnvironmentResourceDetectorConfig")


def test_spans_as_otlp(stage, receiver):
    headers = [{"header": {"key": "Api-Key", "value": "secret"}}]
    service = http_service("http://otel.example:99/x/traces?q", request_headers_to_add=headers)
    proxy, backend = traced(stage, receiver, provider=open_telemetry(http_service=service), verbose=True)
    told = asked(stage, proxy, backend, {"traceparent": f"00-{LONG}-{SPAN}-01", "tracestate": "a=b"})
    (span,) = receiver.wait(1)
    post = receiver.backend.requests[0]
    assert post.start_line == "POST /x/traces?q HTTP/1.1" and post["host"] == "otel.example:99"
    assert post["content-type"] == "application/x-protobuf" and post["api-key"] == "secret"
    assert told["traceparent"] == f"00-{LONG}-{span['id']}-01" and told["tracestate"] == "a=b"
    assert (span["trace"], span["parent"], span["state"]) == (LONG, SPAN, "a=b")
    assert (span["name"], span["kind"], span["flags"], span["status"]) == ("ingress", "SERVER", 0x301, 0)
    assert span["tags"]["http.status_code"] == "200" and span["tags"]["upstream_cluster"] == "backend"
    assert span["notes"][0] == "last_downstream_rx_byte_received" and span["end"] > span["begin"] > 10**18
    proxy.wait_stat("tracing.opentelemetry.spans_sent", 1)


def test_failures_have_their_status(stage, receiver):
    proxy, _ = traced(stage, receiver, route("gone"), provider=open_telemetry())
    stage.client(proxy).ask("/")
    assert receiver.wait(1)[0]["status"] == 2


def test_resources(stage, receiver):
    """Later detectors count over earlier ones, and all of them over service_name."""
    detectors = [detector(a="static", only="this", empty=""), FROM_ENVIRONMENT]
    provider = open_telemetry(service_name="named", resource_detectors=detectors)
    env = {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=from the environment, c =d%20e"}
    proxy, backend = traced(stage, receiver, provider=provider, env=env)
    asked(stage, proxy, backend)
    (span,) = receiver.wait(1)
    del span["of"]["telemetry.sdk.version"]
    assert span["of"] == {
        "telemetry.sdk.language": "cpp",
        "telemetry.sdk.name": "outrider",
        "service.name": "from the environment",
        "a": "b",
        "only": "this",
        " c ": "d%20e",
    }


def test_a_full_cache_is_sent_and_what_does_not_fit_is_dropped(stage, receiver):
    runtime = {"tracing.opentelemetry.min_flush_spans": 100, "tracing.opentelemetry.flush_interval_ms": 3_600_000}
    backend = stage.backend()
    proxy = stage.proxy(
        backend,
        clusters=[receiver.cluster],
        bootstrap=soon(**runtime),
        tracing={"provider": open_telemetry(max_cache_size=2)},
    )
    client = stage.client(proxy)
    for _ in range(3):
        client.ask("/")
    assert len(receiver.wait(2)) == 2
    assert proxy.stat("tracing.opentelemetry.spans_dropped") == 1


BAD = {
    "grpc_service": (
        {"grpc_service": {"envoy_grpc": {"cluster_name": "collector"}}, "http_service": None},
        "grpc_service",
    ),
    "no service": ({"http_service": None}, "http_service is missing"),
    "unknown cluster": ({"http_service": http_service(cluster="nope")}, "there is no cluster 'nope'"),
    "a field of a request": (
        {"http_service": http_service(request_headers_to_add=[{"header": {"key": "a", "value": "%REQ(b)%"}}])},
        "belongs to no request",
    ),
    "a sampler": ({"sampler": extension("dynatrace", "DynatraceSamplerConfig")}, "DynatraceSampler"),
    "a detector": (
        {"resource_detectors": [extension("dynatrace", "DynatraceResourceDetectorConfig")]},
        "DynatraceResourceDetector",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(stage, name):
    fields, said = BAD[name]
    provider = open_telemetry(**fields)
    provider["typed_config"] = {n: v for n, v in provider["typed_config"].items() if v is not None}
    places = [listener(1, [virtual_host(route("collector"))], tracing={"provider": provider})]
    path = stage.file(bootstrap(places, [cluster("collector", 1)]))
    process = stage.process([BINARY, "--mode", "validate", "-c", path])
    assert process.wait() == 1 and said in process.stderr
