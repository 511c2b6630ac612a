#include "upstream/time_limit.h"

#include <charconv>

#include "core/decimal.h"
#include "core/worker.h"
#include "http/grpc_status.h"
#include "http/grpc_timeout.h"
#include "upstream/router.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;

// What is left of it; the offset of a shorter time does not count.
milliseconds without(milliseconds timeout, milliseconds offset) {
  return offset < timeout ? timeout - offset : timeout;
}

milliseconds grpc_limit(const Exchange& x, const GrpcTimeouts& grpc) {
  milliseconds limit = without(grpc_timeout_of(x.request.headers).value_or(milliseconds(0)), grpc.offset);
  bool longer = limit.count() == 0 || limit > *grpc.max;
  return grpc.max->count() != 0 && longer ? *grpc.max : limit;
}

bool read_milliseconds(const Field& field, milliseconds& into) {
  std::uint32_t number = 0;
  const char* end = field.value.data() + field.value.size();
  auto [at, error] = std::from_chars(field.value.data(), end, number);
  if (error != std::errc() || at != end) return false;
  into = milliseconds(number);
  return true;
}

}  // namespace

TimeLimits time_limits(Exchange& x, const Route& route, const RouterOptions& options) {
  Headers& headers = x.request.headers;
  bool by_grpc = !route.limits_stream && route.grpc_timeouts && route.grpc_timeouts->max && is_grpc_request(x.request);
  milliseconds limit = route.limits_stream ? milliseconds(0)
                       : by_grpc           ? grpc_limit(x, *route.grpc_timeouts)
                                           : route.timeout;
  const Field* expected =
      options.respect_expected_rq_timeout ? headers.find(Known::x_envoy_expected_rq_timeout_ms) : nullptr;
  if (expected) {
    read_milliseconds(*expected, limit);
  } else if (const Field* asked = headers.find(Known::x_envoy_upstream_rq_timeout_ms)) {
    read_milliseconds(*asked, limit);
    headers.remove(Known::x_envoy_upstream_rq_timeout_ms);
  }
  milliseconds per_try = route.retry ? route.retry->per_try_timeout : milliseconds(0);
  if (const Field* asked = headers.find(Known::x_envoy_upstream_rq_per_try_timeout_ms)) {
    read_milliseconds(*asked, per_try);
    headers.remove(Known::x_envoy_upstream_rq_per_try_timeout_ms);
  }
  if (limit.count() > 0 && per_try >= limit) per_try = {};
  milliseconds told = per_try.count() > 0 ? per_try : limit;
  if (told.count() <= 0) return {limit, per_try};
  if (!options.suppress_envoy_headers) {
    headers.set(Known::x_envoy_expected_rq_timeout_ms, decimal(x.arena, static_cast<std::uint64_t>(told.count())));
  }
  if (by_grpc) set_grpc_timeout(headers, x.arena, told);
  return {limit, per_try};
}

bool limit_stream(Exchange& x, const Route& route) {
  Headers& headers = x.request.headers;
  milliseconds limit = route.max_stream_duration.value_or(x.options.max_stream_duration);
  auto asked = route.grpc_timeouts && route.grpc_timeouts->header_max ? grpc_timeout_of(headers) : std::nullopt;
  if (asked) {
    const GrpcTimeouts& grpc = *route.grpc_timeouts;
    limit = grpc.header_max->count() ? std::min(*asked, *grpc.header_max) : *asked;
    limit = std::max(milliseconds(0), limit - grpc.header_offset);
  }
  x.max_duration = std::min(limit, std::chrono::floor<milliseconds>(Worker::kTimeoutMax));
  if ((asked || limit.count() > 0) && is_grpc_request(x.request)) set_grpc_timeout(headers, x.arena, limit);
  return !asked || limit.count() > 0;
}

}  // namespace outrider
