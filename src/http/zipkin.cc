#include "http/zipkin.h"

#include "core/scope.h"
#include "core/worker.h"
#include "http/http_call.h"
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

std::uint64_t new_id(Worker& worker) { return worker.random().next() | 1; }

}  // namespace

const StatTable& zipkin_stat_table() {
  static const StatTable table{kDefinitions, ""};
  return table;
}

std::string zipkin_json(const Span& span, const ZipkinOptions& o) {
  std::string out = "{";
  append_member("traceId", trace_id_of(span.ids), out);
  out += ",";
  append_member("id", hex_of(span.ids.span), out);
  if (span.ids.parent) {
    out += ",";
    append_member("parentId", hex_of(span.ids.parent), out);
  }
  out += ",";
  append_member("name", span.name, out);
  out += span.client ? ",\"kind\":\"CLIENT\"" : ",\"kind\":\"SERVER\"";
  out += ",\"timestamp\":" + microseconds(span.begin);
  out += ",\"duration\":" + std::to_string(std::max<std::int64_t>(1, span.length / std::chrono::microseconds(1)));
  out += ",\"localEndpoint\":{";
  append_member("serviceName", o.service, out);
  out += ",";
  append_member(o.machine_address.find(':') == std::string::npos ? "ipv4" : "ipv6", o.machine_address, out);
  out += ",\"port\":0},\"annotations\":[";
  std::string_view comma;
  for (const auto& [name, at] : span.notes) {
    out.append(comma).append("{\"timestamp\":").append(microseconds(at)).append(",");
    append_member("value", name, out);
    out += "}";
    comma = ",";
  }
  out += "],\"tags\":{";
  comma = "";
  for (const auto& [name, value] : span.tags) {
    out += comma;
    append_json_string(name, out);
    out += ":";
    append_json_string(value, out);
    comma = ",";
  }
  out += span.shared ? "},\"shared\":true}" : "}}";
  return out;
}

std::optional<SpanIds> ZipkinTracer::begin(const Exchange& x, bool sampled, bool& single, bool& shared) const {
  ReceivedTrace read = read_b3(x.request.headers);
  if (options_.w3c && !read.context && !read.sampled) read = read_traceparent(x.request.headers);
  if (read.broken) return std::nullopt;
  single = read.single;
  shared = options_.shared_span;
  SpanIds trace;
  if (read.context) {
    trace = *read.context;
    if (!options_.shared_span) {
      trace.parent = trace.span;
      trace.span = new_id(x.worker);
    }
  } else {
    trace.trace_low = trace.span = new_id(x.worker);
    if (options_.id_128bit) trace.trace_high = new_id(x.worker);
  }
  trace.sampled = read.sampled.value_or(sampled);
  return trace;
}

void ZipkinTracer::inject(const SpanIds& trace, bool single, Headers& headers) const {
  write_b3(trace, single, headers);
  if (options_.w3c) write_traceparent(trace, headers);
}

void ZipkinTracer::report(Worker& worker, const Span& span) const {
  if (SpanQueue* queue = SpanQueue::current()) queue->add(shared_from_this(), zipkin_json(span, options_));
}

void SpanQueue::add(std::shared_ptr<const ZipkinTracer> tracer, std::string json) {
  if (waiting_.size() >= kSpansMax) {
    tracer->options().stats->local(worker_.index())[ZipkinStat::reports_dropped].add();
    return;
  }
  waiting_.push_back({std::move(tracer), std::move(json)});
  if (waiting_.size() >= worker_.runtime()->integer("tracing.zipkin.min_flush_spans", kMinFlushSpans))
    enough_.notify_all();
}

std::string SpanQueue::take(const ZipkinTracer& tracer, std::size_t& count) {
  std::string list = "[";
  std::erase_if(waiting_, [&](const Waiting& w) {
    if (w.tracer.get() != &tracer) return false;
    if (count++ > 0) list += ",";
    list += w.json;
    return true;
  });
  return list + "]";
}

Task<> SpanQueue::send(HttpCaller& caller) {
  std::shared_ptr<const ZipkinTracer> tracer = waiting_.front().tracer;
  const ZipkinOptions& o = tracer->options();
  StatBlock& stats = o.stats->local(worker_.index());
  std::size_t count = 0;
  std::string body = take(*tracer, count), length = std::to_string(body.size());
  Arena arena;
  RequestHead head(arena);
  head.set_method(Method::post);
  head.path = o.endpoint;
  head.authority = o.hostname.empty() ? o.cluster : o.hostname;
  head.headers.add("content-type", "application/json");
  auto limit = worker_.runtime()->integer("tracing.zipkin.request_timeout", kRequestTimeout_ms);
  stats[ZipkinStat::spans_sent].add(count);
  auto answer = co_await caller.call(arena, {o.cluster, &head, body, std::chrono::milliseconds(limit)});
  if (answer) {
    stats[answer->head.status == 202 ? ZipkinStat::reports_sent : ZipkinStat::reports_dropped].add();
  } else {
    stats[answer.error() == CallFailure::no_cluster ? ZipkinStat::reports_skipped_no_cluster
                                                    : ZipkinStat::reports_failed]
        .add();
  }
}

Task<> SpanQueue::wait_for_spans() { co_await enough_.wait(); }

Task<> SpanQueue::run(Worker& worker, HttpCaller& caller) {
  SpanQueue queue(worker);
  for (;;) {
    auto interval = worker.runtime()->integer("tracing.zipkin.flush_interval_ms", kFlushInterval_ms);
    bool timer = !(co_await within(std::chrono::milliseconds(interval), queue.wait_for_spans()));
    if (timer && !queue.waiting_.empty()) {
      queue.waiting_.front().tracer->options().stats->local(worker.index())[ZipkinStat::timer_flushed].add();
    }
    while (!queue.waiting_.empty()) co_await queue.send(caller);
  }
}

}  // namespace outrider
