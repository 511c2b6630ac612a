#include "http/cookie.h"

#include <algorithm>
#include <string>

namespace outrider {
namespace {

std::string_view without_quotes(std::string_view value) {
  bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

// Calls visit(name, value) for each `name=value` until it says false. What has no `=` is no cookie.
template <class Visit>
void each_cookie(const Headers& headers, Visit visit) {
  for (const Field& field : headers) {
    if (field.known != Known::cookie) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      std::string_view pair = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      pair.remove_prefix(std::min(pair.size(), pair.find_first_not_of(" \t")));
      std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      if (!visit(pair.substr(0, equals), without_quotes(pair.substr(equals + 1)))) return;
    }
  }
}

}  // namespace

std::optional<std::string_view> cookie_value(const Headers& headers, std::string_view name) {
  std::optional<std::string_view> found;
  each_cookie(headers, [&](std::string_view each, std::string_view value) {
    if (each == name) found = value;
    return !found;
  });
  return found;
}

void remove_cookie(Headers& headers, std::string_view name) {
  if (!headers.has(Known::cookie)) return;
  std::string kept;
  each_cookie(headers, [&](std::string_view each, std::string_view value) {
    if (each == name) return true;
    if (!kept.empty()) kept += "; ";
    kept.append(each).append("=").append(value);
    return true;
  });
  if (kept.empty()) {
    headers.remove(Known::cookie);
  } else {
    headers.set(Known::cookie, headers.arena().copy(kept));
  }
}

}  // namespace outrider
