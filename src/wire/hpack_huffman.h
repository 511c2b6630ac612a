// The Huffman code of HPACK (RFC 7541 appendix B).
#pragma once
#include <cstddef>
#include <string_view>

namespace outrider::hpack {

// The most bytes that a coded string may stand for: the shortest codes have five bits.
constexpr std::size_t huffman_decoded_max(std::size_t coded_bytes) { return coded_bytes * 8 / 5; }

// Decodes into `out`, which has room for huffman_decoded_max() bytes; how many they are, or nothing where the bytes are
// no code: EOS, or padding that is longer than seven bits or has a zero in it.
struct HuffmanDecoded {
  bool valid;
  std::size_t bytes;
};
HuffmanDecoded huffman_decode(std::string_view coded, char* out);

}  // namespace outrider::hpack
