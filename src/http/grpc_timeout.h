// The field grpc-timeout: how long a gRPC client waits (gRPC's document "gRPC over HTTP2", Timeout).
#pragma once
#include <chrono>
#include <optional>

#include "core/arena.h"
#include "wire/headers.h"

namespace outrider {

// Rounded up to milliseconds. Nothing where there is no such field, or it is none that Envoy takes: at most eight
// digits and a unit.
std::optional<std::chrono::milliseconds> grpc_timeout_of(const Headers& headers);
// Writes the field in the finest unit that holds it, as Envoy does.
void set_grpc_timeout(Headers& headers, Arena& arena, std::chrono::milliseconds timeout);

}  // namespace outrider
