// Cookies and parameters of any shape: found, changed and written back. What is written is read the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/cookie.h"
#include "http/query.h"

namespace outrider {
namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

void try_cookies(std::string_view name, std::string_view text) {
  Arena arena;
  Headers headers(arena);
  headers.add(Known::cookie, text);
  headers.add(Known::cookie, "a=1; b=2");
  remove_cookie(headers, name);
  expect(headers.count(Known::cookie) <= 1);
  cookie_value(headers, name);
}

void try_query(std::string_view name, std::string_view text) {
  QueryParameters parameters(text);
  std::string first = parameters.path_with(text);
  expect(QueryParameters(first).path_with(first) == first);
  parameters.overwrite(name, text);
  std::string path = parameters.path_with(text);
  expect(QueryParameters(path).first(name) == text);
  parameters.remove(name);
  expect(!parameters.has(name));
}

}  // namespace
}  // namespace outrider

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view name = input.substr(0, input.find('\n'));
  std::string_view text = input.substr(std::min(size, name.size() + 1));
  outrider::try_cookies(name, text);
  outrider::try_query(name, text);
  return 0;
}
