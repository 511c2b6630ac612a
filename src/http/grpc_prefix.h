// What stands before each message of gRPC: a byte of flags and the message's length in four bytes ("gRPC over HTTP2",
// Length-Prefixed-Message).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outrider {

inline constexpr std::size_t kGrpcPrefixBytes = 5;
using GrpcPrefix = std::array<char, kGrpcPrefixBytes>;

inline GrpcPrefix grpc_prefix(std::uint8_t flags, std::size_t length) {
  auto byte = [&](int shift) { return static_cast<char>(length >> shift); };
  return {static_cast<char>(flags), byte(24), byte(16), byte(8), byte(0)};
}
inline std::string_view view_of(const GrpcPrefix& prefix) { return {prefix.data(), prefix.size()}; }

}  // namespace outrider
