// Bytes as hexadecimal digits, and back.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>

namespace outrider {

// Two lower-case digits for each byte.
inline constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (unsigned i = 0; i < pairs.size(); i++) pairs[i] = {kHex[i >> 4], kHex[i & 15]};
  return pairs;
}();

// The value of a digit in either case, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 3986 section 2.1: the byte that the escape at this place of the text stands for; -1 if there is none.
constexpr int escaped_byte(std::string_view text, std::size_t at) {
  if (text.size() < at + 3 || text[at] != '%') return -1;
  int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace outrider
