#include "upstream/retry_policy.h"

namespace outrider {
namespace {

struct Named {
  std::string_view name;
  RetryOn reason;
};

constexpr Named kReasons[] = {
    {"5xx", RetryOn::five_xx},
    {"gateway-error", RetryOn::gateway_error},
    {"connect-failure", RetryOn::connect_failure},
    {"refused-stream", RetryOn::refused_stream},
    {"reset", RetryOn::reset},
    {"reset-before-request", RetryOn::reset_before_request},
    {"retriable-4xx", RetryOn::retriable_4xx},
    {"retriable-status-codes", RetryOn::retriable_status_codes},
    {"retriable-headers", RetryOn::retriable_headers},
    {"envoy-ratelimited", RetryOn::envoy_ratelimited},
};

constexpr Named kGrpcReasons[] = {
    {"cancelled", RetryOn::grpc_cancelled},
    {"deadline-exceeded", RetryOn::grpc_deadline_exceeded},
    {"resource-exhausted", RetryOn::grpc_resource_exhausted},
    {"unavailable", RetryOn::grpc_unavailable},
    {"internal", RetryOn::grpc_internal},
};

template <std::size_t N>
RetryReasons parse(std::string_view list, const Named (&names)[N]) {
  RetryReasons reasons;
  each_listed(list, [&](std::string_view word) {
    for (const Named& each : names) {
      if (each.name == word) reasons.add(each.reason);
    }
  });
  return reasons;
}

}  // namespace

RetryReasons parse_retry_on(std::string_view list) { return parse(list, kReasons); }
RetryReasons parse_retry_grpc_on(std::string_view list) { return parse(list, kGrpcReasons); }

}  // namespace outrider
