"""Traces: what the next hop is told, and what a Zipkin collector gets."""

import json

import pytest

from config_text import cluster, file_log, route, typed
from peers import eventually, response_bytes

ID, SPAN = "463ac35c9f6413ad", "a2fb4a1d1a96d312"
LONG = "0af7651916cd43dd8448eb211c80319c"
B3 = {"X-B3-TraceId": ID, "X-B3-SpanId": SPAN, "X-B3-Sampled": "1"}


class Collector:
    def __init__(self, stage):
        self.backend = stage.backend(answer=lambda request: response_bytes("202 Accepted"), name="collector")

    def spans(self):
        return [span for request in list(self.backend.requests) for span in json.loads(request.body)]

    def wait(self, count):
        eventually(lambda: len(self.spans()) >= count, f"{count} spans")
        return self.spans()


@pytest.fixture
def collector(stage):
    return Collector(stage)


def zipkin(**fields):
    config = typed(
        "envoy.config.trace.v3.ZipkinConfig",
        **{
            "collector_cluster": "collector",
            "collector_endpoint": "/api/v2/spans",
            "collector_endpoint_version": "HTTP_JSON",
            **fields,
        },
    )
    return {"name": "envoy.tracers.zipkin", "typed_config": config}


def traced(stage, collector, *routes, provider=None, log=None, **tracing):
    backend = stage.backend(name="backend")
    proxy = stage.proxy(
        *(routes or [route("backend")]),
        clusters=[cluster("gone"), cluster("backend", backend), cluster("collector", collector.backend)],
        tracing={"provider": provider or zipkin(), **tracing},
        flags=["--service-cluster", "front", "--service-node", "node", "--file-flush-interval-msec", "10"],
        access_log=[file_log(log, "%TRACE_ID% %REQ(X-REQUEST-ID)%")] if log else [],
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
    assert log.read_text().split() == [told["x-b3-traceid"], told["x-request-id"]]
    (span,) = collector.wait(1)
    assert (span["traceId"], span["id"]) == (told["x-b3-traceid"], told["x-b3-spanid"])
    assert span["name"] == "test.example" and span["kind"] == "SERVER" and span["shared"] is True
    assert span["localEndpoint"]["serviceName"] == "front"
    assert span["duration"] > 0 and span["annotations"][0]["value"] == "ss"
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
    assert (span["traceId"], span["id"]) == (ID, SPAN)


def test_a_trace_goes_on_below(stage, collector):
    proxy, backend = traced(stage, collector, provider=zipkin(shared_span_context=False))
    told = asked(stage, proxy, backend, B3)
    assert told["x-b3-traceid"] == ID and told["x-b3-parentspanid"] == SPAN and told["x-b3-spanid"] != SPAN
    (span,) = collector.wait(1)
    assert (span["id"], span["parentId"]) == (told["x-b3-spanid"], SPAN) and "shared" not in span


def test_ids_of_128_bits(stage, collector):
    proxy, backend = traced(stage, collector, provider=zipkin(trace_id_128bit=True))
    told = asked(stage, proxy, backend)
    assert len(told["x-b3-traceid"]) == 32 and told["x-b3-traceid"].endswith(told["x-b3-spanid"])


def test_the_single_field(stage, collector):
    proxy, backend = traced(stage, collector)
    told = asked(stage, proxy, backend, {"b3": f"{LONG}-{SPAN}-1"})
    assert told["b3"] == f"{LONG}-{SPAN}-1" and "x-b3-traceid" not in told
    assert collector.wait(1)[0]["traceId"] == LONG


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
    assert [span["traceId"] for span in collector.wait(1)] == [ID]


def test_fields_that_nobody_can_read_are_left_alone(stage, collector):
    proxy, backend = traced(stage, collector)
    told = asked(stage, proxy, backend, {"X-B3-TraceId": "nonsense", "X-B3-SpanId": SPAN})
    assert told["x-b3-traceid"] == "nonsense" and "x-b3-sampled" not in told


def test_a_span_for_the_request_to_the_host(stage, collector):
    proxy, backend = traced(stage, collector, spawn_upstream_span=True)
    told = asked(stage, proxy, backend)
    upstream, served = collector.wait(2)
    assert (upstream["kind"], upstream["name"]) == ("CLIENT", "router backend egress")
    assert upstream["id"] == told["x-b3-spanid"]
    assert upstream["parentId"] == told["x-b3-parentspanid"] == served["id"]
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
    assert {a["value"] for a in span["annotations"]} >= {"first_upstream_tx_byte_sent", "last_downstream_tx_byte_sent"}


def test_a_failure_is_an_error(stage, collector):
    proxy, backend = traced(stage, collector, route("gone"))
    stage.client(proxy).ask("/")
    assert collector.wait(1)[0]["tags"]["error"] == "true"
