#include <re2/re2.h>

#include <set>

#include "config/compile_hashing.h"
#include "config/nearest.h"
#include "config/route_scope.h"
#include "core/ascii.h"
#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"
#include "proto/read_source.h"

namespace outrider::config {

proto::Regex compile_rewrite(Compilation& c, const envoy::type::matcher::v3::RegexMatchAndSubstitute& rewrite,
                             const std::string& path) {
  proto::Regex regex = proto::compile_regex(c, rewrite.pattern(), path + ".pattern");
  std::string error;
  if (c.loaded.lacks(path + ".pattern.regex")) return regex;
  if (regex && !regex->CheckRewriteString(rewrite.substitution(), &error)) c.fail(path + ".substitution", error);
  return regex;
}

namespace {

namespace v3 = envoy::config::route::v3;

std::optional<Format> compile_format(Compilation& c, const std::string& text, const std::string& path) {
  auto format = Format::compile(text, {.omit_empty = true});
  if (format) return std::move(*format);
  c.fail(path, "in the format, at byte " + std::to_string(format.error().position) + ": " + format.error().message);
  return std::nullopt;
}

// Clusters of this configuration, for "did you mean".
std::string unknown_cluster(const Compilation& c, const std::string& name) {
  std::string message = "unknown cluster '" + name + "'";
  if (c.problems.full()) return message;
  std::vector<std::string_view> known;
  for (const std::string& each : c.cluster_names) known.push_back(each);
  std::string_view near = nearest(name, known);
  if (!near.empty()) message.append("; did you mean '").append(near).append("'?");
  return message;
}

}  // namespace

void check_cluster(Compilation& c, const std::string& name, const std::string& path) {
  if (c.cluster_names_known && !c.cluster_names.contains(name)) c.fail(path, unknown_cluster(c, name));
}

namespace {

void set_cluster(Compilation& c, const std::string& name, const std::string& path, bool validate, Route& r) {
  auto found = c.snapshot.clusters.find(name);
  if (found != c.snapshot.clusters.end()) {
    r.cluster = found->second;
    r.cluster_name = r.cluster->name();
  } else {
    if (validate && !name.empty()) check_cluster(c, name, path);
    r.missing_cluster = name;
  }
}

// Of weighted clusters, the route and its scopes; a weighted cluster's always come first.
void set_headers(const RouteScope& scope, const ScopeHeaders& own, const ScopeHeaders* of_cluster, Route& r) {
  r.request_headers.clear();
  r.response_headers.clear();
  auto add = [&](const ScopeHeaders& headers) {
    if (headers.request) r.request_headers.push_back(headers.request);
    if (headers.response) r.response_headers.push_back(headers.response);
  };
  if (of_cluster) add(*of_cluster);
  const ScopeHeaders* order[] = {&own, &scope.host, &scope.all};
  if (scope.specific_headers_win) std::swap(order[0], order[2]);
  for (const ScopeHeaders* each : order) add(*each);
}

void compile_host_rewrite(Compilation& c, const v3::RouteAction& action, const std::string& path, HostRewrite& to) {
  to.literal = action.host_rewrite_literal();
  to.header = ascii_lower(action.host_rewrite_header());
  if (action.has_host_rewrite_path_regex()) {
    to.regex = compile_rewrite(c, action.host_rewrite_path_regex(), path + ".host_rewrite_path_regex");
    to.substitution = action.host_rewrite_path_regex().substitution();
  }
  if (!action.host_rewrite().empty()) to.format = compile_format(c, action.host_rewrite(), path + ".host_rewrite");
  to.of_endpoint = action.auto_host_rewrite().value();
  to.keep_in_forwarded = action.append_x_forwarded_host();
}

void compile_template_rewrite(Compilation& c, const v3::Route& from, const std::string& path, PathRewrite& to) {
  const std::string at = path + ".path_rewrite_policy.typed_config";
  envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig config;
  envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig match;
  const auto& any = from.route().path_rewrite_policy().typed_config();
  if (!config.ParseFromString(any.value())) return c.fail(at, "is not a valid " + any.type_url());
  if (!from.match().has_path_match_policy()) {
    return c.fail(at, "path_rewrite_policy needs a path_match_policy beside it, whose variables it uses");
  }
  if (!match.ParseFromString(from.match().path_match_policy().typed_config().value())) return;
  auto parsed = parse_uri_template(match.path_template());
  if (!parsed) return;  // Said at the match.
  auto rewrite = parse_uri_rewrite(config.path_template_rewrite(), *parsed);
  if (!rewrite) return c.fail(at + ".path_template_rewrite", rewrite.error());
  to.uri_template = std::move(*rewrite);
}

void compile_path_rewrite(Compilation& c, const v3::Route& from, const std::string& path, PathRewrite& to) {
  const v3::RouteAction& action = from.route();
  to.prefix = action.prefix_rewrite();
  if (action.has_regex_rewrite()) {
    to.regex = compile_rewrite(c, action.regex_rewrite(), path + ".regex_rewrite");
    to.substitution = action.regex_rewrite().substitution();
  }
  if (action.has_path_rewrite_policy()) compile_template_rewrite(c, from, path, to);
  if (!action.path_rewrite().empty()) to.format = compile_format(c, action.path_rewrite(), path + ".path_rewrite");
  int forms = !to.prefix.empty() + action.has_regex_rewrite() + action.has_path_rewrite_policy() +
              !action.path_rewrite().empty();
  if (forms > 1) c.fail(path, "only one of prefix_rewrite, regex_rewrite, path_rewrite_policy and path_rewrite");
}

// What metadata_match wants, over what a wider scope wants.
std::shared_ptr<const SubsetCriteria> compile_subset(const envoy::config::core::v3::Metadata& match,
                                                     const std::shared_ptr<const SubsetCriteria>& wider) {
  const auto& spaces = match.filter_metadata();
  auto lb = spaces.find(std::string(kLbMetadata));
  if (lb == spaces.end()) return wider;
  Value::Struct wanted = proto::to_struct(lb->second);
  if (wider) wanted.insert(wider->wanted.begin(), wider->wanted.end());
  return std::make_shared<SubsetCriteria>(std::move(wanted));
}

int not_found_status(v3::RouteAction::ClusterNotFoundResponseCode code) {
  if (code == v3::RouteAction::NOT_FOUND) return 404;
  return code == v3::RouteAction::INTERNAL_SERVER_ERROR ? 500 : 503;
}

void compile_durations(const v3::RouteAction& action, Route& r) {
  const v3::RouteAction::MaxStreamDuration& of_stream = action.max_stream_duration();
  r.limits_stream = action.has_max_stream_duration();
  if (of_stream.has_max_stream_duration()) r.max_stream_duration = to_ms(of_stream.max_stream_duration());
  if (!action.has_max_grpc_timeout() && !of_stream.has_grpc_timeout_header_max()) return;
  auto grpc = std::make_shared<GrpcTimeouts>();
  if (action.has_max_grpc_timeout()) grpc->max = to_ms(action.max_grpc_timeout());
  if (action.has_grpc_timeout_offset()) grpc->offset = to_ms(action.grpc_timeout_offset());
  if (of_stream.has_grpc_timeout_header_max()) grpc->header_max = to_ms(of_stream.grpc_timeout_header_max());
  if (of_stream.has_grpc_timeout_header_offset()) grpc->header_offset = to_ms(of_stream.grpc_timeout_header_offset());
  r.grpc_timeouts = std::move(grpc);
}

void terminate_connect(Compilation& c, const v3::RouteAction::UpgradeConfig& upgrade, const std::string& path,
                       Route& r) {
  r.terminates_connect = equals_ignore_case(upgrade.upgrade_type(), "CONNECT");
  if (!r.terminates_connect) c.fail(path + ".upgrade_configs", "only CONNECT may have a connect_config");
}

// All of a forwarding route but where it goes.
void compile_manner(Compilation& c, const v3::Route& from, const std::string& path, const RouteScope& scope, Route& r) {
  const v3::RouteAction& action = from.route();
  r.retry = action.has_retry_policy() ? compile_retry(c, action.retry_policy(), path + ".retry_policy") : scope.retry;
  r.subset = compile_subset(action.metadata_match(), nullptr);
  r.hash = compile_hash_policy(c, action.hash_policy(), path + ".hash_policy");
  r.mirrors = compile_mirrors(c, action.request_mirror_policies(), path + ".request_mirror_policies", scope);
  r.request_bytes_kept = bytes_kept(from, scope.request_bytes_kept);
  if (action.has_timeout()) r.timeout = to_ms(action.timeout());
  if (action.has_idle_timeout()) r.idle_timeout = to_ms(action.idle_timeout());
  compile_durations(action, r);
  r.cluster_not_found_status = not_found_status(action.cluster_not_found_response_code());
  r.priority = action.priority() == envoy::config::core::v3::HIGH ? Priority::high : Priority::normal;
  compile_path_rewrite(c, from, path, r.path_rewrite);
  compile_host_rewrite(c, action, path, r.host_rewrite);
  std::set<std::string> seen;
  for (const auto& upgrade : action.upgrade_configs()) {
    bool on = !upgrade.has_enabled() || upgrade.enabled().value();
    std::string type = ascii_lower(upgrade.upgrade_type());
    if (!seen.insert(type).second) c.fail(path + ".upgrade_configs", "the upgrade '" + type + "' stands there twice");
    c.routes_upgrade |= on;
    (on ? r.upgrades_on : r.upgrades_off).push_back(std::move(type));
    if (upgrade.has_connect_config()) terminate_connect(c, upgrade, path, r);
  }
}

void compile_weighted(Compilation& c, const v3::Route& from, const std::string& path, const RouteScope& scope,
                      const ScopeHeaders& own, Route& r) {
  const v3::WeightedCluster& proto = from.route().weighted_clusters();
  auto clusters = std::make_shared<WeightedClusters>();
  clusters->runtime_prefix = proto.runtime_key_prefix();
  clusters->random_header = ascii_lower(proto.header_name());
  for (int i = 0; i < proto.clusters_size(); i++) {
    const auto& each = proto.clusters(i);
    std::string at = path + ".weighted_clusters.clusters[" + std::to_string(i) + "]";
    auto choice = std::make_unique<Route>();
    choice->name = r.name;
    choice->metadata = r.metadata;
    choice->tracing = r.tracing;
    choice->forwards = r.forwards;
    choice->cors = r.cors;
    choice->stats = r.stats;
    choice->match = r.match;
    choice->path = r.path;
    choice->regex = r.regex;
    compile_manner(c, from, path, scope, *choice);
    choice->subset = compile_subset(each.metadata_match(), choice->subset);
    if (!each.host_rewrite_literal().empty()) {
      choice->host_rewrite = HostRewrite();
      choice->host_rewrite.literal = each.host_rewrite_literal();
      choice->host_rewrite.untold = true;
    }
    choice->cluster_header = ascii_lower(each.cluster_header());
    if (each.name().empty() == each.cluster_header().empty()) {
      c.fail(at, "one of name and cluster_header is needed");
    } else if (!each.name().empty()) {
      set_cluster(c, each.name(), at + ".name", scope.validate_clusters, *choice);
    }
    ScopeHeaders headers = compile_headers(c, each, at);
    set_headers(scope, own, &headers, *choice);
    choice->filters = compile_route_filters(c, each.typed_per_filter_config(), at, r.filters);
    clusters->weights.push_back(each.weight().value());
    clusters->total += each.weight().value();
    clusters->names.push_back(each.name());
    clusters->routes.push_back(std::move(choice));
  }
  if (clusters->routes.empty()) return c.fail(path + ".weighted_clusters.clusters", "at least one cluster is needed");
  if (clusters->total == 0) c.fail(path + ".weighted_clusters", "the sum of the weights must be greater than 0");
  if (clusters->total > UINT32_MAX) c.fail(path + ".weighted_clusters", "the sum of the weights is above 4294967295");
  r.weighted = std::move(clusters);
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
  d->body = proto::read_data_source(c, action.body(), path + ".body").value_or("");
  if (d->body.size() > bytes_max) {
    c.fail(path + ".body", "has " + std::to_string(d->body.size()) +
                               " bytes, more than max_direct_response_body_size_bytes (" + std::to_string(bytes_max) +
                               ")");
  }
  return d;
}

void compile_forwarding(Compilation& c, const v3::Route& from, const std::string& path, const RouteScope& scope,
                        const ScopeHeaders& own, Route& r) {
  const v3::RouteAction& action = from.route();
  compile_manner(c, from, path, scope, r);
  switch (action.cluster_specifier_case()) {
    case v3::RouteAction::kClusterHeader:
      r.cluster_header = ascii_lower(action.cluster_header());
      if (r.cluster_header.starts_with(':')) c.fail(path + ".cluster_header", "a pseudo-header names no cluster");
      break;
    case v3::RouteAction::kWeightedClusters:
      compile_weighted(c, from, path, scope, own, r);
      break;
    default:
      set_cluster(c, action.cluster(), path + ".cluster", scope.validate_clusters, r);
  }
}

}  // namespace

void compile_action(Compilation& c, const v3::Route& from, const std::string& path, const RouteScope& scope,
                    const ScopeHeaders& headers, Route& r) {
  set_headers(scope, headers, nullptr, r);
  if (from.has_redirect()) {
    r.redirect = compile_redirect(c, from.redirect(), path + ".redirect");
  } else if (from.has_direct_response()) {
    r.direct = compile_direct(c, from.direct_response(), path + ".direct_response", scope.body_bytes_max);
  } else if (from.has_route()) {
    compile_forwarding(c, from, path + ".route", scope, headers, r);
  }
}

}  // namespace outrider::config
