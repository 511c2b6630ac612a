// Where the mistakes of a configuration go while it is turned into what requests meet.
#pragma once
#include <string>

namespace outrider::proto {

class Report {
 public:
  // `path` is that of the field in the v3 configuration, such as "static_resources.clusters[0].name". All mistakes are
  // reported, not only the first.
  virtual void fail(const std::string& path, std::string message) = 0;

 protected:
  ~Report() = default;
};

}  // namespace outrider::proto
