// VirtualHost: the routes of some domains, compiled: plain ones cost a request the same with ten of them or ten
// thousand.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/metadata.h"
#include "observe/local_stats.h"
#include "upstream/match_tree.h"
#include "upstream/prefix_index.h"
#include "upstream/route.h"
#include "upstream/route_query.h"
#include "upstream/virtual_cluster_stats.h"

namespace outrider {

// Requests of a virtual host that are counted apart: vhost.<host>.vcluster.<name>.
struct VirtualCluster {
  std::vector<HeaderMatcher> matchers;
  LocalStats stats;
  std::string name;
  bool catches_all = false;  // "other": what no other one takes; logs have no name for it.
};

enum class RequireTls : std::uint8_t { none, external_only, all };

struct VirtualHostOptions {
  RequireTls require_tls = RequireTls::none;
  bool count_attempts_in_request = false;  // x-envoy-attempt-count
  bool count_attempts_in_response = false;
  bool tells_timeout_retry = false;  // x-envoy-is-timeout-retry
  std::vector<VirtualCluster> clusters;
  std::shared_ptr<const Metadata> metadata;  // Null: none.
  std::unique_ptr<MatchTree> tree;           // Instead of the list of routes; null: there is none.
};

class VirtualHost {
 public:
  VirtualHost(std::string name, std::vector<Route> routes, VirtualHostOptions options = {});
  // The first route that matches; null: none does.
  const Route* match(RouteQuery& query) const;
  // The redirect to https, where require_tls demands it of this request; null: it does not.
  const Route* redirect_to_https(const RequestHead& request) const;
  // The one that counts this request; null: none.
  const VirtualCluster* cluster_of(const RequestHead& request) const;
  const std::string& name() const { return name_; }
  const VirtualHostOptions& options() const { return options_; }
  const std::vector<Route>& routes() const { return routes_; }

 private:
  // Below this many routes a walk through the list is the fastest index.
  static constexpr std::size_t kListedMax = 6;
  bool accepts(const Route& route, RouteQuery& query, std::string_view path) const;
  const Route* match_connect(RouteQuery& query) const;
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
