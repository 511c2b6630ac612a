// Zipkin: spans as JSON (API v2), in B3's fields and with shared ids. Envoy's API: envoy.config.trace.v3.ZipkinConfig.
#pragma once
#include <string>

#include "http/span_queue.h"
#include "observe/counters.h"

namespace outrider {

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
  std::string service;          // Who reports.
  std::string machine_address;  // The same.
  bool id_128bit = false;
  bool shared_span = true;   // A caller's span is continued, instead of a new one below it.
  bool split_spans = false;  // Requests that are served and sent have spans of both kinds (split_spans_for_request).
  bool w3c = false;          // traceparent is read where there is no B3, and written beside it.
  std::shared_ptr<StatScope> stats;
};

std::string zipkin_json(const Span& span, const ZipkinOptions& options);

class ZipkinTracer final : public SendingTracer {
 public:
  ZipkinTracer(ZipkinOptions options, SpanDelivery delivery)
      : SendingTracer(std::move(delivery)), options_(std::move(options)) {}
  std::optional<SpanStart> begin(Worker& worker, const Headers& request, TraceManner manner) const override;
  SpanStart begin_below(Worker& worker, const SpanStart& above, TraceManner manner) const override;
  void inject(const SpanIds& ids, Headers& request) const override;
  std::string name_of(bool egress, std::string_view host) const override { return std::string(host); }
  std::string body(const std::vector<std::string>& spans) const override;
  bool accepts(int status) const override { return status == 202; }
  void count(int worker, DeliveryEvent event, std::uint64_t times) const override;

 protected:
  std::string encode(const Span& span) const override { return zipkin_json(span, options_); }

 private:
  const ZipkinOptions options_;
};

}  // namespace outrider
