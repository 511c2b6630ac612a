#include "config/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "config/explain_words.h"
#include "core/arena.h"
#include "core/ascii.h"
#include "http/edge.h"
#include "upstream/rewrite.h"
#include "upstream/route_table.h"
#include "wire/h1_target.h"

namespace outrider::config {
namespace {

using Kind = ExplainedStep::Kind;

// As the listener reads it.
void make_request(const ExplainedRequest& from, const ExplainedUrl& url, Arena& arena, RequestHead& request) {
  request.set_method(from.method);
  request.authority = url.authority;
  if (request.method != Method::connect) request.path = url.path;
  request.headers.add(Known::x_forwarded_proto, url.scheme == "https" ? "https" : "http");
  for (const std::string& field : from.fields) {
    std::size_t colon = std::min(field.find(':'), field.size());
    std::string name = ascii_lower(std::string_view(field).substr(0, colon));
    std::string_view value = std::string_view(field).substr(std::min(colon + 1, field.size()));
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if (name == "host") {
      request.authority = value;
    } else if (name == "x-forwarded-proto") {
      request.headers.set(Known::x_forwarded_proto, value);
    } else {
      request.headers.add(arena.copy(name), value);
    }
  }
}

// The way through one listener.
class Way {
 public:
  Way(const Snapshot& snapshot, std::size_t listener, RouteQuery& query, RequestHead& request,
      std::vector<ExplainedStep>& steps)
      : snapshot_(snapshot), listener_(listener), query_(query), request_(request), steps_(steps) {}

  void tell() {
    const ListenerConfig& l = snapshot_.listeners[listener_];
    say(Kind::place, 0, fmt::format("listener '{}' on {}", l.name, l.address().text()), "static_resources.listeners",
        l.index);
    const auto* table = l.http ? dynamic_cast<const RouteTable*>(l.http->routes.get()) : nullptr;
    if (!table) return say(Kind::answer, 1, "it has no routes of HTTP");
    say(Kind::place, 1, fmt::format("filter chain 1: HTTP connection manager, stat_prefix '{}'", l.http->stat_prefix));
    if (!edge(*l.http, l.address().port())) return;
    lists_ = hosts_of(l.index);
    const VirtualHost* host = table->host(request_.authority);
    if (!host) return say(Kind::answer, 1, fmt::format("404: no virtual host has the domain '{}'", request_.authority));
    auto at = std::ranges::find(table->hosts(), host, &std::unique_ptr<VirtualHost>::get) - table->hosts().begin();
    host_ = static_cast<std::size_t>(at);
    say(Kind::place, 1, fmt::format("virtual host '{}' has the domain for '{}'", host->name(), request_.authority),
        lists_, host_);
    if (const Route* https = host->redirect_to_https(request_)) {
      say(Kind::taken, 1, "require_tls of the virtual host takes it", lists_, host_);
      return action(*https);
    }
    routes(*host);
  }

 private:
  void say(Kind kind, int depth, std::string text) { steps_.push_back({kind, depth, std::move(text), {}}); }
  void say(Kind kind, int depth, std::string text, std::string_view list, std::size_t index, int route = -1) {
    steps_.push_back({kind, depth, std::move(text), snapshot_.sources.find(list, index, route)});
  }
  void say_of_route(Kind kind, std::string text, std::size_t index) {
    say(kind, 1, std::move(text), lists_, host_, static_cast<int>(index));
  }

  // What the connection manager does before it looks for a route; false: it answers by itself.
  bool edge(const HttpOptions& o, std::uint16_t port) {
    auto underscore = [](const Field& f) { return f.name.find('_') != std::string_view::npos; };
    if (o.underscores != Underscores::allow && std::ranges::any_of(request_.headers, underscore)) {
      if (o.underscores == Underscores::reject) return refuse("400: the name of a field has an underscore");
      request_.headers.remove_if(underscore);
      say(Kind::changed, 1, "fields with an underscore in their name are dropped");
    }
    if (o.path_normalization.any() && !normalize(o)) return false;
    std::string host = stripped_host(o, request_, port);
    if (!host.empty()) {
      request_.authority = arena_.copy(host);
      say(Kind::changed, 1, fmt::format("the host becomes '{}'", host));
    }
    if (!o.scheme_to_overwrite.empty()) {
      request_.headers.set(Known::x_forwarded_proto, o.scheme_to_overwrite);
      say(Kind::changed, 1, fmt::format("the scheme becomes '{}'", o.scheme_to_overwrite));
    }
    return true;
  }

