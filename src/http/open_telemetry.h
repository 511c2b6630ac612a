// OpenTelemetry: spans as OTLP over HTTP, in the fields of the W3C (traceparent, tracestate). Envoy's API:
// envoy.config.trace.v3.OpenTelemetryConfig.
#pragma once
#include <map>
#include <string>

#include "core/runtime.h"
#include "http/span_queue.h"
#include "observe/counters.h"

namespace outrider {

// tracing.opentelemetry.*
#define OUTRIDER_OPEN_TELEMETRY_STATS(X) \
  X(spans_sent)                          \
  X(spans_dropped)                       \
  X(timer_flushed)

enum class OpenTelemetryStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_OPEN_TELEMETRY_STATS(X)
#undef X
      count
};
const StatTable& open_telemetry_stat_table();

// Which of the traces that a connection manager reports are sampled.
struct TraceSampler {
  enum class Kind : std::uint8_t { caller, always_on, ratio };
  Kind kind = Kind::caller;   // caller: as the request says, and all that begin here.
  bool parent_based = false;  // Asked only where the request does not say.
  Fraction ratio;             // Of trace ids.

  bool samples(const SpanIds& ids, std::optional<bool> parent) const;
};

// Of whoever reports, by name: service.name, telemetry.sdk.name ...
using ResourceAttributes = std::map<std::string, std::string>;

struct OpenTelemetryOptions {
  ResourceAttributes resource;
  TraceSampler sampler;
  std::shared_ptr<StatScope> stats;
};

class OpenTelemetryTracer final : public SendingTracer {
 public:
  OpenTelemetryTracer(OpenTelemetryOptions options, SpanDelivery delivery);
  std::optional<SpanStart> begin(Worker& worker, const Headers& request, TraceManner manner) const override;
  SpanStart begin_below(Worker& worker, const SpanStart& above, TraceManner manner) const override;
  void inject(const SpanIds& ids, Headers& request) const override;
  std::string name_of(bool egress, std::string_view host) const override;
  // An ExportTraceServiceRequest.
  std::string body(const std::vector<std::string>& spans) const override;
  bool accepts(int status) const override { return status / 100 == 2; }
  void count(int worker, DeliveryEvent event, std::uint64_t times) const override;

 protected:
  std::string encode(const Span& span) const override;

 private:
  const OpenTelemetryOptions options_;
  std::string resource_, library_;  // As they stand in each body.
};

}  // namespace outrider
