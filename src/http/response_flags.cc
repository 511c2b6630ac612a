#include "http/response_flags.h"

#include <algorithm>
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

std::optional<ResponseFlag> response_flag_named(std::string_view letters) {
  auto at = std::ranges::find(kLetters, letters);
  if (at == kLetters.end()) return std::nullopt;
  return static_cast<ResponseFlag>(at - kLetters.begin());
}

void ResponseFlags::append_letters(std::string& out) const {
  append_each(out, [&](std::size_t i) { out += kLetters[i]; });
}

void ResponseFlags::append_names(std::string& out) const {
  append_each(out, [&](std::size_t i) { append_camel(kNames[i], out); });
}

std::string ResponseFlags::text() const {
  std::string text;
  append_letters(text);
  return text;
}

}  // namespace outrider
