// Tracing: what a connection manager reports of its requests, and what it tells the next hop. Envoy's document:
// "Tracing".
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime.h"
#include "http/access_log.h"
#include "http/format.h"
#include "http/span.h"
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

struct CustomTag {
  enum class Kind : std::uint8_t {
    literal,
    request_header,
    request_metadata,
    route_metadata,
    cluster_metadata,
    host_metadata,
    format
  };
  std::string name;
  Kind kind = Kind::literal;
  std::string header, space;
  std::vector<std::string> path;
  std::string value;  // literal; of the others the default. Empty: no tag.
  std::optional<Format> format;
};

// Which requests are traced: those whose client asks for it, others by chance, and a limit over both.
struct TraceSampling {
  RuntimeFraction client, random, overall;
};

// What a route says of its requests.
struct RouteTracing {
  std::string operation;                      // decorator: the span's name, instead of the tracer's own. Empty: none.
  bool propagates = true;                     // The other side is told of it.
  std::optional<TraceSampling> sampling;      // Instead of the connection manager's.
  std::vector<CustomTag> tags;                // Over the connection manager's.
  std::optional<Format> name, upstream_name;  // Likewise.
};

// Immutable; one for each connection manager that has tracing.
struct Tracing {
  std::shared_ptr<const Tracer> tracer;  // Null: nobody is told; decisions are made all the same.
  TraceSampling sampling;
  bool egress = false;  // The listener's traffic goes out.
  bool verbose = false;
  bool spawn_upstream_span = false;
  std::size_t path_bytes_max = 256;  // In the tag http.url.
  std::vector<CustomTag> tags;
  std::optional<Format> name, upstream_name;  // Of the spans; none: as the tracer, or the route, has it.
  std::string node_id, zone;
  std::shared_ptr<StatScope> stats;
};

// A try to reach a host, where that has a span of its own.
struct AttemptSpan {
  SpanStart start;
  std::string name;
  TimePoint begin;
  const Address* peer = nullptr;
  std::uint32_t number;  // 1: the first.
  int status = 0;
  std::string_view failure;  // Empty: none.
  ResponseFlags flags;
};

// The trace of one request; lives as long as its exchange.
class RequestTrace {
 public:
  RequestTrace(const Tracing& tracing, const RouteTracing* route) : tracing_(tracing), route_(route) {}

  // The first word: which trace it is, and how the span is called.
  void begin(Exchange& x, TracingStat reason);
  // A try to reach a host, which is told of the trace. A span of its own begins where there are such.
  void begin_attempt(Exchange& x, bool own_span);
  void attempt_answered(int status);
  // In Envoy's words: "remote connection failure"; without any it was given up.
  void attempt_failed(std::string_view reason, ResponseFlag flag);
  // The attempt is over, and another one follows: its span goes to the tracer.
  void end_attempt(const Exchange& x) { report_attempt(x); }
  // Whether the response is to be shown.
  bool sees_response() const { return tracing_.egress || !decorated_.empty(); }
  void see_response(Exchange& x, Headers& response);
  // Everything has ended: the spans go to the tracer.
  void report(const Exchange& x);

 private:
  TraceManner manner() const { return {traced_, tracing_.egress, tracing_.spawn_upstream_span}; }
  void find_name(Exchange& x);
  // Health checks are known as such only later: nobody is told of them.
  void leave_out();
  void count(const Exchange& x) const;
  void add_end(const ExchangeRecord& r, bool whole, Span& span);
  void report_attempt(const Exchange& x);
  void add_request(const Exchange& x, Span& span) const;
  void add_common(const Exchange& x, int status, std::string flags, Span& span) const;
  void add_custom(const Exchange& x, const std::vector<CustomTag>& tags, Span& span) const;

  const Tracing& tracing_;
  const RouteTracing* const route_;  // Null: the route says nothing.
  TracingStat reason_ = TracingStat::not_traceable;
  bool traced_ = false;
  std::optional<SpanStart> start_;  // None: nobody is told.
  std::string name_;
  std::string_view decorated_;  // The operation, as long as the other side is to hear of it.
  std::string_view url_path_;   // As the client sent it.
  std::string_view client_trace_id_;
  std::optional<AttemptSpan> attempt_;
  std::uint32_t attempts_ = 0;
};

// The first filter of a connection manager that has tracing: decides, and marks the request id.
class TracingFilter final : public Filter {
 public:
  explicit TracingFilter(std::shared_ptr<const Tracing> tracing) : tracing_(std::move(tracing)) {}
  Task<Response> handle(Exchange& x, Next next) const override;
  Task<Response> see_reply(Exchange& x, Response reply) const override;
  bool sees_replies() const override { return true; }

 private:
  void begin(Exchange& x) const;
  Task<Response> watch(Exchange& x, Next next) const;

  const std::shared_ptr<const Tracing> tracing_;
};

// Has the trace reported at the end of each request.
class TracingLog final : public AccessLog {
 public:
  void write(const Exchange& x) override;
};

}  // namespace outrider