  bool normalize(const HttpOptions& o) {
    std::string path;
    PathVerdict verdict = normalize_path(o.path_normalization, request_.path, path);
    if (verdict == PathVerdict::same) return true;
    if (verdict == PathVerdict::refused) return refuse("400: the path cannot be normalized");
    if (verdict == PathVerdict::redirect) return refuse(fmt::format("a redirect, status 307, to '{}'", path));
    request_.path = arena_.copy(path);
    say(Kind::changed, 1, fmt::format("the path becomes '{}'", path));
    return true;
  }

  bool refuse(std::string text) {
    say(Kind::answer, 1, "answer: " + std::move(text));
    return false;
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
    std::string_view path = without_query(request_.path);
    const bool is_connect = request_.method == Method::connect;
    for (std::size_t i = 0; i < host.routes().size(); i++) {
      const Route& r = host.routes()[i];
      std::string why = is_connect != (r.match == PathMatch::connect)
                            ? fmt::format("the method is {}", request_.method_name)
                        : !path_matches(r, path) ? "the path is another"
                        : r.conditions           ? unmet_condition(*r.conditions, query_)
                                                 : std::string();
      if (!why.empty()) {
        say_of_route(Kind::passed_over, fmt::format("{} is passed over: {}; {}", numbered(r, i), path_rule(r), why), i);
        continue;
      }
      if (r.conditions && r.conditions->fraction && !chance(r, i)) continue;
      say_of_route(Kind::taken, fmt::format("{} takes it: {}", numbered(r, i), path_rule(r)), i);
      return action(r);
    }
    say(Kind::answer, 1, "404: no route of the virtual host matches");
  }

  // Whether it takes the request in any case.
  bool chance(const Route& r, std::size_t index) {
    Fraction f = r.conditions->fraction->now(query_.runtime);
    if (f.always()) return true;
    say_of_route(
        f.numerator > 0 ? Kind::taken : Kind::passed_over,
        fmt::format("{} takes {} of {} by chance: {}", numbered(r, index), f.numerator, f.denominator, path_rule(r)),
        index);
    if (f.numerator > 0) action(r);
    if (f.numerator > 0) say(Kind::place, 1, "otherwise");
    return false;
  }

  void tree(const VirtualHost& host) {
    const Route* r = host.match(query_);
    if (!r) return say(Kind::answer, 1, "404: the matcher tree of the virtual host leads to no route");
    say(Kind::taken, 1, fmt::format("the matcher tree leads to the route '{}'", r->name), lists_, host_);
    action(*r);
  }

  void action(const Route& r) {
    if (r.redirect) {
      return say(
          Kind::answer, 1,
          fmt::format("answer: a redirect, status {}, to '{}'", r.redirect->status, redirect_location(request_, r)));
    }
    if (r.direct) return say(Kind::answer, 1, fmt::format("answer: a direct response, status {}", r.direct->status));
    if (r.weighted) return weighted(*r.weighted);
    if (!r.cluster_header.empty()) return by_field(r);
    if (r.cluster) return cluster(*r.cluster, r);
    say(Kind::answer, 1,
        fmt::format("answer: status {}, there is no cluster '{}'", r.cluster_not_found_status, r.missing_cluster));
  }

  void weighted(const WeightedClusters& w) {
    for (std::size_t i = 0; i < w.routes.size(); i++) {
      say(Kind::place, 1, fmt::format("with {} of {} by chance", w.weights[i], w.total));
      action(*w.routes[i]);
    }
  }

  void by_field(const Route& r) {
    std::string name(request_.headers.value(std::string_view(r.cluster_header)));
    auto at = snapshot_.clusters.find(name);
    if (at != snapshot_.clusters.end()) return cluster(*at->second, r);
    say(Kind::answer, 1,
        fmt::format("answer: status {}, the field {} names no cluster: '{}'", r.cluster_not_found_status,
                    r.cluster_header, name));
  }

