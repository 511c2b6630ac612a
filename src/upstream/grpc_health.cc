#include "upstream/grpc_health.h"

#include <cstdint>
#include <optional>

#include "http/grpc_prefix.h"

namespace outrider {
namespace {

constexpr std::uint64_t kServing = 1;  // HealthCheckResponse.ServingStatus.
constexpr std::uint64_t kStatusField = 1;
constexpr char kServiceKey = 0x0a;  // Field 1, of a length.

void append_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

bool take(std::string_view& bytes, std::uint64_t size) {
  if (size > bytes.size()) return false;
  bytes.remove_prefix(static_cast<std::size_t>(size));
  return true;
}

// What a field of that type holds; a number is kept. False: it is cut short, or of a type that does not exist.
bool take_field(std::string_view& bytes, std::uint64_t type, std::optional<std::uint64_t>& number) {
  switch (type) {
    case 0:
      return (number = take_varint(bytes)).has_value();
    case 1:
      return take(bytes, 8);
    case 2: {
      std::optional<std::uint64_t> size = take_varint(bytes);
      return size && take(bytes, *size);
    }
    case 5:
      return take(bytes, 4);
    default:
      return false;
  }
}

}  // namespace

std::string grpc_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    message += kServiceKey;
    append_varint(service.size(), message);
    message += service;
  }
  return std::string(view_of(grpc_prefix(0, message.size()))) + message;
}

bool says_serving(std::string_view frame) {
  if (frame.size() < kGrpcPrefixBytes) return false;
  std::string_view message = frame.substr(kGrpcPrefixBytes);
  if (!frame.starts_with(view_of(grpc_prefix(0, message.size())))) return false;
  std::uint64_t status = 0;  // UNKNOWN
  while (!message.empty()) {
    std::optional<std::uint64_t> key = take_varint(message), number;
    if (!key || *key >> 3 == 0 || !take_field(message, *key & 7, number)) return false;
    if (*key >> 3 == kStatusField && number) status = *number;
  }
  return status == kServing;
}

}  // namespace outrider
