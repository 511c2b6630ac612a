// One path for all who compare paths: dot segments, escapes, slashes. Envoy's document: "Path normalization" of the
// HTTP connection manager; RFC 3986 section 6.2.2.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace outrider {

enum class EscapedSlashes : std::uint8_t { keep, reject, redirect, forward };  // %2F, %5C in either case.

struct PathNormalization {
  bool normalize = false;
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::keep;

  bool any() const { return normalize || merge_slashes || escaped_slashes != EscapedSlashes::keep; }
};

enum class PathVerdict : std::uint8_t {
  same,
  changed,   // To `result`.
  redirect,  // The client is to ask for `result`.
  refused,   // For what stands in `result`.
};

// Of a path with its query, which stays as it is.
PathVerdict normalize_path(const PathNormalization& options, std::string_view path, std::string& result);

}  // namespace outrider
