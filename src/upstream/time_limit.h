// How long the backend has for its response: what the route says, what the request asks for.
#pragma once
#include <chrono>
#include <optional>

#include "http/exchange.h"

namespace outrider {

struct Route;
struct RouterOptions;

// What a route makes of the field grpc-timeout.
struct GrpcTimeouts {
  // max_grpc_timeout: gRPC requests get the time that they ask for instead of the route's, 0: without a limit.
  std::optional<std::chrono::milliseconds> max;
  std::chrono::milliseconds offset{0};  // grpc_timeout_offset: subtracted from it.
  // The same of max_stream_duration, for the whole stream.
  std::optional<std::chrono::milliseconds> header_max;
  std::chrono::milliseconds header_offset{0};
};

struct TimeLimits {
  std::chrono::milliseconds whole{0};    // Of the response, 0: without a limit.
  std::chrono::milliseconds per_try{0};  // Of each attempt until its response begins; 0: only the whole counts.
};

// The request's fields that say so to the proxy are removed, and those that tell the backend are set.
TimeLimits time_limits(Exchange& x, const Route& route, const RouterOptions& options);
// Of the whole stream, where the route has a word on it. False: it is over already.
bool limit_stream(Exchange& x, const Route& route);

}  // namespace outrider
