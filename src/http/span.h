// Span: a piece of work with its begin and end, as collectors know it. Tracer: who begins spans and takes those that
// have ended.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "http/span_ids.h"

namespace outrider {

class Worker;

// How a span stands in its trace.
struct SpanStart {
  SpanIds ids;
  bool client = false;  // A request that was sent; else one that was served.
  bool shared = false;  // The id is the caller's too (Zipkin).
};

// What of a connection manager, and of its decision, a tracer has to know.
struct TraceManner {
  bool traced = false;  // The request is to be reported.
  bool egress = false;  // The listener serves requests that go out (traffic_direction).
  bool spawns = false;  // spawn_upstream_span: requests to hosts have spans of their own.
};

struct Span {
  SpanStart start;
  std::string name;
  WallTime begin;
  Duration length{};
  int status = 0;  // Of the response; 0: there was none.
  std::vector<std::pair<std::string_view, std::string>> tags;
  std::vector<std::pair<std::string_view, WallTime>> notes;

  // Instead of what the tag had before.
  void set(std::string_view tag, std::string value) {
    for (auto& [name, old] : tags) {
      if (name == tag) {
        old = std::move(value);
        return;
      }
    }
    tags.emplace_back(tag, std::move(value));
  }
};

// Immutable, shared by all workers.
class Tracer {
 public:
  virtual ~Tracer() = default;
  // Nothing: what the request says cannot be understood, so nothing is reported of it, and nothing said to the next
  // hop.
  virtual std::optional<SpanStart> begin(Worker& worker, const Headers& request, TraceManner manner) const = 0;
  // The span of a request to a host, below that of the request which caused it.
  virtual SpanStart begin_below(Worker& worker, const SpanStart& above, TraceManner manner) const = 0;
  // Tells the next hop.
  virtual void inject(const SpanIds& ids, Headers& request) const = 0;
  // Of a span that nobody else names.
  virtual std::string name_of(bool egress, std::string_view host) const = 0;
  // Never waits.
  virtual void report(Worker& worker, const Span& span) const = 0;
};

}  // namespace outrider
