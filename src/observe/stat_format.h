// Numbers and names as text, appended to a string without a temporary.
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace outrider::stat_format {

// Appends the pieces in one go, then the number, then a line's end: most of a page of statistics is made of this.
template <class... Pieces>
inline void append_line(std::string& out, std::uint64_t value, const Pieces&... pieces) {
  constexpr std::size_t kDigitsMax = 20;
  std::size_t before = out.size();
  std::size_t bytes = ((kDigitsMax + 1) + ... + std::string_view(pieces).size());
  out.resize_and_overwrite(before + bytes, [&](char* text, std::size_t) __attribute__((always_inline)) {
    char* to = text + before;
    auto copy = [&to](std::string_view piece) __attribute__((always_inline)) {
      std::memcpy(to, piece.data(), piece.size());
      to += piece.size();
    };
    (copy(pieces), ...);
    if (value < 10) {
      *to++ = static_cast<char>('0' + value);
    } else {
      to = std::to_chars(to, to + kDigitsMax, value).ptr;
    }
    *to++ = '\n';
    return static_cast<std::size_t>(to - text);
  });
}

inline void append_number(std::string& out, std::uint64_t value) {
  if (value < 10) {
    out.push_back(static_cast<char>('0' + value));
    return;
  }
  char digits[20];
  char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

// The shortest digits that read back the same, without an exponent below 10^16: how Envoy prints quantiles as text.
inline void append_plain(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  char digits[64];
  auto form = std::abs(value) < 1e16 ? std::chars_format::fixed : std::chars_format::scientific;
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, form).ptr);
}

// The shortest of all forms: how Envoy prints them in JSON.
inline void append_json(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "null";
    return;
  }
  char digits[64];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// At most six digits, as printf's %g: percentiles and bounds in text.
inline void append_general(std::string& out, double value) {
  char digits[64];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 6).ptr);
}

// Inside double quotes of JSON.
inline void append_json_text(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  auto plain = [](unsigned char c) { return c >= 0x20 && c != '"' && c != '\\'; };
  if (std::ranges::all_of(text, plain)) {
    out += text;
    return;
  }
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace outrider::stat_format
