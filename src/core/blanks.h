// Optional whitespace around the elements of a field: spaces and tabs (RFC 9110 section 5.6.3).
#pragma once
#include <cstddef>
#include <string_view>

namespace outrider {

constexpr std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace outrider
