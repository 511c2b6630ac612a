"""Collectors of traces, and what they get, as plain values."""

import json

from config_text import cluster, typed
from peers import eventually, response_bytes

SOON = {
    f"tracing.{name}.{key}": value
    for name in ("zipkin", "opentelemetry")
    for key, value in (("min_flush_spans", 1), ("flush_interval_ms", 50))
}


def soon(**runtime):
    """A bootstrap in which spans are sent at once."""
    layer = {"name": "static", "static_layer": {**SOON, **runtime}}
    return {"layered_runtime": {"layers": [layer]}}


def zipkin(**fields):
    config = {
        "collector_cluster": "collector",
        "collector_endpoint": "/api/v2/spans",
        "collector_endpoint_version": "HTTP_JSON",
        **fields,
    }
    return {"name": "envoy.tracers.zipkin", "typed_config": typed("envoy.config.trace.v3.ZipkinConfig", **config)}


def http_service(uri="http://otel.example/v1/traces", cluster="collector", **fields):
    return {"http_uri": {"uri": uri, "cluster": cluster, "timeout": "5s"}, **fields}


def open_telemetry(**fields):
    config = typed("envoy.config.trace.v3.OpenTelemetryConfig", **{"http_service": http_service(), **fields})
    return {"name": "envoy.tracers.opentelemetry", "typed_config": config}


def extension(name, message, **fields):
    """A sampler or a detector of resources of OpenTelemetry."""
    package = "samplers" if "Sampler" in message else "resource_detectors"
    full = f"envoy.extensions.tracers.opentelemetry.{package}.v3.{message}"
    return {"name": f"envoy.tracers.opentelemetry.{package}.{name}", "typed_config": typed(full, **fields)}


def sampler_ratio(numerator, **fields):
    percentage = {"numerator": numerator, **fields}
    return extension("trace_id_ratio_based", "TraceIdRatioBasedSamplerConfig", sampling_percentage=percentage)


def from_zipkin(span):
    return {
        "trace": span["traceId"],
        "id": span["id"],
        "parent": span.get("parentId", ""),
        "name": span["name"],
        "kind": span["kind"],
        "shared": span.get("shared", False),
        "tags": dict(span["tags"]),
        "notes": [note["value"] for note in span["annotations"]],
        "of": span["localEndpoint"]["serviceName"],
        "begin": span["timestamp"] * 1000,
        "end": (span["timestamp"] + span["duration"]) * 1000,
    }


def from_otlp(span, resource):
    return {
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "kind": {2: "SERVER", 3: "CLIENT"}[span.kind],
        "flags": span.flags,
        "state": span.trace_state,
        "status": span.status.code,
        "tags": {a.key: a.value.string_value for a in span.attributes},
        "notes": [event.name for event in span.events],
        "of": resource,
        "begin": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
    }


def spans_in(request):
    """Of one request to a collector, by its content type or its path."""
    if "json" in (request["content-type"] or ""):
        return [from_zipkin(span) for span in json.loads(request.body)]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = []
    for resource_spans in ExportTraceServiceRequest.FromString(request.body).resource_spans:
        resource = {a.key: a.value.string_value for a in resource_spans.resource.attributes}
        for scope in resource_spans.scope_spans:
            assert scope.scope.name and scope.scope.version
            spans += [from_otlp(span, resource) for span in scope.spans]
    return spans


class Collector:
    def __init__(self, stage, status="202 Accepted"):
        self.backend = stage.backend(answer=lambda request: response_bytes(status), name="collector")
        self.cluster = cluster("collector", self.backend)

    def spans(self):
        return [span for request in list(self.backend.requests) for span in spans_in(request)]

    def wait(self, count):
        eventually(lambda: len(self.spans()) >= count, lambda: f"{count} spans, but {self.spans()}")
        return self.spans()
