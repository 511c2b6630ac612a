#include "upstream/route_table.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/worker.h"
#include "upstream/pool.h"

namespace outrider {

namespace {

bool put(auto& domains, std::string key, const VirtualHost* host) {
  return domains.try_emplace(std::move(key), host).second;
}

void note_length(std::vector<std::size_t>& lengths, std::size_t length) {
  auto at = std::lower_bound(lengths.begin(), lengths.end(), length, std::greater<>());
  if (at == lengths.end() || *at != length) lengths.insert(at, length);
}

}  // namespace

std::string RouteTable::add(std::unique_ptr<VirtualHost> host, const std::vector<std::string>& domains) {
  for (const std::string& given : domains) {
    std::string domain = ascii_lower(given);
    bool fresh = true;
    if (domain == "*") {
      fresh = !default_;
      default_ = host.get();
    } else if (!domain.empty() && domain.front() == '*') {
      note_length(suffix_lengths_, domain.size() - 1);
      fresh = put(suffixes_, domain.substr(1), host.get());
    } else if (!domain.empty() && domain.back() == '*') {
      note_length(prefix_lengths_, domain.size() - 1);
      fresh = put(prefixes_, domain.substr(0, domain.size() - 1), host.get());
    } else {
      fresh = put(exact_, domain, host.get());
    }
    if (!fresh) {
      const bool own =
          std::ranges::count(domains, domain, [](const std::string& each) { return ascii_lower(each); }) > 1;
      return "domain '" + given + (own ? "' stands here twice" : "' belongs to another virtual host already");
    }
  }
  hosts_.push_back(std::move(host));
  return {};
}

// The longest wildcard wins, those for suffixes before those for prefixes. A wildcard stands for at least one
// character.
const VirtualHost* RouteTable::find_wildcard(std::string_view authority) const {
  for (std::size_t length : suffix_lengths_) {
    if (length >= authority.size()) continue;
    auto at = suffixes_.find(authority.substr(authority.size() - length));
    if (at != suffixes_.end()) return at->second;
  }
  for (std::size_t length : prefix_lengths_) {
    if (length >= authority.size()) continue;
    auto at = prefixes_.find(authority.substr(0, length));
    if (at != prefixes_.end()) return at->second;
  }
  return default_;
}

const VirtualHost* RouteTable::host(std::string_view authority) const {
  if (exact_.empty() && suffixes_.empty() && prefixes_.empty()) return default_;
  constexpr std::size_t kAuthorityBytesMax = 255 + 6;  // A name (RFC 1035 section 2.3.4) and ":65535".
  char lower[kAuthorityBytesMax];
  if (authority.size() > sizeof lower) return default_;
  if (ignore_port_) {
    std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
      authority = authority.substr(0, colon);
    }
  }
  std::transform(authority.begin(), authority.end(), lower, [](char c) { return ascii_lower(c); });
  std::string_view name(lower, authority.size());
  if (auto at = exact_.find(name); at != exact_.end()) return at->second;
  return find_wildcard(name);
}

namespace {

void note_host(Exchange& x, const VirtualHost* host) {
  x.record.route_resolutions++;
  x.record.virtual_host_metadata = host ? host->options().metadata.get() : nullptr;
}

void note_cluster(ExchangeRecord& record, Cluster* cluster) {
  record.cluster = cluster;
  record.cluster_metadata = cluster ? cluster->options.metadata.get() : nullptr;
  record.cluster_alt_name = cluster ? std::string_view(cluster->options.alt_stat_name) : std::string_view{};
  if (cluster) record.cluster_name = cluster->name();
}

// The cluster whose name a field of the request says; null: there is none.
Cluster* named_cluster(Exchange& x, const Route& route) {
  if (!x.connection.clusters) return nullptr;
  std::string joined;
  ClusterPtr found = x.connection.clusters->find(one_value(x.request, route.cluster_header, joined));
  return found ? x.arena.make_owned<ClusterPtr>(std::move(found)).get() : nullptr;
}

void note_route(Exchange& x, const Route* route) {
  ExchangeRecord& record = x.record;
  if (!route) {
    record.route_name = record.cluster_name = {};
    record.route_metadata = nullptr;
    return note_cluster(record, nullptr);
  }
  record.route_name = route->name;
  record.cluster_name = route->cluster_name;
  record.route_metadata = route->metadata.get();
  note_cluster(record, route->cluster_header.empty() ? route->cluster.get() : named_cluster(x, *route));
}

}  // namespace

const RouteEntry* RouteTable::match(Exchange& x) const {
  RouteQuery query{.request = x.request,
                   .runtime = *x.worker.runtime(),
                   .random = x.worker.random(),
                   .metadata = x.dynamic_metadata};
  const VirtualHost* in = host(x.request.authority);
  const Route* route = in ? in->match(query) : nullptr;
  if (route && route->weighted) route = pick_cluster(*route, query);
  note_host(x, in);
  note_route(x, route);
  return route;
}

void RouteTable::find_host(Exchange& x) const { note_host(x, host(x.request.authority)); }

}  // namespace outrider
