// Tracing: what a connection manager reports of its requests, and what it tells the next hop. Envoy's document:
// "Tracing".
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime.h"
#include "http/access_log.h"
#include "http/span_ids.h"
#include "observe/counters.h"

namespace outrider {

// http.<stat_prefix>.tracing.*
#define OUTRIDER_TRACING_STATS(X) \
  X(random_sampling)              \
  X(service_forced)               \
  X(client_enabled)               \
  X(not_traceable)                \
  X(health_check)

enum class TracingStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_TRACING_STATS(X)
#undef X
      count
};
const StatTable& tracing_stat_table();

// A piece of work with its begin and end, as collectors know it.
struct Span {
  SpanIds ids;
  std::string name;
  bool client = false;  // A request to a host; else one that was served.
  bool shared = false;  // The id is the caller's too.
  WallTime begin;
  Duration length;
  std::vector<std::pair<std::string_view, std::string>> tags;
  std::vector<std::pair<std::string_view, WallTime>> notes;
};

// Where spans go. Shared by all workers; report() never waits.
class Tracer {
 public:
  virtual ~Tracer() = default;
  // Null: what the request says cannot be understood, so nothing is reported of it, and nothing said to the next hop.
  virtual std::optional<SpanIds> begin(const Exchange& x, bool sampled, bool& single, bool& shared) const = 0;
  virtual void inject(const SpanIds& trace, bool single, Headers& headers) const = 0;
  virtual void report(Worker& worker, const Span& span) const = 0;
};

struct CustomTag {
  enum class Kind : std::uint8_t { literal, request_header, request_metadata, route_metadata };
  std::string name;
  Kind kind = Kind::literal;
  std::string header, space;
  std::vector<std::string> path;
  std::string value;  // literal; of the others the default. Empty: no tag.
};

// Immutable; one for each connection manager that has tracing.
struct Tracing {
  std::shared_ptr<const Tracer> tracer;
  RuntimeFraction client, random, overall;
  bool verbose = false;
  bool spawn_upstream_span = false;
  std::size_t path_bytes_max = 256;  // In the tag http.url.
  std::vector<CustomTag> tags;
  std::string node_id, zone;
  std::shared_ptr<StatScope> stats;
};

// The first filter of a connection manager that has tracing: decides, marks the request id, tells the next hop.
class TracingFilter final : public Filter {
 public:
  explicit TracingFilter(std::shared_ptr<const Tracing> tracing) : tracing_(std::move(tracing)) {}
  Task<Response> handle(Exchange& x, Next next) const override;
  // When the exchange's record is complete.
  void report(const Exchange& x) const;

 private:
  void begin(Exchange& x) const;

  const std::shared_ptr<const Tracing> tracing_;
};

// Has the filter report at the end of each request. Its filter lives as long as the connection manager.
class TracingLog final : public AccessLog {
 public:
  explicit TracingLog(const TracingFilter& filter) : filter_(filter) {}
  void write(const Exchange& x) override {
    if (x.record.log_type == AccessLogType::downstream_end) filter_.report(x);
  }

 private:
  const TracingFilter& filter_;
};

}  // namespace outrider
