// VirtualHost: the routes of some domains, compiled: plain ones cost a request the same with ten of them or ten
// thousand.
#pragma once
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/random.h"
#include "observe/local_stats.h"
#include "upstream/prefix_index.h"
#include "upstream/route.h"
#include "upstream/virtual_cluster_stats.h"
#include "wire/message.h"

namespace outrider {

// For look-ups by view, without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};
template <class V>
using TextMap = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

// What a route is chosen by.
struct RouteQuery {
  const RequestHead& request;
  const Runtime& runtime;
  Random& random;
  const Metadata* metadata = nullptr;       // What filters said of the request; null: nothing.
  std::optional<std::uint64_t> drawn = {};  // See number().

  // One number for all choices of a request.
  std::uint64_t number() {
    if (!drawn) drawn = random.next();
    return *drawn;
  }
};

// The path without query and fragment.
inline std::string_view without_query(std::string_view path) { return path.substr(0, path.find_first_of("?#")); }

// Whether the request may take the route, by its path and by its conditions.
bool path_matches(const Route& route, std::string_view path_without_query);
bool conditions_match(const RouteConditions& conditions, RouteQuery& query);
// The route itself, or the one that chance or a field picks among its clusters.
const Route* pick_cluster(const Route& route, RouteQuery& query);

// Requests of a virtual host that are counted apart: vhost.<host>.vcluster.<name>.
struct VirtualCluster {
  std::vector<HeaderMatcher> matchers;
  LocalStats stats;
  std::string name;
};

enum class RequireTls : std::uint8_t { none, external_only, all };

struct VirtualHostOptions {
  RequireTls require_tls = RequireTls::none;
  bool count_attempts_in_request = false;  // x-envoy-attempt-count
  bool count_attempts_in_response = false;
  std::vector<VirtualCluster> clusters;
};

class VirtualHost {
 public:
  VirtualHost(std::string name, std::vector<Route> routes, VirtualHostOptions options = {});
  // The first route that matches; null: none does.
  const Route* match(RouteQuery& query) const;
  // The one that counts this request; null: none.
  const VirtualCluster* cluster_of(const RequestHead& request) const;
  const std::string& name() const { return name_; }
  const VirtualHostOptions& options() const { return options_; }
  const std::vector<Route>& routes() const { return routes_; }

 private:
  // Below this many routes a walk through the list is the fastest index.
  static constexpr std::size_t kListedMax = 6;
  bool accepts(const Route& route, RouteQuery& query, std::string_view path) const;
  const Route* match_listed(RouteQuery& query, std::string_view path) const;

  std::string name_;
  std::vector<Route> routes_;
  VirtualHostOptions options_;
  TextMap<RouteNumbers> paths_;
  PrefixIndex prefixes_;
  std::vector<std::uint32_t> others_;  // Those that no index covers, in order.
  Route to_https_;                     // Where require_tls sends.
};

}  // namespace outrider
