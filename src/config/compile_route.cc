#include <re2/re2.h>

#include "config/compile_parts.h"
#include "config/http_filters.h"
#include "config/nearest.h"
#include "config/read_file.h"
#include "core/ascii.h"
#include "envoy/config/route/v3/route.pb.h"
#include "filters/cors.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

namespace v3 = envoy::config::route::v3;
using proto::compile_regex;
using proto::Regex;
// The substitution `\1` must not name a group that the pattern lacks.
Regex compile_rewrite(Compilation& c, const envoy::type::matcher::v3::RegexMatchAndSubstitute& rewrite,
                      const std::string& path) {
  Regex regex = compile_regex(c, rewrite.pattern().regex(), path + ".pattern.regex");
  std::string error;
  if (c.loaded.lacks(path + ".pattern.regex")) return regex;
  if (regex && !regex->CheckRewriteString(rewrite.substitution(), &error)) c.fail(path + ".substitution", error);
  return regex;
}

void compile_match(Compilation& c, const v3::RouteMatch& match, const std::string& path, Route& r) {
  r.case_sensitive = !match.has_case_sensitive() || match.case_sensitive().value();
  if (match.has_path()) {
    r.match = PathMatch::path;
    r.path = match.path();
  } else if (match.has_safe_regex()) {
    r.match = PathMatch::regex;
    r.regex = compile_regex(c, match.safe_regex().regex(), path + ".safe_regex.regex");
  } else {
    r.match = PathMatch::prefix;
    r.path = match.prefix();
  }
}

// Clusters of this configuration, for "did you mean".
std::string unknown_cluster(const Compilation& c, const std::string& name) {
  std::vector<std::string_view> known;
  for (const std::string& each : c.cluster_names) known.push_back(each);
  std::string message = "unknown cluster '" + name + "'";
  std::string_view near = nearest(name, known);
  if (!near.empty()) message.append("; did you mean '").append(near).append("'?");
  return message;
}

void compile_action(Compilation& c, const v3::RouteAction& action, const std::string& path, bool validate_clusters,
                    Route& r) {
  auto found = c.snapshot.clusters.find(action.cluster());
  if (found != c.snapshot.clusters.end()) {
    r.cluster = found->second;
    r.cluster_name = r.cluster->name();
  } else if (validate_clusters && !action.cluster().empty() && !c.cluster_names.contains(action.cluster())) {
    if (c.cluster_names_known) c.fail(path + ".cluster", unknown_cluster(c, action.cluster()));
  } else {
    r.missing_cluster = action.cluster();
  }
  if (action.has_timeout()) r.timeout = to_ms(action.timeout());
  if (action.has_idle_timeout()) r.idle_timeout = to_ms(action.idle_timeout());
  r.priority = action.priority() == envoy::config::core::v3::HIGH ? Priority::high : Priority::normal;
  r.prefix_rewrite = action.prefix_rewrite();
  if (action.has_regex_rewrite()) {
    r.rewrite_regex = compile_rewrite(c, action.regex_rewrite(), path + ".regex_rewrite");
    r.rewrite_substitution = action.regex_rewrite().substitution();
  }
  r.host_rewrite = action.host_rewrite_literal();
  r.auto_host_rewrite = action.auto_host_rewrite().value();
  for (const auto& upgrade : action.upgrade_configs()) {
    bool on = !upgrade.has_enabled() || upgrade.enabled().value();
    (on ? r.upgrades_on : r.upgrades_off).push_back(ascii_lower(upgrade.upgrade_type()));
  }
}

int redirect_status(v3::RedirectAction::RedirectResponseCode code) {
  switch (code) {
    case v3::RedirectAction::FOUND:
      return 302;
    case v3::RedirectAction::SEE_OTHER:
      return 303;
    case v3::RedirectAction::TEMPORARY_REDIRECT:
      return 307;
    case v3::RedirectAction::PERMANENT_REDIRECT:
      return 308;
    default:
      return 301;
  }
}

std::unique_ptr<Redirect> compile_redirect(Compilation& c, const v3::RedirectAction& action, const std::string& path) {
  auto r = std::make_unique<Redirect>();
  r->status = redirect_status(action.response_code());
  r->host = action.host_redirect();
  if (action.port_redirect()) r->port = action.port_redirect();
  r->path = action.path_redirect();
  r->has_prefix_rewrite = action.has_prefix_rewrite();
  r->prefix_rewrite = action.prefix_rewrite();
  if (action.has_regex_rewrite()) {
    r->regex = compile_rewrite(c, action.regex_rewrite(), path + ".regex_rewrite");
    r->regex_substitution = action.regex_rewrite().substitution();
  }
  r->https = action.https_redirect();
  r->scheme = action.scheme_redirect();
  r->strip_query = action.strip_query();
  return r;
}

