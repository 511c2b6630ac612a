#include "core/base64.h"

#include <array>
#include <cstdint>

namespace outrider {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); i++) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

}  // namespace

std::optional<std::string> base64_decode(std::string_view text) {
  for (int i = 0; i < 2 && text.ends_with('='); i++) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    std::uint8_t value = kValues[static_cast<unsigned char>(c)];
    if (value == kNone) return std::nullopt;
    bits = bits << 6 | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>(bits >> count));
    bits &= (1u << count) - 1;
  }
  if (bits != 0) return std::nullopt;
  return bytes;
}

void Base64Encoder::add(std::string_view bytes, std::string& out) {
  out.reserve(out.size() + bytes.size() / 3 * 4 + 4);
  for (char c : bytes) {
    bits_ = bits_ << 8 | static_cast<unsigned char>(c);
    if (++count_ == 3) write(4, out);
  }
}

void Base64Encoder::finish(std::string& out) {
  if (count_ == 0) return;
  int padding = 3 - count_;
  bits_ <<= 8 * padding;
  write(4 - padding, out);
  out.append(static_cast<std::size_t>(padding), '=');
}

void Base64Encoder::write(int characters, std::string& out) {
  for (int i = 0; i < characters; i++) out.push_back(kAlphabet[bits_ >> (18 - 6 * i) & 63]);
  bits_ = 0;
  count_ = 0;
}

}  // namespace outrider
