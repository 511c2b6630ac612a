#include "wire/hpack_huffman.h"

#include <array>
#include <cstdint>

namespace outrider::hpack {
namespace {

constexpr int kSymbols = 257;
constexpr int kEos = 256;
constexpr int kBitsMax = 30;

// Bits of each symbol's code; the last is EOS. The code is canonical: codes of one length count up with the symbols, so
// that their lengths say it all.
constexpr std::array<std::uint8_t, kSymbols> kLengths{
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,
    7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,
    5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24,
    24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26,
    27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23,
    22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30};

// The codes of one length: the first of them, and where its symbols begin in the order of codes.
struct Length {
  std::uint32_t first_code = 0;
  std::uint32_t count = 0;
  std::uint32_t first_symbol = 0;
};

struct Canonical {
  std::array<Length, kBitsMax + 1> lengths{};
  std::array<std::uint16_t, kSymbols> symbols{};  // In the order of their codes.
};

constexpr Canonical kCode = [] {
  Canonical code;
  std::uint32_t next = 0, placed = 0;
  for (std::size_t bits = 1; bits <= kBitsMax; bits++) {
    next <<= 1;
    Length& length = code.lengths[bits];
    length.first_code = next;
    length.first_symbol = placed;
    for (std::size_t symbol = 0; symbol < kSymbols; symbol++) {
      if (kLengths[symbol] == bits) code.symbols[placed++] = static_cast<std::uint16_t>(symbol);
    }
    length.count = placed - length.first_symbol;
    next += length.count;
  }
  return code;
}();

struct Symbol {
  std::uint16_t value = 0;
  std::uint8_t bits = 0;  // 0: its code is longer than the table's index.
};

// All that is usual has a code of at most so many bits.
constexpr int kTableBits = 9;

constexpr std::array<Symbol, 1 << kTableBits> kTable = [] {
  std::array<Symbol, 1 << kTableBits> table{};
  for (std::size_t bits = 1; bits <= kTableBits; bits++) {
    const Length& length = kCode.lengths[bits];
    for (std::uint32_t i = 0; i < length.count; i++) {
      std::size_t from = (length.first_code + i) << (kTableBits - bits);
      for (std::size_t rest = 0; rest < (std::size_t{1} << (kTableBits - bits)); rest++) {
        table[from + rest] = {kCode.symbols[length.first_symbol + i], static_cast<std::uint8_t>(bits)};
      }
    }
  }
  return table;
}();

// `bits` begins at its highest bit. Every sequence of 30 bits begins with a code.
Symbol long_symbol(std::uint64_t bits) {
  for (std::size_t n = kTableBits + 1; n <= kBitsMax; n++) {
    const Length& length = kCode.lengths[n];
    auto at = static_cast<std::uint32_t>(bits >> (64 - n)) - length.first_code;
    if (at < length.count) return {kCode.symbols[length.first_symbol + at], static_cast<std::uint8_t>(n)};
  }
  return {kEos, kBitsMax};
}

}  // namespace

HuffmanDecoded huffman_decode(std::string_view coded, char* out) {
  const char* at = coded.data();
  const char* const end = at + coded.size();
  char* to = out;
  std::uint64_t bits = 0;  // From the highest on.
  int have = 0;
  auto result = [&](bool valid) { return HuffmanDecoded{valid, static_cast<std::size_t>(to - out)}; };
  for (;;) {
    while (have <= 56 && at != end) {
      bits |= std::uint64_t{static_cast<unsigned char>(*at++)} << (56 - have);
      have += 8;
    }
    if (have == 0) return result(true);
    Symbol symbol = kTable[bits >> (64 - kTableBits)];
    if (symbol.bits == 0) symbol = long_symbol(bits);
    if (symbol.bits > have) {  // What is left is padding: the beginning of EOS, less than a byte.
      return result(have < 8 && bits >> (64 - have) == (std::uint64_t{1} << have) - 1);
    }
    if (symbol.value == kEos) return result(false);
    *to++ = static_cast<char>(symbol.value);
    bits <<= symbol.bits;
    have -= symbol.bits;
  }
}

}  // namespace outrider::hpack