std::unique_ptr<DirectResponse> compile_direct(Compilation& c, const v3::DirectResponseAction& action,
                                               const std::string& path, std::size_t bytes_max) {
  auto d = std::make_unique<DirectResponse>();
  d->status = static_cast<int>(action.status());
  const auto& body = action.body();
  if (body.has_filename()) {
    auto text = read_file(body.filename());
    if (!text) {
      c.fail(path + ".body.filename", text.error());
    } else {
      d->body = std::move(*text);
    }
  } else if (!body.environment_variable().empty()) {
    const char* value = std::getenv(body.environment_variable().c_str());
    if (!value) c.fail(path + ".body.environment_variable", "'" + body.environment_variable() + "' is not set");
    d->body = value ? value : "";
  } else {
    d->body = body.inline_string().empty() ? body.inline_bytes() : body.inline_string();
  }
  if (d->body.size() > bytes_max) {
    c.fail(path + ".body", "has " + std::to_string(d->body.size()) +
                               " bytes, more than max_direct_response_body_size_bytes (" + std::to_string(bytes_max) +
                               ")");
  }
  return d;
}

using RouteFilters = std::vector<RouteFilter>;

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
    if (wrapper.has_config()) said.config = route_filter(c, wrapper.config(), slot, path + ".config").config;
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

// Those of a wider scope stay where this one says nothing.
RouteFilters route_filters(Compilation& c, const google::protobuf::Map<std::string, google::protobuf::Any>& configs,
                           const std::string& path, const RouteFilters& wider) {
  RouteFilters result = wider;
  for (const auto& [name, any] : configs) {
    auto slot = static_cast<std::size_t>(c.filter_slot(name));
    if (result.size() <= slot) result.resize(slot + 1);
    RouteFilter said =
        route_filter(c, any, static_cast<int>(slot), path + ".typed_per_filter_config[\"" + name + "\"]");
    if (result[slot].said) said.wider = std::make_shared<const RouteFilter>(std::move(result[slot]));
    result[slot] = std::move(said);
  }
  return result;
}

}  // namespace

std::shared_ptr<const RouteTable> compile_routes(Compilation& c, const v3::RouteConfiguration& routes,
                                                 const std::string& path) {
  auto table = std::make_shared<RouteTable>();
  bool validate = !routes.has_validate_clusters() || routes.validate_clusters().value();
  std::size_t body_max =
      routes.has_max_direct_response_body_size_bytes() ? routes.max_direct_response_body_size_bytes().value() : 4096;
  const RouteFilters of_all = route_filters(c, routes.typed_per_filter_config(), path, {});
  for (int h = 0; h < routes.virtual_hosts_size(); h++) {
    const auto& host = routes.virtual_hosts(h);
    std::string host_path = path + ".virtual_hosts[" + std::to_string(h) + "]";
    const RouteFilters of_host = route_filters(c, host.typed_per_filter_config(), host_path, of_all);
    RouteFilter cors_of_host;
    if (host.has_cors()) cors_of_host = cors_word(c, host.cors(), host_path + ".cors", {});
    std::vector<Route> list;
    list.reserve(static_cast<std::size_t>(host.routes_size()));
    for (int i = 0; i < host.routes_size(); i++) {
      const auto& from = host.routes(i);
      std::string at = host_path + ".routes[" + std::to_string(i) + "]";
      Route r;
      r.name = from.name();
      if (from.has_metadata()) r.metadata = std::make_shared<Metadata>(proto::to_metadata(from.metadata()));
      r.filters = route_filters(c, from.typed_per_filter_config(), at, of_host);
      r.cors =
          from.route().has_cors() ? cors_word(c, from.route().cors(), at + ".route.cors", cors_of_host) : cors_of_host;
      r.forwards = from.has_route();
      compile_match(c, from.match(), at + ".match", r);
      if (from.has_redirect()) {
        r.redirect = compile_redirect(c, from.redirect(), at + ".redirect");
      } else if (from.has_direct_response()) {
        r.direct = compile_direct(c, from.direct_response(), at + ".direct_response", body_max);
      } else if (from.has_route()) {
        compile_action(c, from.route(), at + ".route", validate, r);
      }
      list.push_back(std::move(r));
    }
    std::vector<std::string> domains(host.domains().begin(), host.domains().end());
    std::string wrong = table->add(std::make_unique<VirtualHost>(host.name(), std::move(list)), domains);
    if (!wrong.empty()) c.fail(host_path + ".domains", wrong);
  }
  return table;
}

}  // namespace outrider::config
