// What filters may know of the route that a request takes. The whole of it is the router's (upstream/route.h).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "http/metadata.h"

namespace outrider {

struct Exchange;

// What a route says to one filter; each filter derives its own.
struct RouteFilterConfig {
  virtual ~RouteFilterConfig() = default;
};

struct RouteFilter {
  std::shared_ptr<const RouteFilterConfig> config;  // Null: only whether it works is said.
  bool said = false;                                // The route has a word on this filter.
  bool disabled = false;                            // The filter does not see the request.
};

struct RouteEntry {
  std::string name;
  std::shared_ptr<const Metadata> metadata;  // Null: none.
  // By the filter's slot, the most specific word: of the weighted cluster, the route, the virtual host, all routes.
  // Shorter than the number of slots where the last ones have none.
  std::vector<RouteFilter> filters;
};

class RouteSource {
 public:
  virtual ~RouteSource() = default;
  // Null: there is none for this request.
  virtual const RouteEntry* match(Exchange& x) const = 0;
};

}  // namespace outrider
