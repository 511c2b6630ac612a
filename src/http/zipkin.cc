#include "http/zipkin.h"

#include "core/worker.h"
#include "http/json_text.h"

namespace outrider {
namespace {

#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kDefinitions[] = {OUTRIDER_ZIPKIN_STATS(X)};
#undef X

void append_member(std::string_view name, std::string_view text, std::string& out) {
  out.append("\"").append(name).append("\":");
  append_json_string(text, out);
}

std::string microseconds(WallTime at) {
  return std::to_string(std::chrono::floor<std::chrono::microseconds>(at.time_since_epoch()).count());
}

void append_note(std::string_view name, WallTime at, std::string& out) {
  out.append("{\"timestamp\":").append(microseconds(at)).append(",");
  append_member("value", name, out);
  out += "},";
}

std::uint64_t new_id(Worker& worker) { return worker.random().next() | 1; }

}  // namespace

const StatTable& zipkin_stat_table() {
  static const StatTable table{kDefinitions, ""};
  return table;
}

std::string zipkin_json(const Span& span, const ZipkinOptions& o) {
  std::string out = "{";
  append_member("traceId", trace_id_of(span.start.ids), out);
  out += ",";
  append_member("id", hex_of(span.start.ids.span), out);
  if (span.start.ids.parent) {
    out += ",";
    append_member("parentId", hex_of(span.start.ids.parent), out);
  }
  out += ",";
  append_member("name", span.name, out);
  out += span.start.client ? ",\"kind\":\"CLIENT\"" : ",\"kind\":\"SERVER\"";
  out += ",\"timestamp\":" + microseconds(span.begin);
  out += ",\"duration\":" + std::to_string(std::max<std::int64_t>(1, span.length / std::chrono::microseconds(1)));
  out += ",\"localEndpoint\":{";
  append_member("serviceName", o.service, out);
  out += ",";
  append_member(o.machine_address.find(':') == std::string::npos ? "ipv4" : "ipv6", o.machine_address, out);
  out += ",\"port\":0},\"annotations\":[";
  for (const auto& [name, at] : span.notes) append_note(name, at, out);
  append_note(span.start.client ? "cr" : "ss", span.begin + span.length, out);
  out.back() = ']';
  out += ",\"tags\":{";
  std::string_view comma;
  for (const auto& [name, value] : span.tags) {
    if (value.empty()) continue;
    out += comma;
    append_json_string(name, out);
    out += ":";
    append_json_string(value, out);
    comma = ",";
  }
  out += span.start.shared ? "},\"shared\":true}" : "}}";
  return out;
}

std::optional<SpanStart> ZipkinTracer::begin(Worker& worker, const Headers& request, TraceManner manner) const {
  ReceivedTrace read = read_b3(request);
  if (read.broken) return std::nullopt;
  if (options_.w3c && !read.context) {
    if (ReceivedTrace other = read_traceparent(request); other.context) read = other;
  }
  SpanStart start;
  start.client = manner.egress && !manner.spawns && !options_.split_spans;
  start.shared = !start.client && options_.shared_span;
  SpanIds& ids = start.ids;
  if (read.context) {
    ids = *read.context;
    if (!start.shared) {
      ids.parent = ids.span;
      ids.span = new_id(worker);
    }
  } else {
    ids.trace_low = ids.span = new_id(worker);
    if (options_.id_128bit) ids.trace_high = new_id(worker);
  }
  ids.sampled = read.sampled.value_or(manner.traced);
  ids.single = read.single;
  return start;
}

// Without a kind of its own, a span below another is served or sent as that is.
SpanStart ZipkinTracer::begin_below(Worker& worker, const SpanStart& above, TraceManner manner) const {
  SpanStart start = above;
  start.client = manner.egress || manner.spawns || options_.split_spans;
  start.shared = !start.client && options_.shared_span;
  if (start.shared) return start;
  start.ids.parent = above.ids.span;
  start.ids.span = new_id(worker);
  return start;
}

void ZipkinTracer::inject(const SpanIds& ids, Headers& request) const {
  write_b3(ids, request);
  if (options_.w3c) write_traceparent(ids, request);
}

std::string ZipkinTracer::body(const std::vector<std::string>& spans) const {
  std::string list;
  for (const std::string& span : spans) list.append(list.empty() ? "[" : ",").append(span);
  return list + "]";
}

void ZipkinTracer::count(int worker, DeliveryEvent event, std::uint64_t times) const {
  StatBlock& stats = options_.stats->local(worker);
  switch (event) {
    case DeliveryEvent::span_sent:
      return stats[ZipkinStat::spans_sent].add(times);
    case DeliveryEvent::timer_flushed:
      return stats[ZipkinStat::timer_flushed].add(times);
    case DeliveryEvent::accepted:
      return stats[ZipkinStat::reports_sent].add(times);
    case DeliveryEvent::span_dropped:
    case DeliveryEvent::refused:
      return stats[ZipkinStat::reports_dropped].add(times);
    case DeliveryEvent::no_cluster:
      return stats[ZipkinStat::reports_skipped_no_cluster].add(times);
    case DeliveryEvent::failed:
      return stats[ZipkinStat::reports_failed].add(times);
  }
}

}  // namespace outrider
