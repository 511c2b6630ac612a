#include "upstream/virtual_host.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "core/ascii.h"
#include "http/grpc_status.h"
#include "http/metadata.h"

namespace outrider {
namespace {

bool segments_match(std::string_view path, std::string_view prefix, bool case_sensitive) {
  bool begins = case_sensitive ? path.starts_with(prefix) : starts_with_ignore_case(path, prefix);
  return begins && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

std::uint64_t number_of(const WeightedClusters& clusters, RouteQuery& query) {
  if (!clusters.random_header.empty()) {
    std::string joined;
    std::string_view text = one_value(query.request, clusters.random_header, joined);
    std::uint64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
  }
  return query.number();
}

const Route* at_number(const WeightedClusters& clusters, const std::vector<std::uint32_t>& weights, std::uint64_t total,
                       std::uint64_t number) {
  if (total == 0) return clusters.routes.front().get();
  number %= total;
  for (std::size_t i = 0; i < weights.size(); i++) {
    if (number < weights[i]) return clusters.routes[i].get();
    number -= weights[i];
  }
  return clusters.routes.back().get();
}

}  // namespace

bool path_matches(const Route& r, std::string_view path) {
  switch (r.match) {
    case PathMatch::prefix:
      return r.case_sensitive ? path.starts_with(r.path) : starts_with_ignore_case(path, r.path);
    case PathMatch::path:
      return r.case_sensitive ? path == r.path : equals_ignore_case(path, r.path);
    case PathMatch::segments:
      return segments_match(path, r.path, r.case_sensitive);
    case PathMatch::regex:
    case PathMatch::uri_template:
      return re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()), *r.regex);
    case PathMatch::connect:
      return path.empty();  // Only CONNECT has none.
  }
  return false;
}

bool conditions_match(const RouteConditions& c, RouteQuery& query) {
  if (c.grpc && !is_grpc_request(query.request)) return false;
  if (!all_match(c.headers, query.request)) return false;
  for (const QueryMatcher& each : c.query) {
    if (!each.matches(query.request.path)) return false;
  }
  static const Metadata kNone;
  for (const MetadataMatcher& each : c.metadata) {
    if (!each.matches(query.metadata ? *query.metadata : kNone)) return false;
  }
  return !c.fraction || c.fraction->now(query.runtime).takes(query.number());
}

const Route* pick_cluster(const Route& route, RouteQuery& query) {
  if (!route.weighted) return &route;
  const WeightedClusters& clusters = *route.weighted;
  std::uint64_t number = number_of(clusters, query);
  if (clusters.runtime_prefix.empty() || query.runtime.empty()) {
    return at_number(clusters, clusters.weights, clusters.total, number);
  }
  std::vector<std::uint32_t> weights = clusters.weights;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < weights.size(); i++) {
    std::uint64_t weight = query.runtime.integer(clusters.runtime_prefix + "." + clusters.names[i], weights[i]);
    weights[i] = static_cast<std::uint32_t>(std::min<std::uint64_t>(weight, UINT32_MAX));
    total += weights[i];
  }
  return at_number(clusters, weights, total, number);
}

VirtualHost::VirtualHost(std::string name, std::vector<Route> routes, VirtualHostOptions options)
    : name_(std::move(name)), routes_(std::move(routes)), options_(std::move(options)) {
  to_https_.redirect = std::make_unique<Redirect>();
  to_https_.redirect->https = true;
  to_https_.redirect->keep_port = true;
  to_https_.host = this;
  auto adopt = [&](Route& r) {
    r.host = this;
    if (!r.weighted) return;
    for (const auto& each : r.weighted->routes) each->host = this;
  };
  for (Route& r : routes_) adopt(r);
  if (options_.tree) options_.tree->each_route(adopt);
  if (routes_.size() <= kListedMax) return;
  for (std::uint32_t i = 0; i < routes_.size(); i++) {
    const Route& r = routes_[i];
    bool partly = r.match == PathMatch::segments || r.match == PathMatch::uri_template;
    if ((r.match == PathMatch::prefix || partly) && r.case_sensitive) {
      prefixes_.add(r.path, i, partly || r.conditions);
    } else if (r.match == PathMatch::path && r.case_sensitive) {
      paths_[r.path].add(i, r.conditions != nullptr);
    } else {
      others_.push_back(i);
    }
  }
}

// A CONNECT has no path: of the routes, those with a connect_matcher know of it.
const Route* VirtualHost::match_connect(RouteQuery& query) const {
  if (query.request.method != Method::connect) return nullptr;
  for (const Route& r : routes_) {
    if (r.match == PathMatch::connect && accepts(r, query, {})) return &r;
  }
  return nullptr;
}

bool VirtualHost::accepts(const Route& route, RouteQuery& query, std::string_view path) const {
  return path_matches(route, path) && (!route.conditions || conditions_match(*route.conditions, query));
}

const Route* VirtualHost::match_listed(RouteQuery& query, std::string_view path) const {
  for (const Route& r : routes_) {
    if (accepts(r, query, path)) return &r;
  }
  return nullptr;
}

const Route* VirtualHost::redirect_to_https(const RequestHead& request) const {
  if (options_.require_tls == RequireTls::none || request.headers.value(Known::x_forwarded_proto) == "https")
    return nullptr;
  bool spared = options_.require_tls == RequireTls::external_only && request.headers.has(Known::x_envoy_internal);
  return spared ? nullptr : &to_https_;
}

const Route* VirtualHost::match(RouteQuery& query) const {
  std::string_view path = without_query(query.request.path);
  if (const Route* https = redirect_to_https(query.request)) return https;
  if (options_.tree) return options_.tree->match(query);
  if (path.empty()) return match_connect(query);
  if (routes_.size() <= kListedMax) return match_listed(query, path);
  // The first route that matches wins, so of each index the lowest number counts.
  std::uint32_t best = prefixes_.lowest(path);
  auto exact = paths_.find(path);
  if (exact != paths_.end()) best = std::min(best, exact->second.plain);
  std::vector<std::uint32_t> candidates;
  if (prefixes_.has_conditional()) prefixes_.conditional(path, best, candidates);
  if (exact != paths_.end()) {
    candidates.insert(candidates.end(), exact->second.conditional.begin(), exact->second.conditional.end());
  }
  std::sort(candidates.begin(), candidates.end());
  std::size_t c = 0, o = 0;
  while (c < candidates.size() || o < others_.size()) {
    bool other = c == candidates.size() || (o < others_.size() && others_[o] < candidates[c]);
    std::uint32_t number = other ? others_[o++] : candidates[c++];
    if (number >= best) break;
    if (accepts(routes_[number], query, path)) return &routes_[number];
  }
  return best == RouteNumbers::kNone ? nullptr : &routes_[best];
}

const VirtualCluster* VirtualHost::cluster_of(const RequestHead& request) const {
  for (const VirtualCluster& each : options_.clusters) {
    if (all_match(each.matchers, request)) return &each;
  }
  return nullptr;
}

}  // namespace outrider
