// Zipkin: spans as JSON (API v2), in B3's fields and with shared ids. Envoy's API: envoy.config.trace.v3.ZipkinConfig.
#pragma once
#include <string>
#include <vector>

#include "core/leaf.h"
#include "http/tracing.h"

namespace outrider {

class HttpCaller;

// tracing.zipkin.*
#define OUTRIDER_ZIPKIN_STATS(X) \
  X(spans_sent)                  \
  X(timer_flushed)               \
  X(reports_skipped_no_cluster)  \
  X(reports_sent)                \
  X(reports_dropped)             \
  X(reports_failed)

enum class ZipkinStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_ZIPKIN_STATS(X)
#undef X
      count
};
const StatTable& zipkin_stat_table();

struct ZipkinOptions {
  std::string cluster, endpoint, hostname;  // Of the collector; no hostname: the cluster's name.
  std::string service;                      // Who reports.
  std::string machine_address;              // The same.
  bool id_128bit = false;
  bool shared_span = true;  // A caller's span is continued, instead of a new one below it.
  bool w3c = false;         // traceparent is read where there is no B3, and written beside it.
  std::shared_ptr<StatScope> stats;
};

std::string zipkin_json(const Span& span, const ZipkinOptions& options);

class ZipkinTracer final : public Tracer, public std::enable_shared_from_this<ZipkinTracer> {
 public:
  explicit ZipkinTracer(ZipkinOptions options) : options_(std::move(options)) {}
  std::optional<SpanIds> begin(const Exchange& x, bool sampled, bool& single, bool& shared) const override;
  void inject(const SpanIds& trace, bool single, Headers& headers) const override;
  void report(Worker& worker, const Span& span) const override;
  const ZipkinOptions& options() const { return options_; }

 private:
  const ZipkinOptions options_;
};

// The spans of one worker that wait to be sent. Made and run on its thread; while none runs there, spans are dropped.
class SpanQueue {
 public:
  static constexpr std::size_t kSpansMax = 1000;             // More are dropped, and counted.
  static constexpr std::uint64_t kMinFlushSpans = 5;         // So many are sent at once.
  static constexpr std::uint64_t kFlushInterval_ms = 5000;   // The others when this has passed.
  static constexpr std::uint64_t kRequestTimeout_ms = 5000;  // All as in Envoy; runtime says otherwise.

  explicit SpanQueue(Worker& worker) : worker_(worker) { current_ = this; }
  SpanQueue(const SpanQueue&) = delete;
  ~SpanQueue() { current_ = nullptr; }

  // Sends what comes, for ever. To be spawned; the caller outlives it.
  static Task<> run(Worker& worker, HttpCaller& caller);
  static SpanQueue* current() { return current_; }
  void add(std::shared_ptr<const ZipkinTracer> tracer, std::string json);

 private:
  struct Waiting {
    std::shared_ptr<const ZipkinTracer> tracer;
    std::string json;
  };
  Task<> wait_for_spans();
  Task<> send(HttpCaller& caller);
  std::string take(const ZipkinTracer& tracer, std::size_t& count);

  Worker& worker_;
  std::vector<Waiting> waiting_;
  Signal enough_;
  static inline thread_local SpanQueue* current_ = nullptr;
};

}  // namespace outrider
