#include "http/response_flags.h"

#include <array>

namespace outrider {
namespace {
constexpr std::array<std::string_view, static_cast<std::size_t>(ResponseFlag::count)> kLetters{
#define X(name, letters) letters,
    OUTRIDER_RESPONSE_FLAGS(X)
#undef X
};
constexpr std::array<std::string_view, static_cast<std::size_t>(ResponseFlag::count)> kNames{
#define X(name, letters) #name,
    OUTRIDER_RESPONSE_FLAGS(X)
#undef X
};

// "upstream_overflow" as "UpstreamOverflow".
void append_camel(std::string_view name, std::string& out) {
  bool capital = true;
  for (char c : name) {
    if (c != '_') out += capital ? static_cast<char>(c - 'a' + 'A') : c;
    capital = c == '_';
  }
}

}  // namespace

std::string ResponseFlags::text() const {
  if (!any()) return "-";
  std::string text;
  for (std::size_t i = 0; i < kLetters.size(); i++) {
    if (!has(static_cast<ResponseFlag>(i))) continue;
    if (!text.empty()) text += ',';
    text += kLetters[i];
  }
  return text;
}

std::string ResponseFlags::long_text() const {
  if (!any()) return "-";
  std::string text;
  for (std::size_t i = 0; i < kNames.size(); i++) {
    if (!has(static_cast<ResponseFlag>(i))) continue;
    if (!text.empty()) text += ',';
    append_camel(kNames[i], text);
  }
  return text;
}

}  // namespace outrider
