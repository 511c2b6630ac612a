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

// A piece of many lines, with kBlock bytes behind its end that may be read, but are not meant: it is copied in whole
// blocks, and what comes next is written over the rest.
struct PaddedView {
  static constexpr std::size_t kBlock = 32;
  const char* text;
  std::size_t bytes;

  std::size_t size() const { return bytes; }
  std::string_view view() const { return {text, bytes}; }
};

class PaddedText {
 public:
  PaddedText() : PaddedText(std::string_view()) {}
  explicit PaddedText(std::string_view text) { assign(text); }
  void assign(std::string_view text) { text_.assign(text).append(PaddedView::kBlock, '\0'); }
  std::size_t size() const { return text_.size() - PaddedView::kBlock; }
  operator PaddedView() const { return {text_.data(), size()}; }

 private:
  std::string text_;
};

// These write to where there is room: of a piece its size and a block, of a number kNumberMax bytes. They return the
// end.
inline char* put(char* to, PaddedView piece) {
  for (std::size_t i = 0; i < piece.bytes; i += PaddedView::kBlock) {
    std::memcpy(to + i, piece.text + i, PaddedView::kBlock);
  }
  return to + piece.bytes;
}

inline char* put(char* to, std::string_view piece) {
  std::memcpy(to, piece.data(), piece.size());
  return to + piece.size();
}

inline constexpr std::size_t kNumberMax = 20;
inline char* put(char* to, std::uint64_t value) {
  if (value >= 10) return std::to_chars(to, to + kNumberMax, value).ptr;
  *to = static_cast<char>('0' + value);
  return to + 1;
}

// What `write` puts behind the text, at most that many bytes: it gets their begin and returns their end.
template <class Write>
inline void append_with(std::string& out, std::size_t bytes_max, Write write) {
  std::size_t before = out.size();
  out.resize_and_overwrite(before + bytes_max + PaddedView::kBlock, [&](char* text, std::size_t) {
    return static_cast<std::size_t>(write(text + before) - text);
  });
}

// Appends the pieces in one go, then the number, then a line's end: most of a page of statistics is made of this.
template <class... Pieces>
inline void append_line(std::string& out, std::uint64_t value, const Pieces&... pieces) {
  append_with(out, ((kNumberMax + 1) + ... + std::size(pieces)), [&](char* to) {
    ((to = put(to, pieces)), ...);
    to = put(to, value);
    *to++ = '\n';
    return to;
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
