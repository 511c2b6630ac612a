#include "wire/message.h"

#include <array>

namespace outrider {
namespace {

// In the order of Method.
constexpr std::array<std::string_view, 10> kMethodNames = {"",       "GET",     "HEAD",    "POST",  "PUT",
                                                           "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

}  // namespace

std::string_view name_of(Version version) {
  switch (version) {
    case Version::http10:
      return "HTTP/1.0";
    case Version::http11:
      return "HTTP/1.1";
    case Version::http2:
      return "HTTP/2";
  }
  return {};
}

Method method_of(std::string_view name) {
  for (size_t i = 1; i < kMethodNames.size(); ++i) {
    if (kMethodNames[i] == name) return static_cast<Method>(i);
  }
  return Method::extension;
}

std::string_view name_of(Method method) { return kMethodNames[static_cast<size_t>(method)]; }

}  // namespace outrider
