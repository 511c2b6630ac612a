#include "config/explain.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>

#include "core/arena.h"
#include "core/ascii.h"
#include "upstream/route_table.h"
#include "wire/h1_target.h"

namespace outrider::config {
namespace {

std::string wanted_text(const StringMatcher& m) {
  constexpr std::string_view kKinds[] = {"", "beginning with ", "ending with ", "containing ", "matching the pattern "};
  auto kind = static_cast<std::size_t>(m.kind);
  const std::string& text = m.kind == StringMatcher::Kind::regex ? m.regex->pattern() : m.text;
  return fmt::format("{}'{}'{}", kKinds[kind], text, m.ignore_case ? " in any case" : "");
}

std::string wanted_field(const HeaderMatcher& m) {
  std::string wish;
  switch (m.kind) {
    case HeaderMatcher::Kind::present:
      return fmt::format("the field {} {}", m.name, m.present != m.invert ? "is missing" : "is there");
    case HeaderMatcher::Kind::range:
      wish = fmt::format("from {} up to {}", m.begin, m.end);
      break;
    default:
      wish = wanted_text(m.text);
  }
  return fmt::format("the field {} is {}{}", m.name, m.invert ? "" : "not ", wish);
}

// The first condition that the request does not meet; empty: it meets all.
std::string unmet(const RouteConditions& conditions, RouteQuery& query) {
  for (const HeaderMatcher& each : conditions.headers) {
    if (!each.matches(query.request)) return wanted_field(each);
  }
  for (const QueryMatcher& each : conditions.query) {
    if (!each.matches(query.request.path)) {
      return each.present_only ? fmt::format("the parameter {} is missing", each.name)
                               : fmt::format("the parameter {} is not {}", each.name, wanted_text(each.text));
    }
  }
  RouteConditions rest = conditions;
  rest.fraction.reset();
  if (conditions_match(rest, query)) return {};
  return conditions.grpc ? "it is no gRPC request" : "the metadata that filters would have to set is missing";
}

std::string path_rule(const Route& r) {
  std::string_view any_case = r.case_sensitive ? "" : " in any case";
  switch (r.match) {
    case PathMatch::prefix:
      return fmt::format("prefix '{}'{}", r.path, any_case);
    case PathMatch::path:
      return fmt::format("path '{}'{}", r.path, any_case);
    case PathMatch::segments:
      return fmt::format("path_separated_prefix '{}'{}", r.path, any_case);
    case PathMatch::regex:
      return fmt::format("safe_regex '{}'", r.regex->pattern());
    default:
      return fmt::format("uri_template that begins with '{}'", r.path);
  }
}

std::string name_of(const Route& r, std::size_t number) {
  return r.name.empty() ? fmt::format("route {}", number + 1) : fmt::format("route {} '{}'", number + 1, r.name);
}

class Explanation {
 public:
  Explanation(const Snapshot& snapshot, RouteQuery& query) : snapshot_(snapshot), query_(query) {}

  void listener(std::size_t index) {
    const ListenerConfig& l = snapshot_.listeners[index];
    say(fmt::format("listener '{}' on {}", l.name, l.address.text()), "static_resources.listeners", index);
    const auto* table = l.http ? dynamic_cast<const RouteTable*>(l.http->routes.get()) : nullptr;
    if (!table) return say("  it has no routes of HTTP");
    say(fmt::format("  filter chain 1: HTTP connection manager, stat_prefix '{}'", l.http->stat_prefix));
    lists_ = hosts_of(index);
    const VirtualHost* host = table->host(query_.request.authority);
    if (!host) return say(fmt::format("  404: no virtual host has the domain '{}'", query_.request.authority));
    auto at = std::ranges::find(table->hosts(), host, &std::unique_ptr<VirtualHost>::get) - table->hosts().begin();
    host_ = static_cast<std::size_t>(at);
    say(fmt::format("  virtual host '{}' has the domain for '{}'", host->name(), query_.request.authority), lists_,
        host_);
    routes(*host);
  }

  std::vector<ExplainedStep> steps;

 private:
  void say(std::string text) { steps.push_back({std::move(text), {}}); }
  void say(std::string text, std::string_view list, std::size_t index, int route = -1) {
    steps.push_back({std::move(text), snapshot_.sources.find(list, index, route)});
  }

  std::string hosts_of(std::size_t listener) const {
    std::string prefix = fmt::format("static_resources.listeners[{}].", listener);
    for (const std::string& list : snapshot_.sources.lists) {
      if (list.starts_with(prefix)) return list;
    }
    return {};
  }

  void routes(const VirtualHost& host) {
    if (host.options().tree) return tree(host);
    std::string_view path = without_query(query_.request.path);
    for (std::size_t i = 0; i < host.routes().size(); i++) {
      const Route& r = host.routes()[i];
      std::string why = !path_matches(r, path) ? "the path is another"
                        : r.conditions         ? unmet(*r.conditions, query_)
                                               : std::string();
      if (!why.empty()) {
        say(fmt::format("  {} is passed over: {}; {}", name_of(r, i), path_rule(r), why), lists_, host_,
            static_cast<int>(i));
        continue;
      }
      if (r.conditions && r.conditions->fraction && !chance(r, i)) continue;
      say(fmt::format("  {} takes it: {}", name_of(r, i), path_rule(r)), lists_, host_, static_cast<int>(i));
      return action(r);
    }
    say("  404: no route of the virtual host matches");
  }

  // Whether it may take the request at all.
  bool chance(const Route& r, std::size_t number) {
    Fraction f = r.conditions->fraction->now(query_.runtime);
    if (f.always()) return true;
    say(fmt::format("  {} takes {} of {} by chance: {}", name_of(r, number), f.numerator, f.denominator, path_rule(r)),
        lists_, host_, static_cast<int>(number));
    if (f.numerator > 0) action(r);
    if (f.numerator > 0) say("  otherwise");
    return false;
  }

