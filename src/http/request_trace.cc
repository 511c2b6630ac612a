// What is told of a request and its attempts: names, tags, notes.
#include <algorithm>

#include "core/worker.h"
#include "http/json_text.h"
#include "http/tracing.h"

namespace outrider {
namespace {

std::string text_of(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string text_of(const Format& format, const Exchange& x) {
  std::string text;
  format.append(x, text);
  return text;
}

void set_error(Span& span) { span.set("error", "true"); }

void add_grpc_request(const Exchange& x, std::string_view path, Span& span) {
  const Headers& headers = x.request.headers;
  std::string_view type = headers.value(Known::content_type);
  if (!type.starts_with("application/grpc")) return;
  span.set("grpc.path", std::string(path));
  span.set("grpc.authority", std::string(x.request.authority));
  span.set("grpc.content_type", std::string(type));
  if (const Field* timeout = headers.find("grpc-timeout")) span.set("grpc.timeout", std::string(timeout->value));
}

// Of the head, or of the trailers.
void add_grpc_status(const Headers* from, Span& span) {
  const Field* status = from ? from->find("grpc-status") : nullptr;
  if (!status) return;
  span.set("grpc.status_code", std::string(status->value));
  span.set("grpc.message", std::string(from->value("grpc-message")));
  // Unknown, deadline exceeded, resource exhausted, unimplemented, internal, unavailable, data loss: the others are the
  // client's.
  constexpr std::string_view kErrors[] = {"2", "4", "8", "12", "13", "14", "15"};
  if (std::ranges::find(kErrors, status->value) != std::end(kErrors)) set_error(span);
}

// What has ended an answer that had begun; nothing: nobody there.
std::string_view broken_by(const ExchangeRecord& r) {
  if (r.flags.has(ResponseFlag::upstream_protocol_error)) return "protocol error";
  if (r.flags.has(ResponseFlag::upstream_connection_termination)) return "connection termination";
  return r.flags.has(ResponseFlag::upstream_remote_reset) ? "remote reset" : "";
}

void add_note(const Exchange& x, std::string_view name, const std::optional<TimePoint>& at, Span& span) {
  if (at) span.notes.emplace_back(name, x.record.start_wall + (*at - x.record.start));
}

void add_upstream_notes(const Exchange& x, Span& span) {
  add_note(x, "first_upstream_tx_byte_sent", x.record.upstream_start, span);
  add_note(x, "last_upstream_tx_byte_sent", x.record.upstream_end, span);
  add_note(x, "first_upstream_rx_byte_received", x.record.response_start, span);
  if (broken_by(x.record).empty()) add_note(x, "last_upstream_rx_byte_received", x.record.response_end, span);
}

std::string_view cluster_alias(const ExchangeRecord& r) {
  return r.cluster_alt_name.empty() ? r.cluster_name : r.cluster_alt_name;
}

const Metadata* metadata_of(const Exchange& x, CustomTag::Kind kind) {
  switch (kind) {
    case CustomTag::Kind::request_metadata:
      return x.dynamic_metadata;
    case CustomTag::Kind::route_metadata:
      return x.record.route_metadata;
    case CustomTag::Kind::cluster_metadata:
      return x.record.cluster_metadata;
    case CustomTag::Kind::host_metadata:
      return x.record.host_metadata;
    default:
      return nullptr;
  }
}

std::string value_of(const CustomTag& tag, const Exchange& x) {
  if (tag.kind == CustomTag::Kind::format) return text_of(*tag.format, x);
  if (tag.kind == CustomTag::Kind::request_header) {
    const Field* field = x.request.headers.find(tag.header);
    return field ? std::string(field->value) : tag.value;
  }
  const Metadata* from = metadata_of(x, tag.kind);
  const Value* found = from ? from->find(tag.space, tag.path) : nullptr;
  if (!found) return tag.value;
  if (const std::string* text = found->text()) return *text;
  std::string json;
  append_json(*found, json);
  return json;
}

}  // namespace

void RequestTrace::begin(Exchange& x, TracingStat reason) {
  reason_ = reason;
  traced_ = x.record.traced = reason != TracingStat::not_traceable;
  Headers& headers = x.request.headers;
  if (tracing_.tracer) start_ = tracing_.tracer->begin(x.worker, headers, manner());
  url_path_ = x.request.path;
  client_trace_id_ = headers.value("x-client-trace-id");
  find_name(x);
  if (!start_) return;
  x.record.trace_id = x.arena.copy(trace_id_of(start_->ids));
  x.record.span_id = x.arena.copy(hex_of(start_->ids.span));
}

// What the configuration says counts over all else; then what the caller says, then the route's decorator. Who sends a
// request on tells the next hop.
void RequestTrace::find_name(Exchange& x) {
  Headers& headers = x.request.headers;
  const Format* format = route_ && route_->name ? &*route_->name : tracing_.name ? &*tracing_.name : nullptr;
  bool reported = start_ && start_->ids.sampled;
  if (reported) name_ = tracing_.tracer->name_of(tracing_.egress, x.request.authority);
  if (format) {
    if (reported) name_ = text_of(*format, x);
    return;
  }
  if (route_ && !route_->operation.empty()) {
    if (reported) name_ = route_->operation;
    if (route_->propagates) decorated_ = route_->operation;
  }
  if (tracing_.egress) {
    if (!decorated_.empty()) headers.set(Known::x_envoy_decorator_operation, decorated_);
  } else if (const Field* told = headers.find(Known::x_envoy_decorator_operation)) {
    if (!told->value.empty()) {
      name_ = told->value;
      decorated_ = {};
    }
    headers.remove(Known::x_envoy_decorator_operation);
  }
}

void RequestTrace::see_response(Exchange& x, Headers& response) {
  if (!tracing_.egress) {
    if (!decorated_.empty()) response.set(Known::x_envoy_decorator_operation, decorated_);
    return;
  }
  const Field* told = response.find(Known::x_envoy_decorator_operation);
  if (!told) return;
  if (!told->value.empty()) name_ = told->value;
  response.remove(Known::x_envoy_decorator_operation);
}

void RequestTrace::leave_out() {
  if (start_) start_->ids.sampled = false;
  if (attempt_) attempt_->start.ids.sampled = false;
}

void RequestTrace::begin_attempt(Exchange& x, bool own_span) {
  if (x.record.health_check) leave_out();
  report_attempt(x);
  attempts_++;
  if (!start_) return;
  const SpanIds* told = &start_->ids;
  if (own_span || tracing_.spawn_upstream_span) {
    AttemptSpan& attempt = attempt_.emplace();
    attempt.start = tracing_.tracer->begin_below(x.worker, *start_, manner());
    attempt.begin = x.worker.now();
    attempt.peer = x.record.upstream_peer;
    attempt.number = attempts_;
    const Format* format = route_ && route_->upstream_name
                               ? &*route_->upstream_name
                               : (tracing_.upstream_name ? &*tracing_.upstream_name : nullptr);
    if (attempt.start.ids.sampled) {
      attempt.name = format ? text_of(*format, x) : "router " + std::string(cluster_alias(x.record)) + " egress";
    }
    told = &attempt.start.ids;
  }
  tracing_.tracer->inject(*told, x.request.headers);
}

void RequestTrace::attempt_answered(int status) {
  if (attempt_) attempt_->status = status;
}

void RequestTrace::attempt_failed(std::string_view reason, ResponseFlag flag) {
  if (!attempt_) return;
  attempt_->failure = reason;
  attempt_->flags.set(flag);
}

void RequestTrace::add_custom(const Exchange& x, const std::vector<CustomTag>& tags, Span& span) const {
  for (const CustomTag& tag : tags) {
    bool elsewhere = route_ && &tags != &route_->tags &&
                     std::ranges::any_of(route_->tags, [&](const CustomTag& own) { return own.name == tag.name; });
    if (elsewhere) continue;
    if (std::string value = value_of(tag, x); !value.empty()) span.set(tag.name, std::move(value));
  }
}

void RequestTrace::add_common(const Exchange& x, int status, std::string flags, Span& span) const {
  const ExchangeRecord& r = x.record;
  span.set("component", "proxy");
  span.status = status;
  span.set("http.status_code", std::to_string(status));
  span.set("response_flags", std::move(flags));
  if (r.cluster) {
    span.set("upstream_cluster", std::string(r.cluster_name));
    span.set("upstream_cluster.name", std::string(cluster_alias(r)));
  }
  add_grpc_status(x.response_headers, span);
  add_grpc_status(x.response_trailers, span);
  if (status == 0 || status >= 500) set_error(span);
  add_custom(x, tracing_.tags, span);
  if (route_) add_custom(x, route_->tags, span);
}

void RequestTrace::add_request(const Exchange& x, Span& span) const {
  const Headers& headers = x.request.headers;
  if (std::string_view id = headers.value(Known::x_request_id); !id.empty()) {
    span.set("guid:x-request-id", std::string(id));
  }
  if (!client_trace_id_.empty()) span.set("guid:x-client-trace-id", std::string(client_trace_id_));
  span.set("node_id", tracing_.node_id);
  span.set("zone", tracing_.zone);
  std::string url(x.request.scheme.empty() ? "http" : x.request.scheme);
  url.append("://").append(x.request.authority).append(url_path_.substr(0, tracing_.path_bytes_max));
  span.set("http.url", std::move(url));
  span.set("http.method", std::string(x.request.method_name));
  span.set("http.protocol", std::string(name_of(x.request.version)));
  span.set("user_agent", text_of(headers.value(Known::user_agent)));
  span.set("downstream_cluster", text_of(headers.value(Known::x_envoy_downstream_service_cluster)));
  span.set("peer.address", x.connection.peer ? x.connection.peer->ip_text() : "-");
  add_grpc_request(x, url_path_, span);
  span.set("request_size", std::to_string(x.record.bytes_received));
  span.set("response_size", std::to_string(x.record.bytes_sent));
}

// How the attempt has ended.
void RequestTrace::add_end(const ExchangeRecord& r, bool whole, Span& span) {
  AttemptSpan& attempt = *attempt_;
  if (attempt.failure.empty() && attempt.status != 0) {
    attempt.failure = broken_by(r);
    if (!attempt.failure.empty()) attempt.flags = r.flags;
  }
  if (!attempt.failure.empty()) {
    set_error(span);
    span.set("error.reason", std::string(attempt.failure));
  } else if (!whole) {
    span.set("canceled", "true");
  }
}

void RequestTrace::report_attempt(const Exchange& x) {
  if (!attempt_) return;
  const ExchangeRecord& r = x.record;
  AttemptSpan& attempt = *attempt_;
  if (attempt.start.ids.sampled) {
    Span span;
    span.start = attempt.start;
    span.name = std::move(attempt.name);
    span.begin = r.start_wall + (attempt.begin - r.start);
    bool whole = attempt.status != 0 && r.response_end;
    span.length = (whole ? *r.response_end : r.end.value_or(x.worker.now())) - attempt.begin;
    span.set("http.protocol", std::string(r.upstream_version ? name_of(*r.upstream_version) : "-"));
    if (attempt.peer) {
      span.set("upstream_address", attempt.peer->text());
      span.set("peer.address", attempt.peer->text());
    }
    if (attempt.number > 1) span.set("retry.count", std::to_string(attempt.number - 1));
    add_end(r, whole, span);
    if (tracing_.verbose) add_upstream_notes(x, span);
    add_common(x, attempt.status, attempt.flags.text(), span);
    tracing_.tracer->report(x.worker, span);
  }
  attempt_.reset();
}

void RequestTrace::report(const Exchange& x) {
  count(x);
  if (x.record.health_check) leave_out();
  report_attempt(x);
  if (!start_ || !start_->ids.sampled) return;
  const ExchangeRecord& r = x.record;
  Span span;
  span.start = *start_;
  span.name = std::move(name_);
  span.begin = r.start_wall;
  span.length = r.end.value_or(x.worker.now()) - r.start;
  add_request(x, span);
  if (tracing_.verbose) {
    add_note(x, "last_downstream_rx_byte_received", r.request_end, span);
    add_upstream_notes(x, span);
    add_note(x, "first_downstream_tx_byte_sent", r.downstream_start, span);
    bool cut =
        (r.response_start && !broken_by(r).empty()) || r.flags.has(ResponseFlag::downstream_connection_termination);
    if (!cut) add_note(x, "last_downstream_tx_byte_sent", r.end, span);
  }
  add_common(x, r.status, r.flags.text(), span);
  tracing_.tracer->report(x.worker, span);
}

}  // namespace outrider
