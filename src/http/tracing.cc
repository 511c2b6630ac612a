#include "http/tracing.h"

#include <charconv>

#include "core/worker.h"
#include "http/json_text.h"

namespace outrider {
namespace {

// What is known of one request's trace.
struct Trace : FilterNote {
  SpanIds ids;
  std::uint64_t upstream_span = 0;  // Of spawn_upstream_span; 0: none.
  bool single = false, shared = false;
  std::string_view operation;  // Empty: the host.
  std::string_view url_path;   // As the client sent it.
  std::string_view client_trace_id;
};

#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kDefinitions[] = {OUTRIDER_TRACING_STATS(X)};
#undef X

// The 15th character of a request id says why there is a trace; Envoy's convention.
constexpr std::size_t kReasonAt = 14, kIdBytes = 36;
enum class Reason : char { none = '4', sampled = '9', service = 'a', client = 'b' };

bool is_uuid(std::string_view id) { return id.size() == kIdBytes && id[8] == '-' && id[13] == '-'; }

std::uint64_t number_of_id(std::string_view id) {
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + 8, number, 16);
  return number;
}

Reason reason_of(std::string_view id) {
  switch (id[kReasonAt]) {
    case '9':
      return Reason::sampled;
    case 'a':
      return Reason::service;
    case 'b':
      return Reason::client;
    default:
      return Reason::none;
  }
}

// Envoy's order: what the client asks for, what a proxy of one's own asks for, chance; then the limit over all.
Reason decide(Exchange& x, const Tracing& t, std::string_view id) {
  const Runtime& runtime = *x.worker.runtime();
  Random& random = x.worker.random();
  Reason reason = reason_of(id);
  if (reason == Reason::none) {
    const Headers& headers = x.request.headers;
    if (headers.find("x-client-trace-id") && t.client.sample(runtime, random)) {
      reason = Reason::client;
    } else if (headers.find("x-envoy-force-trace")) {
      reason = Reason::service;
    } else if (t.random.now(runtime).takes(number_of_id(id))) {
      reason = Reason::sampled;
    }
  }
  if (reason != Reason::none && !t.overall.now(runtime).takes(number_of_id(id))) reason = Reason::none;
  return reason;
}

void mark(Exchange& x, std::string_view id, Reason reason) {
  std::string marked(id);
  marked[kReasonAt] = static_cast<char>(reason);
  x.request.headers.set(Known::x_request_id, x.arena.copy(marked));
}

TracingStat stat_of(Reason reason) {
  switch (reason) {
    case Reason::sampled:
      return TracingStat::random_sampling;
    case Reason::service:
      return TracingStat::service_forced;
    case Reason::client:
      return TracingStat::client_enabled;
    case Reason::none:
      break;
  }
  return TracingStat::not_traceable;
}

// ------------------------------------------------------------------------------------------------ what is told

std::string text_of(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string url_of(const Exchange& x, const Trace& trace, std::size_t path_bytes_max) {
  std::string url(x.request.scheme.empty() ? "http" : x.request.scheme);
  url.append("://").append(x.request.authority).append(trace.url_path.substr(0, path_bytes_max));
  return url;
}

void add_custom(const Exchange& x, const Tracing& t, Span& span) {
  for (const CustomTag& tag : t.tags) {
    std::string value = tag.value;
    if (tag.kind == CustomTag::Kind::request_header) {
      if (const Field* field = x.request.headers.find(tag.header)) value = field->value;
    } else if (tag.kind != CustomTag::Kind::literal) {
      const Metadata* from = tag.kind == CustomTag::Kind::route_metadata ? x.record.route_metadata : x.dynamic_metadata;
      if (const Value* found = from ? from->find(tag.space, tag.path) : nullptr) {
        value.clear();
        if (const std::string* text = found->text()) {
          value = *text;
        } else {
          append_json(*found, value);
        }
      }
    }
    if (!value.empty()) span.tags.emplace_back(tag.name, std::move(value));
  }
}

void add_outcome(const Exchange& x, const Tracing& t, Span& span) {
  const ExchangeRecord& r = x.record;
  auto add = [&](std::string_view name, std::string value) { span.tags.emplace_back(name, std::move(value)); };
  add("component", "proxy");
  add("http.protocol", std::string(name_of(x.request.version)));
  add("http.status_code", std::to_string(r.status));
  add("response_flags", r.flags.text());
  if (r.cluster) {
    add("upstream_cluster", std::string(r.cluster_name));
    add("upstream_cluster.name", std::string(r.cluster_alt_name.empty() ? r.cluster_name : r.cluster_alt_name));
  }
  if (r.status == 0 || r.status >= 500) add("error", "true");
  add_custom(x, t, span);
}

void add_request(const Exchange& x, const Tracing& t, const Trace& trace, Span& span) {
  auto add = [&](std::string_view name, std::string value) { span.tags.emplace_back(name, std::move(value)); };
  const Headers& headers = x.request.headers;
  if (std::string_view id = headers.value(Known::x_request_id); !id.empty()) add("guid:x-request-id", std::string(id));
  if (!trace.client_trace_id.empty()) add("guid:x-client-trace-id", std::string(trace.client_trace_id));
  add("node_id", t.node_id);
  if (!t.zone.empty()) add("zone", t.zone);
  add("http.method", std::string(x.request.method_name));
  add("http.url", url_of(x, trace, t.path_bytes_max));
  add("user_agent", text_of(headers.value("user-agent")));
  add("downstream_cluster", text_of(headers.value("x-envoy-downstream-service-cluster")));
  add("peer.address", x.connection.peer ? x.connection.peer->ip_text() : "-");
  add("request_size", std::to_string(x.record.bytes_received));
  add("response_size", std::to_string(x.record.bytes_sent));
}

void add_note(const Exchange& x, std::string_view name, const std::optional<TimePoint>& at, Span& span) {
  if (at) span.notes.emplace_back(name, x.record.start_wall + (*at - x.record.start));
}

void add_upstream_notes(const Exchange& x, Span& span) {
  add_note(x, "first_upstream_tx_byte_sent", x.record.upstream_start, span);
  add_note(x, "last_upstream_tx_byte_sent", x.record.upstream_end, span);
  add_note(x, "first_upstream_rx_byte_received", x.record.response_start, span);
  add_note(x, "last_upstream_rx_byte_received", x.record.response_end, span);
}

void report_upstream(const Exchange& x, const Tracing& t, const Trace& trace) {
  const ExchangeRecord& r = x.record;
  Span span;
  span.ids = trace.ids;
  span.ids.parent = trace.ids.span;
  span.ids.span = trace.upstream_span;
  span.client = true;
  span.name = "router " + std::string(r.cluster_alt_name.empty() ? r.cluster_name : r.cluster_alt_name) + " egress";
  TimePoint begin = r.upstream_start.value_or(r.start);
  span.begin = r.start_wall + (begin - r.start);
  span.length = r.end.value_or(x.worker.now()) - begin;
  if (r.upstream_peer) {
    span.tags.emplace_back("upstream_address", r.upstream_peer->text());
    span.tags.emplace_back("peer.address", r.upstream_peer->text());
  }
  add_outcome(x, t, span);
  if (t.verbose) add_upstream_notes(x, span);
  span.notes.emplace_back("cr", span.begin + span.length);
  t.tracer->report(x.worker, span);
}

}  // namespace

const StatTable& tracing_stat_table() {
  static const StatTable table{kDefinitions, ""};
  return table;
}

void TracingFilter::begin(Exchange& x) const {
  const Tracing& t = *tracing_;
  Headers& headers = x.request.headers;
  std::string_view id = headers.value(Known::x_request_id);
  Reason reason = Reason::none;
  if (is_uuid(id)) {
    reason = decide(x, t, id);
    mark(x, id, reason);
  }
  t.stats->local(x.worker.index())[stat_of(reason)].add();
  Trace trace;
  auto ids = t.tracer->begin(x, reason != Reason::none, trace.single, trace.shared);
  if (!ids) return;
  trace.ids = *ids;
  trace.url_path = x.request.path;
  trace.client_trace_id = headers.value("x-client-trace-id");
  if (const Field* operation = headers.find("x-envoy-decorator-operation")) {
    trace.operation = operation->value;
    headers.remove("x-envoy-decorator-operation");
  }
  SpanIds told = trace.ids;
  if (t.spawn_upstream_span) {
    told.parent = told.span;
    told.span = trace.upstream_span = x.worker.random().next() | 1;
  }
  t.tracer->inject(told, trace.single, headers);
  x.record.trace_id = x.arena.copy(trace_id_of(trace.ids));
  x.record.traced = trace.ids.sampled;
  x.leave_note(*this, trace);
}

OUTRIDER_FORWARDS Task<Response> TracingFilter::handle(Exchange& x, Next next) const {
  begin(x);
  return next(x);
}

void TracingFilter::report(const Exchange& x) const {
  const Tracing& t = *tracing_;
  const Trace* found = x.note<Trace>(*this);
  if (!found || !found->ids.sampled || x.record.health_check) return;
  const Trace& trace = *found;
  if (trace.upstream_span && x.record.upstream_peer) report_upstream(x, t, trace);
  Span span;
  span.ids = trace.ids;
  span.shared = trace.shared;
  span.name = trace.operation.empty() ? x.request.authority : trace.operation;
  span.begin = x.record.start_wall;
  span.length = x.record.end.value_or(x.worker.now()) - x.record.start;
  add_request(x, t, trace, span);
  add_outcome(x, t, span);
  if (t.verbose) {
    add_note(x, "last_downstream_rx_byte_received", x.record.request_end, span);
    add_upstream_notes(x, span);
    add_note(x, "first_downstream_tx_byte_sent", x.record.downstream_start, span);
    add_note(x, "last_downstream_tx_byte_sent", x.record.end, span);
  }
  span.notes.emplace_back("ss", span.begin + span.length);
  t.tracer->report(x.worker, span);
}

}  // namespace outrider