  void tree(const VirtualHost& host) {
    const Route* r = host.match(query_);
    if (!r) return say("  404: the matcher tree of the virtual host leads to no route");
    say(fmt::format("  the matcher tree leads to the route '{}'", r->name), lists_, host_);
    action(*r);
  }

  void action(const Route& r) {
    if (r.redirect) return say(fmt::format("  answer: a redirect, status {}", r.redirect->status));
    if (r.direct) return say(fmt::format("  answer: a direct response, status {}", r.direct->status));
    if (r.weighted) return weighted(*r.weighted);
    if (!r.cluster_header.empty()) return by_field(r);
    if (r.cluster) return cluster(*r.cluster, r);
    say(fmt::format("  answer: status {}, there is no cluster '{}'", r.cluster_not_found_status, r.missing_cluster));
  }

  void weighted(const WeightedClusters& w) {
    for (std::size_t i = 0; i < w.routes.size(); i++) {
      say(fmt::format("  with {} of {} by chance", w.weights[i], w.total));
      action(*w.routes[i]);
    }
  }

  void by_field(const Route& r) {
    std::string name(query_.request.headers.value(std::string_view(r.cluster_header)));
    auto at = snapshot_.clusters.find(name);
    if (at != snapshot_.clusters.end()) return cluster(*at->second, r);
    say(fmt::format("  answer: status {}, the field {} names no cluster: '{}'", r.cluster_not_found_status,
                    r.cluster_header, name));
  }

  void cluster(const Cluster& c, const Route& r) {
    constexpr std::string_view kPolicies[] = {"round robin", "least request", "random"};
    std::string timeout = r.timeout.count() ? fmt::format("time-out {} ms", r.timeout.count()) : "no time-out";
    say(fmt::format("  cluster '{}', {}, {}", c.name(), kPolicies[static_cast<std::size_t>(c.options.policy)], timeout),
        "static_resources.clusters", cluster_index(c.name()));
    for (const ConfiguredHost& h : c.options.hosts) {
      std::string place = h.is_pipe ? h.address : fmt::format("{}:{}", h.address, h.port);
      say(fmt::format("    endpoint {}{}", place,
                      c.options.discovery == DiscoveryType::static_ ? "" : " (found by DNS)"));
    }
    if (c.options.hosts.empty()) say("    it has no endpoints: 503");
  }

  // In the file; snapshots have them by name.
  std::size_t cluster_index(std::string_view name) const {
    auto at = std::ranges::find(snapshot_.cluster_order, name);
    return static_cast<std::size_t>(at - snapshot_.cluster_order.begin());
  }

  const Snapshot& snapshot_;
  RouteQuery& query_;
  std::string lists_;  // The list of virtual hosts of the listener at hand.
  std::size_t host_ = 0;
};

}  // namespace

std::vector<ExplainedStep> explain(const Snapshot& snapshot, RouteQuery& query, std::uint16_t port) {
  Explanation explanation(snapshot, query);
  auto has_port = [&](const ListenerConfig& l) { return l.address.port() == port; };
  bool chosen = port != 0 && std::ranges::any_of(snapshot.listeners, has_port);
  if (port != 0 && !chosen)
    explanation.steps.push_back({fmt::format("no listener has the port {}: all are looked at", port), {}});
  for (std::size_t i = 0; i < snapshot.listeners.size(); i++) {
    if (!chosen || has_port(snapshot.listeners[i])) explanation.listener(i);
  }
  if (snapshot.listeners.empty()) explanation.steps.push_back({"there is no listener", {}});
  return std::move(explanation.steps);
}

ExplainedUrl parse_explained_url(std::string_view url) {
  ExplainedUrl result;
  if (std::size_t scheme = url.find("://"); scheme != url.npos) {
    result.port = url.starts_with("https:") ? 443 : 80;
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find('#'));
  std::size_t end = std::min(url.find_first_of("/?"), url.size());
  result.authority = url.substr(0, end);
  result.path = url.substr(end);
  if (!result.path.starts_with('/')) result.path.insert(0, "/");
  h1::Authority parsed = h1::parse_authority(result.authority);
  std::size_t colon = result.authority.rfind(':');
  if (parsed.valid && parsed.has_port) {
    result.port = static_cast<std::uint16_t>(std::strtoul(result.authority.c_str() + colon + 1, nullptr, 10));
  }
  return result;
}

std::string explained_text(const Snapshot& snapshot, std::string_view method, std::string_view url,
                           const std::vector<std::string>& fields, const Runtime& runtime, std::uint64_t seed) {
  ExplainedUrl parsed = parse_explained_url(url);
  Arena arena;
  RequestHead request(arena);
  request.set_method(method);
  request.authority = parsed.authority;
  request.path = parsed.path;
  request.headers.add(Known::x_forwarded_proto, url.starts_with("https:") ? "https" : "http");
  for (const std::string& field : fields) {
    std::size_t colon = field.find(':');
    std::string name = ascii_lower(std::string_view(field).substr(0, colon));
    std::string_view value =
        colon == std::string::npos ? std::string_view{} : std::string_view(field).substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if (name == "host") {
      request.authority = arena.copy(value);
    } else {
      request.headers.set(arena.copy(name), arena.copy(value));
    }
  }
  Random random(seed);
  RouteQuery query{.request = request, .runtime = runtime, .random = random};
  std::string text;
  for (const ExplainedStep& step : explain(snapshot, query, parsed.port)) {
    text += step.source.empty() ? step.text + "\n" : fmt::format("{}  [{}]\n", step.text, step.source);
  }
  return text;
}

}  // namespace outrider::config
