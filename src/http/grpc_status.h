// Status codes of gRPC.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outrider {

struct Exchange;
class Headers;
struct RequestHead;

struct GrpcStatusName {
  std::string_view camel, snake;
};
// By code.
extern const std::array<GrpcStatusName, 17> kGrpcStatusNames;

// What an HTTP status means (gRPC's document "HTTP to gRPC Status Code Mapping").
std::uint32_t grpc_status_of(int http_status);

// The other way round, as Envoy sees it. What is no known code is 500.
int http_status_of_grpc(std::int64_t code);

// What a response says that is no code.
inline constexpr std::int64_t kNoGrpcStatus = -1;
// The field grpc-status; nothing if there is none.
std::optional<std::int64_t> grpc_status_of(const Headers& from);
// What the response says, in its trailers or headers; else what its HTTP status means. Nothing if there is no response
// yet.
std::optional<std::int64_t> grpc_status_of(const Exchange& x);

// The content type is that of gRPC: application/grpc, or with a suffix such as +proto.
bool is_grpc_type(std::string_view content_type);
bool is_grpc_request(const RequestHead& request);
// Whether replies of the proxy's own are answers of gRPC.
bool replies_in_grpc(const Exchange& x);

// A text as the field grpc-message carries it: bytes outside of printable ASCII, '%' and, as by Envoy, '~' are escaped.
std::string grpc_message_of(std::string_view text);

}  // namespace outrider
