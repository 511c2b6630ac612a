// Any path, made normal: no dot segments and no double slashes are left.
#include <cstdint>
#include <cstdlib>

#include "http/path_normalization.h"

using outrider::EscapedSlashes;
using outrider::PathNormalization;
using outrider::PathVerdict;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

bool has_dot_segment(std::string_view path) {
  path = path.substr(0, path.find('?'));
  for (std::string_view dots : {"/./", "/../"}) {
    if (path.find(dots) != std::string_view::npos) return true;
  }
  return path.ends_with("/.") || path.ends_with("/..");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  PathNormalization options{(data[0] & 1) != 0, (data[0] & 2) != 0, static_cast<EscapedSlashes>(data[0] >> 2 & 3)};
  std::string_view path(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string result;
  PathVerdict verdict = normalize_path(options, path, result);
  if (verdict != PathVerdict::changed && verdict != PathVerdict::redirect) return 0;
  check(result != path);
  std::string_view bare = std::string_view(result).substr(0, result.find('?'));
  if (options.normalize) check(!has_dot_segment(result) && bare.starts_with('/'));
  // Of slashes alone two are left, as in Envoy.
  if (options.merge_slashes) check(bare == "//" || bare.find("//") == std::string_view::npos);
  return 0;
}
