// Bytes as hexadecimal digits.
#pragma once
#include <array>

namespace outrider {

// Two lower-case digits for each byte.
inline constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (unsigned i = 0; i < pairs.size(); i++) pairs[i] = {kHex[i >> 4], kHex[i & 15]};
  return pairs;
}();

}  // namespace outrider
