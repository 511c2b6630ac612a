// Random UUIDs (RFC 9562, version 4) as text.
#pragma once
#include <array>
#include <cstddef>
#include <cstring>

#include "core/hex.h"
#include "core/random.h"

namespace outrider {

inline constexpr std::size_t kUuidBytes = 36;

// Writes kUuidBytes.
inline void write_uuid(Random& random, char* out) {
  std::array<unsigned char, 16> bytes;
  std::uint64_t words[2] = {random.next(), random.next()};
  std::memcpy(bytes.data(), words, sizeof words);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr std::size_t kAt[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  for (std::size_t i = 0; i < bytes.size(); i++) std::memcpy(out + kAt[i], kHexPairs[bytes[i]].data(), 2);
  out[8] = out[13] = out[18] = out[23] = '-';
}

}  // namespace outrider
