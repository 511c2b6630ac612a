#include "upstream/route_table.h"

#include <re2/re2.h>

#include <algorithm>

#include "core/ascii.h"

namespace outrider {

std::uint32_t PrefixIndex::child(const Node& node, unsigned char byte) const {
  auto at = std::lower_bound(node.children.begin(), node.children.end(), byte,
                             [](const auto& c, unsigned char b) { return c.first < b; });
  return at != node.children.end() && at->first == byte ? at->second : kNone;
}

void PrefixIndex::add(std::string_view prefix, std::uint32_t number) {
  std::uint32_t at = 0;
  for (;;) {
    if (prefix.empty()) {
      nodes_[at].number = std::min(nodes_[at].number, number);
      return;
    }
    auto first = static_cast<unsigned char>(prefix[0]);
    std::uint32_t down = child(nodes_[at], first);
    if (down == kNone) {
      auto added = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({std::string(prefix), number, {}});
      auto& children = nodes_[at].children;
      children.insert(std::upper_bound(children.begin(), children.end(), std::pair{first, UINT32_MAX}), {first, added});
      return;
    }
    const std::string& edge = nodes_[down].edge;
    std::size_t common = 0;
    while (common < edge.size() && common < prefix.size() && edge[common] == prefix[common]) common++;
    if (common < edge.size()) {  // The edge is cut in two.
      Node lower = std::move(nodes_[down]);
      std::string head = lower.edge.substr(0, common);
      lower.edge.erase(0, common);
      auto first_below = static_cast<unsigned char>(lower.edge[0]);
      auto below = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back(std::move(lower));
      nodes_[down] = Node{std::move(head), kNone, {{first_below, below}}};
    }
    prefix.remove_prefix(common);
    at = down;
  }
}

std::uint32_t PrefixIndex::lowest(std::string_view path) const {
  std::uint32_t best = nodes_[0].number;
  const Node* node = &nodes_[0];
  while (!path.empty()) {
    std::uint32_t down = child(*node, static_cast<unsigned char>(path[0]));
    if (down == kNone) break;
    node = &nodes_[down];
    if (!path.starts_with(node->edge)) break;
    path.remove_prefix(node->edge.size());
    best = std::min(best, node->number);
  }
  return best;
}

VirtualHost::VirtualHost(std::string name, std::vector<Route> routes)
    : name_(std::move(name)), routes_(std::move(routes)) {
  if (routes_.size() <= kListedMax) return;
  for (std::uint32_t i = 0; i < routes_.size(); i++) {
    const Route& r = routes_[i];
    if (r.match == PathMatch::prefix && r.case_sensitive) {
      prefixes_.add(r.path, i);
    } else if (r.match == PathMatch::path && r.case_sensitive) {
      paths_.try_emplace(r.path, i);
    } else {
      others_.push_back(i);
    }
  }
}

bool VirtualHost::matches(const Route& r, std::string_view path) {
  switch (r.match) {
    case PathMatch::prefix:
      return r.case_sensitive ? path.starts_with(r.path) : starts_with_ignore_case(path, r.path);
    case PathMatch::path:
      return r.case_sensitive ? path == r.path : equals_ignore_case(path, r.path);
    case PathMatch::regex:
      return re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()), *r.regex);
  }
  return false;
}

const Route* VirtualHost::match(const RequestHead& request) const {
  std::string_view path = without_query(request.path);
  if (path.empty()) return nullptr;  // CONNECT: it would need a connect_matcher.
  if (routes_.size() <= kListedMax) {
    for (const Route& r : routes_) {
      if (matches(r, path)) return &r;
    }
    return nullptr;
  }
  // The first route that matches wins, so of each index the lowest number counts.
  std::uint32_t best = prefixes_.lowest(path);
  if (auto exact = paths_.find(path); exact != paths_.end()) best = std::min(best, exact->second);
  for (std::uint32_t i : others_) {
    if (i >= best) break;
    if (matches(routes_[i], path)) return &routes_[i];
  }
  return best == PrefixIndex::kNone ? nullptr : &routes_[best];
}

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
    if (!fresh) return "domain '" + given + "' belongs to another virtual host already";
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

const RouteEntry* RouteTable::match(Exchange& x) const {
  const Route* route = match(x.request);
  x.record.route_name = route ? std::string_view(route->name) : std::string_view{};
  x.record.cluster_name = route && route->cluster ? std::string_view(route->cluster->name()) : std::string_view{};
  return route;
}

}  // namespace outrider
