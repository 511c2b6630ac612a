// Status codes of gRPC.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace outrider {

struct Exchange;
struct RequestHead;

struct GrpcStatusName {
  std::string_view camel, snake;
};
// By code.
extern const std::array<GrpcStatusName, 17> kGrpcStatusNames;

// What an HTTP status means (gRPC's document "HTTP to gRPC Status Code Mapping").
std::uint32_t grpc_status_of(int http_status);

// What the response says, in its trailers or headers; else what its HTTP status means. Nothing if there is no response
// yet, or what it says is no code.
std::optional<std::uint32_t> grpc_status_of(const Exchange& x);

// The content type says that it is a gRPC request.
bool is_grpc_request(const RequestHead& request);

}  // namespace outrider
