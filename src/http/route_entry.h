// What filters may know of the route that a request takes. The whole of it is the router's (upstream/route.h).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "http/metadata.h"

namespace outrider {

struct Exchange;
struct RouteTracing;
struct HeaderMutation;
using HeaderMutations = std::vector<HeaderMutation>;

// What a route says to one filter; each filter derives its own.
struct RouteFilterConfig {
  virtual ~RouteFilterConfig() = default;
};

struct RouteFilter {
  std::shared_ptr<const RouteFilterConfig> config;  // Null: only whether it works is said.
  bool said = false;                                // The route has a word on this filter.
  bool disabled = false;                            // The filter does not see the request.
  std::shared_ptr<const RouteFilter> wider;         // The word of the next wider scope; null: there is none.
};

// Calls visit(config) for each word of the chain that has one: the most specific first, or the widest.
template <class Visit>
void each_config(const RouteFilter* word, bool widest_first, Visit&& visit) {
  if (!word) return;
  if (widest_first) each_config(word->wider.get(), true, visit);
  if (word->config) visit(*word->config);
  if (!widest_first) each_config(word->wider.get(), false, visit);
}

struct RouteEntry {
  std::string name;
  // In the order in which they apply, to replies of the proxy too; shared with the other routes of their scope.
  std::vector<std::shared_ptr<const HeaderMutations>> response_headers;
  std::shared_ptr<const Metadata> metadata;  // Null: none.
  // By the filter's slot, the most specific word: of the weighted cluster, the route, the virtual host, all routes.
  // Shorter than the number of slots where the last ones have none.
  std::vector<RouteFilter> filters;
  // RouteAction.cors and VirtualHost.cors, of which the CORS filter knows what they are.
  RouteFilter cors;
  bool forwards = false;                        // To a cluster: it is no redirect and no direct response.
  bool answers = false;                         // By itself: a redirect or a direct response.
  std::shared_ptr<const RouteTracing> tracing;  // Decorator and tracing; null: none.
  std::string cluster_name;                     // Where that is known beforehand; for logs.
};

class RouteSource {
 public:
  virtual ~RouteSource() = default;
  // Null: there is none for this request.
  virtual const RouteEntry* match(Exchange& x) const = 0;
  // Only tells the record of the virtual host: for requests that are refused before they are routed.
  virtual void find_host(Exchange&) const {}
};

}  // namespace outrider
