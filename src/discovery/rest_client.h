// RestClient: one question to a service of discovery.
#pragma once
#include <expected>
#include <string>

#include "core/task.h"
#include "upstream/rest_source.h"

namespace outrider {

class RestClient {
 public:
  // GET of that path: the body of an answer of 200, or why there is none. To be awaited on the main thread.
  virtual Task<std::expected<std::string, std::string>> get(const RestSource& source, const std::string& path) = 0;

 protected:
  ~RestClient() = default;
};

}  // namespace outrider
