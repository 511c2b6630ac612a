#include "config/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "core/ascii.h"

namespace outrider::config {
namespace {

template <class T>
bool whole(std::string_view text, T& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool is_number_text(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

// Decimal digits behind the point as nanoseconds.
bool fraction(std::string_view digits, int32_t& nanos) {
  if (digits.empty() || digits.size() > 9) return false;
  nanos = 0;
  for (size_t i = 0; i < 9; ++i) {
    const char c = i < digits.size() ? digits[i] : '0';
    if (c < '0' || c > '9') return false;
    nanos = nanos * 10 + (c - '0');
  }
  return true;
}

}  // namespace

bool to_bool(std::string_view text, bool& out) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const std::string_view yes : {"true", "yes", "on", "y"}) {
    if (lower == yes) return out = true;
  }
  for (const std::string_view no : {"false", "no", "off", "n"}) {
    if (lower == no) return !(out = false);
  }
  return false;
}

bool is_boolean_word(std::string_view text) {
  bool truth = false;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (text.empty()) return false;
  const auto upper = std::ranges::count_if(text, is_upper);
  const bool one_case = upper == 0 || static_cast<size_t>(upper) == text.size() || (upper == 1 && is_upper(text[0]));
  return one_case && to_bool(ascii_lower(text), truth);
}

bool to_integer(std::string_view text, int64_t& out) {
  if (whole(text, out)) return true;
  double number = 0;
  if (!is_number_text(text) || !to_floating(text, number)) return false;
  if (number != std::trunc(number) || std::abs(number) > 9007199254740992.0) return false;  // 2^53: exact up to here
  out = static_cast<int64_t>(number);
  return true;
}

std::optional<std::string> decimal_of(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.size() < 2 || text[0] != '0') return std::nullopt;
  bool hexadecimal = text[1] == 'x' || text[1] == 'X';
  text.remove_prefix(hexadecimal ? 2 : 1);
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 8);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return (negative ? "-" : "") + std::to_string(number);
}

bool to_unsigned(std::string_view text, uint64_t& out) {
  if (whole(text, out)) return true;
  int64_t number = 0;
  if (!to_integer(text, number) || number < 0) return false;
  out = static_cast<uint64_t>(number);
  return true;
}

bool to_floating(std::string_view text, double& out) {
  if (text == "NaN" || text == ".nan" || text == ".NaN") return out = std::nan(""), true;
  if (text == "Infinity" || text == ".inf") return out = HUGE_VAL, true;
  if (text == "-Infinity" || text == "-.inf") return out = -HUGE_VAL, true;
  return is_number_text(text) && whole(text.starts_with('+') ? text.substr(1) : text, out) && std::isfinite(out);
}

bool to_plain_floating(std::string_view text, double& out) {
  const std::optional<std::string> decimal = decimal_of(text);
  return to_floating(decimal ? std::string_view(*decimal) : text, out);
}

bool to_bytes(std::string_view text, std::string& out) {
  out.clear();
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return false;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return (bits & ((1u << count) - 1)) == 0;
}

bool to_duration(std::string_view text, Span& out, bool& is_extension) {
  is_extension = false;
  int scale = 0;  // decimal digits by which the unit is smaller than a second
  if (text.ends_with("ms")) {
    scale = 3;
  } else if (text.ends_with("us")) {
    scale = 6;
  } else if (text.ends_with("ns")) {
    scale = 9;
  } else if (!text.ends_with("s")) {
    return false;
  }
  text.remove_suffix(scale == 0 ? 1 : 2);
  is_extension = scale > 0;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  std::string_view before = text.substr(0, point);
  std::string shifted;
  std::string after(point == std::string_view::npos ? std::string_view{} : text.substr(point + 1));
  if (point != std::string_view::npos && after.empty()) return false;
  if (before.empty() || before.size() > 15) return false;
  if (scale > 0) {  // move the point to the left
    shifted.assign(scale, '0');
    shifted += before;
    after.insert(0, shifted.substr(shifted.size() - scale));
    shifted.resize(shifted.size() - scale);
    before = shifted;
    while (after.size() > 9 && after.ends_with('0')) after.pop_back();
  }
  uint64_t seconds = 0;
  if (!whole(before, seconds) || seconds > kDurationSecondsMax) return false;
  if (!after.empty() && !fraction(after, out.nanos)) return false;
  out.seconds = negative ? -static_cast<int64_t>(seconds) : static_cast<int64_t>(seconds);
  if (negative) out.nanos = -out.nanos;
  return true;
}

}  // namespace outrider::config
