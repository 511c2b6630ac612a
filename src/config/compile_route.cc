#include "config/compile_tracing.h"
#include "config/http_filters.h"
#include "config/route_scope.h"
#include "envoy/config/route/v3/route.pb.h"
#include "filters/cors.h"

namespace outrider::config {
namespace {

namespace v3 = envoy::config::route::v3;

bool is_type(const google::protobuf::Any& any, std::string_view name) {
  std::string_view url = any.type_url();
  return url.ends_with(name) && url.size() > name.size() && url[url.size() - name.size() - 1] == '/';
}

RouteFilter route_filter(Compilation& c, const google::protobuf::Any& any, int slot, const std::string& path) {
  if (is_type(any, "envoy.config.route.v3.FilterConfig")) {
    v3::FilterConfig wrapper;
    if (!wrapper.ParseFromString(any.value())) return {};
    if (!wrapper.has_config() && !wrapper.disabled()) c.fail(path, "says nothing: neither `disabled` nor a `config`");
    RouteFilter said{nullptr, true, wrapper.disabled(), nullptr};
    if (!wrapper.config().type_url().empty()) {
      said.config = route_filter(c, wrapper.config(), slot, path + ".config").config;
    }
    return said;
  }
  std::string_view url = any.type_url();
  const proto::HttpFilterType* type = find_http_filter_of_route(url.substr(url.rfind('/') + 1));
  if (!type) {
    c.fail(path, "no filter of outrider takes this from a route");
    return {};
  }
  return {type->make_route({c, c, path, any.value(), "", slot}), true, false, nullptr};
}

// What RouteAction.cors or VirtualHost.cors says, over that of the wider scope.
RouteFilter cors_word(Compilation& c, const v3::CorsPolicy& policy, const std::string& path, const RouteFilter& wider) {
  RouteFilter said{filters::make_cors_policy(c, policy, path), true, false, nullptr};
  if (wider.said) said.wider = std::make_shared<const RouteFilter>(wider);
  return said;
}

}  // namespace

RouteFilters compile_route_filters(Compilation& c,
                                   const google::protobuf::Map<std::string, google::protobuf::Any>& configs,
                                   const std::string& path, const RouteFilters& wider) {
  RouteFilters result = wider;
  for (const auto& [name, any] : configs) {
    auto slot = static_cast<std::size_t>(c.filter_slot(name));
    if (result.size() <= slot) result.resize(slot + 1);
    const std::string at = path + ".typed_per_filter_config[\"" + name + "\"]";
    c.filters_of_routes.try_emplace(name, at);
    RouteFilter said = route_filter(c, any, static_cast<int>(slot), at);
    if (result[slot].said) said.wider = std::make_shared<const RouteFilter>(std::move(result[slot]));
    result[slot] = std::move(said);
  }
  return result;
}

namespace {

LocalStats stats_of(Compilation& c, const std::string& name) {
  return LocalStats(c.process.stats.scope(name, virtual_cluster_stat_table()), c.process.workers);
}

VirtualHostOptions host_options(Compilation& c, const v3::VirtualHost& host, const std::string& path) {
  VirtualHostOptions o;
  o.require_tls = host.require_tls() == v3::VirtualHost::ALL             ? RequireTls::all
                  : host.require_tls() == v3::VirtualHost::EXTERNAL_ONLY ? RequireTls::external_only
                                                                         : RequireTls::none;
  o.count_attempts_in_request = host.include_request_attempt_count();
  o.count_attempts_in_response = host.include_attempt_count_in_response();
  o.tells_timeout_retry = host.include_is_timeout_retry_header();
  if (host.has_metadata()) o.metadata = std::make_shared<Metadata>(proto::to_metadata(host.metadata()));
  const std::string prefix = "vhost." + host.name() + ".vcluster.";
  for (int i = 0; i < host.virtual_clusters_size(); i++) {
    const auto& each = host.virtual_clusters(i);
    std::string at = path + ".virtual_clusters[" + std::to_string(i) + "].headers";
    o.clusters.push_back({proto::compile_list<HeaderMatcher>(c, each.headers(), at),
                          stats_of(c, prefix + each.name() + "."), each.name(), false});
  }
  // What no other one takes.
  if (!o.clusters.empty()) o.clusters.push_back({{}, stats_of(c, prefix + "other."), "other", true});
  return o;
}

}  // namespace

Route compile_route(Compilation& c, const v3::Route& from, const std::string& path, const RouteScope& scope) {
  Route r;
  r.name = from.name();
  if (from.has_metadata()) r.metadata = std::make_shared<Metadata>(proto::to_metadata(from.metadata()));
  if (!from.stat_prefix().empty()) {
    r.stats = std::make_shared<LocalStats>(stats_of(c, scope.stat_prefix + "route." + from.stat_prefix() + "."));
  }
  r.filters = compile_route_filters(c, from.typed_per_filter_config(), path, scope.filters);
  r.tracing = compile_route_tracing(c, from, path);
  r.forwards = from.has_route();
  r.answers = from.has_redirect() || from.has_direct_response();
  r.cors = from.route().has_cors() ? cors_word(c, from.route().cors(), path + ".route.cors", scope.cors) : scope.cors;
  compile_match(c, from.match(), path + ".match", r);
  compile_action(c, from, path, scope, compile_headers(c, from, path), r);
  return r;
}

std::shared_ptr<const RouteTable> compile_routes(Compilation& c, const v3::RouteConfiguration& routes,
                                                 const std::string& path) {
  auto table = std::make_shared<RouteTable>();
  table->ignore_port(routes.ignore_port_in_host_matching());
  RouteScope all;
  all.validate_clusters = !routes.has_validate_clusters() || routes.validate_clusters().value();
  all.specific_headers_win = routes.most_specific_header_mutations_wins();
  if (routes.has_max_direct_response_body_size_bytes()) {
    all.body_bytes_max = routes.max_direct_response_body_size_bytes().value();
  }
  all.all = compile_headers(c, routes, path);
  all.mirrors = compile_mirrors(c, routes.request_mirror_policies(), path + ".request_mirror_policies", all);
  all.filters = compile_route_filters(c, routes.typed_per_filter_config(), path, {});
  for (int h = 0; h < routes.virtual_hosts_size(); h++) {
    const auto& host = routes.virtual_hosts(h);
    std::string at = path + ".virtual_hosts[" + std::to_string(h) + "]";
    RouteScope scope = all;
    scope.host = compile_headers(c, host, at);
    scope.filters = compile_route_filters(c, host.typed_per_filter_config(), at, all.filters);
    if (host.has_cors()) scope.cors = cors_word(c, host.cors(), at + ".cors", {});
    scope.stat_prefix = "vhost." + host.name() + ".";
    if (host.has_retry_policy()) scope.retry = compile_retry(c, host.retry_policy(), at + ".retry_policy");
    scope.mirrors = compile_mirrors(c, host.request_mirror_policies(), at + ".request_mirror_policies", all);
    scope.request_bytes_kept = bytes_kept(host, std::nullopt);
    std::vector<Route> list;
    list.reserve(static_cast<std::size_t>(host.routes_size()));
    for (int i = 0; i < host.routes_size(); i++) {
      list.push_back(compile_route(c, host.routes(i), at + ".routes[" + std::to_string(i) + "]", scope));
    }
    std::vector<std::string> domains(host.domains().begin(), host.domains().end());
    VirtualHostOptions options = host_options(c, host, at);
    if (host.has_matcher()) options.tree = compile_match_tree(c, host.matcher(), at + ".matcher", scope);
    auto made = std::make_unique<VirtualHost>(host.name(), std::move(list), std::move(options));
    std::string wrong = table->add(std::move(made), domains);
    if (!wrong.empty()) c.fail(at + ".domains", wrong);
  }
  return table;
}

}  // namespace outrider::config
