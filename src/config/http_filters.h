// Which HTTP filters there are.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "http/filter.h"
#include "upstream/route_table.h"

namespace outrider::config {

// What a filter is made from.
struct FilterSource {
  const std::string& bytes;  // Its configuration, serialized.
  std::shared_ptr<const RouteTable> routes;
};

struct HttpFilterType {
  std::string_view type;                                        // Full name of the configuration's message.
  std::unique_ptr<Filter> (*make)(const FilterSource& source);  // Null if the bytes are not such a message.
  bool terminal;  // Answers every request: stands last, and nothing stands behind it.
};

// Null if outrider has no such filter.
const HttpFilterType* find_http_filter(std::string_view type);

}  // namespace outrider::config