  void cluster(const Cluster& c, const Route& r) {
    constexpr std::string_view kPolicies[] = {"round robin", "least request", "random", "consistent hashing"};
    if (std::string changes = rewriting(r, request_); !changes.empty()) {
      say(Kind::changed, 1, "the backend sees " + changes);
    }
    std::string timeout = r.timeout.count() ? fmt::format("time-out {} ms", r.timeout.count()) : "no time-out";
    say(Kind::answer, 1,
        fmt::format("cluster '{}', {}, {}", c.name(), kPolicies[static_cast<std::size_t>(c.options.policy)], timeout),
        "static_resources.clusters", cluster_index(c.name()));
    if (c.options.discovery == DiscoveryType::original_dst) {
      return say(Kind::place, 2,
                 "the host to which the client's connection was going, or that a field of the request names");
    }
    if (const ServiceSource* service = c.options.service.get()) {
      return say(Kind::place, 2,
                 fmt::format("the hosts that '{}' has for the service '{}'", service->rest.cluster, service->service));
    }
    const bool by_dns = c.by_dns();
    for (const ConfiguredHost& h : c.options.hosts) {
      say(Kind::place, 2, fmt::format("endpoint {}:{} (found by DNS)", h.address, h.port));
    }
    const HostSetPtr hosts = c.hosts();
    for (std::size_t i = 0; !by_dns && i < hosts->all.size(); i++) {
      say(Kind::place, 2, "endpoint " + hosts->all[i]->address.text());
    }
    if (by_dns ? c.options.hosts.empty() : hosts->all.empty()) say(Kind::answer, 2, "it has no endpoints: 503");
  }

  // In the file; snapshots have them by name.
  std::size_t cluster_index(std::string_view name) const {
    auto at = std::ranges::find(snapshot_.cluster_order, name);
    return static_cast<std::size_t>(at - snapshot_.cluster_order.begin());
  }

  const Snapshot& snapshot_;
  std::size_t listener_;
  RouteQuery& query_;
  RequestHead& request_;
  std::vector<ExplainedStep>& steps_;
  Arena arena_;        // Of what the edge changes.
  std::string lists_;  // The list of virtual hosts of the listener.
  std::size_t host_ = 0;
};

}  // namespace

std::string_view name_of(ExplainedStep::Kind kind) {
  constexpr std::string_view kNames[] = {"place", "changed", "passed over", "taken", "answer"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string not_a_request(const ExplainedRequest& request) {
  const ExplainedUrl url = parse_explained_url(request.url);
  auto is_host = [](const std::string& field) { return ascii_lower(std::string_view(field).substr(0, 5)) == "host:"; };
  if (!url.scheme.empty() && url.scheme != "http" && url.scheme != "https") {
    return fmt::format("'{}' is of another scheme: http://host/path was expected", request.url);
  }
  if (std::ranges::any_of(request.fields, is_host)) return {};
  if (url.authority.empty()) {
    return fmt::format("'{}' has no host: http://host/path was expected, or a path with the field 'host: name'",
                       request.url);
  }
  if (!h1::parse_authority(url.authority).valid) {
    return fmt::format("'{}' is no host: http://host/path was expected", url.authority);
  }
  return {};
}

std::vector<ExplainedStep> explain(const Snapshot& snapshot, const ExplainedRequest& asked, const Runtime& runtime) {
  std::vector<ExplainedStep> steps;
  const ExplainedUrl url = parse_explained_url(asked.url);
  auto has_port = [&](const ListenerConfig& l) {
    return std::ranges::any_of(l.addresses, [&](const ListenerAddress& a) { return a.address.port() == url.port; });
  };
  const bool is_connect = asked.method == "CONNECT";  // The port is that of another service.
  bool chosen = url.port != 0 && !is_connect && std::ranges::any_of(snapshot.listeners, has_port);
  if (url.port != 0 && !chosen && !is_connect) {
    steps.push_back({Kind::place, 0, fmt::format("no listener has the port {}: all are looked at", url.port), {}});
  }
  for (std::size_t i = 0; i < snapshot.listeners.size(); i++) {
    if (chosen && !has_port(snapshot.listeners[i])) continue;
    Arena arena;
    RequestHead request(arena);
    make_request(asked, url, arena, request);
    Random random(1);  // Choices by chance are told, not made.
    RouteQuery query{.request = request, .runtime = runtime, .random = random};
    Way(snapshot, i, query, request, steps).tell();
  }
  if (snapshot.listeners.empty()) steps.push_back({Kind::answer, 0, "there is no listener", {}});
  return steps;
}

std::string to_text(const std::vector<ExplainedStep>& steps) {
  std::string text;
  for (const ExplainedStep& step : steps) {
    text.append(static_cast<std::size_t>(step.depth) * 2, ' ').append(step.text);
    if (!step.source.empty()) text.append("  [").append(step.source).append("]");
    text += '\n';
  }
  return text;
}

ExplainedUrl parse_explained_url(std::string_view url) {
  ExplainedUrl result;
  if (std::size_t scheme = url.find("://"); scheme != url.npos) {
    result.scheme = ascii_lower(url.substr(0, scheme));
    result.port = result.scheme == "https" ? 443 : 80;
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

}  // namespace outrider::config
