// The messages of grpc.health.v1.Health/Check, each as a gRPC frame. Google's document: "GRPC Health Checking
// Protocol".
#pragma once
#include <string>
#include <string_view>

namespace outrider {

inline constexpr std::string_view kGrpcHealthPath = "/grpc.health.v1.Health/Check";

// Asks for a service; empty: for the server as a whole.
std::string grpc_health_request(std::string_view service);

// Whether these bytes are one frame, uncompressed, of a response that says SERVING.
bool says_serving(std::string_view frame);

}  // namespace outrider
