// Conditions under which an access log writes a line. Envoy's API: envoy.config.accesslog.v3.AccessLogFilter.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/runtime.h"
#include "http/access_log.h"
#include "http/matcher.h"

namespace outrider {

struct AccessLogFilter {
  enum class Kind : std::uint8_t {
    status_code,
    duration,  // In milliseconds.
    not_health_check,
    traceable,
    runtime,
    all,  // Of `inner`.
    any,  // The same.
    header,
    response_flag,
    grpc_status,
    metadata,
    log_type,
  };
  enum class Comparison : std::uint8_t { equal, greater_or_equal, less_or_equal, not_equal };

  Kind kind;
  Comparison comparison = Comparison::equal;
  std::uint64_t number = 0;  // Compared with, unless the runtime says another.
  std::string runtime_key;   // Of the number.
  RuntimeFraction fraction;  // runtime
  bool independent = false;  // runtime: a random number of its own, not the one of the request's id.
  HeaderMatcher header;
  bool any_flag = false;  // response_flag: `flags` is of no account.
  ResponseFlags flags;
  std::uint64_t bits = 0;  // Statuses of gRPC, log types: one bit each.
  bool exclude = false;    // Those in `bits` do not pass.
  MetadataMatcher metadata;
  bool without_key = true;  // metadata: what passes where the value is missing.
  std::vector<AccessLogFilter> inner;

  bool passes(const Exchange& x) const;

 private:
  bool compare(const Exchange& x, std::uint64_t value) const;
  bool sampled(const Exchange& x) const;
};

// A log that writes what passes its filter.
class FilteredAccessLog final : public AccessLog {
 public:
  FilteredAccessLog(AccessLogFilter filter, std::shared_ptr<AccessLog> log)
      : filter_(std::move(filter)), log_(std::move(log)) {}
  void write(const Exchange& x) override {
    if (filter_.passes(x)) log_->write(x);
  }

 private:
  const AccessLogFilter filter_;
  const std::shared_ptr<AccessLog> log_;
};

}  // namespace outrider
