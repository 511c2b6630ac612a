// Where the mistakes of a configuration go while it is turned into what requests meet.
#pragma once
#include <cstdint>
#include <limits>
#include <string>

namespace outrider::proto {

// How many instructions RE2 may make of a regular expression: Envoy's runtime keys re2.max_program_size.error_level and
// .warn_level. No limit where nothing else is said.
struct RegexSizes {
  std::uint64_t error = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t warn = std::numeric_limits<std::uint64_t>::max();
};

class Report {
 public:
  RegexSizes regex_sizes;

  // `path` is that of the field in the v3 configuration, such as "static_resources.clusters[0].name". All mistakes are
  // reported, not only the first.
  virtual void fail(const std::string& path, std::string message) = 0;

 protected:
  ~Report() = default;
};

}  // namespace outrider::proto
