// The keys of v2 of filters that v3 does not have, and those that v3 has only as deprecated ones.

#include <fmt/format.h>

#include "config/rules.h"

namespace outrider::config {
namespace {

constexpr std::string_view kGzip = "envoy.extensions.filters.http.gzip.v3.Gzip";

// The service that the bootstrap once named for all.
void rate_limit_service(Upgrade& upgrade, Node& filter, Node&, const Path&) {
  if (upgrade.rate_limit_service == nullptr) return;
  upgrade.rate_limit_service_used = true;
  if (filter.find("rate_limit_service") != nullptr) return;
  Node* copy = upgrade.tree.copy(*upgrade.rate_limit_service);
  upgrade.tree.set(filter, "rate_limit_service", *copy);
}

// A delay was FIXED, the only kind there was.
void delay_type(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  if (value.is_scalar() && (value.text == "FIXED" || value.text == "fixed" || value.text == "0")) return;
  upgrade.error(value.mark(), path.field("type"), "FIXED was expected");
}

void inline_code(Upgrade& upgrade, Node& lua, Node& value, const Path& path) {
  if (lua.find("default_source_code") != nullptr) {
    return upgrade.error(value.mark(), path.field("inline_code"),
                         "the old form of `default_source_code`, and both are here");
  }
  if (value.is_scalar() && value.text.empty()) return;
  put(upgrade, lua, {"default_source_code", "inline_string"}, value);
}

void moved(Upgrade& upgrade, Node& from, Node& to, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (Node* value = upgrade.tree.take(from, key)) upgrade.tree.set(to, key, *value);
  }
}

struct Word {
  std::string_view key, old_word, word;
};

constexpr Word kGzipWords[] = {
    {"compression_level", "DEFAULT", "DEFAULT_COMPRESSION"},
    {"compression_level", "BEST", "BEST_COMPRESSION"},
    {"compression_level", "SPEED", "BEST_SPEED"},
    {"compression_strategy", "DEFAULT", "DEFAULT_STRATEGY"},
    {"compression_strategy", "HUFFMAN", "HUFFMAN_ONLY"},
};

// The filter of one algorithm → the filter of all, with this one.
void gzip(Upgrade& upgrade, Node& filter, Node&, const Path&) {
  Tree& tree = upgrade.tree;
  const Mark mark = filter.value_mark();
  Node* old = tree.make(Kind::mapping, mark);
  upgrade.move_all(filter, *old);
  tree.take(*old, "@type");
  tree.set_scalar(filter, "@type", "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor", false,
                  mark);
  Node* library = tree.set_mapping(filter, "compressor_library", mark);
  Node& config = add_typed_config(tree, *library, "gzip", "envoy.extensions.compression.gzip.compressor.v3.Gzip", mark);
  Node* response = tree.set_mapping(filter, "response_direction_config", mark);
  Node* common = tree.set_mapping(*response, "common_config", mark);
  if (Node* compressor = tree.take(*old, "compressor")) upgrade.move_all(*compressor, *old);
  if (Node* length = tree.take(*old, "content_length")) tree.set(*common, "min_content_length", *length);
  if (Node* enabled = tree.take(*old, "runtime_enabled")) tree.set(*common, "enabled", *enabled);
  moved(upgrade, *old, *common, {"min_content_length", "content_type"});
  moved(upgrade, *old, *response, {"disable_on_etag_header", "remove_accept_encoding_header"});
  if (common->first == nullptr) tree.unlink(*response, *common);
  if (response->first == nullptr) tree.unlink(filter, *response);
  for (const Word& each : kGzipWords) {
    Node* value = old->find(each.key);
    if (value != nullptr && value->is_scalar() && value->text == each.old_word) value->text = each.word;
  }
  upgrade.move_all(*old, config);  // levels and sizes; what is unknown is refused there
}

// --- Network filters

void redis_cluster(Upgrade& upgrade, Node& proxy, Node& value, const Path&) {
  put(upgrade, proxy, {"prefix_routes", "catch_all_route", "cluster"}, value);
}

void catch_all_cluster(Upgrade& upgrade, Node& routes, Node& value, const Path&) {
  put(upgrade, routes, {"catch_all_route", "cluster"}, value);
}

// Names of fields → matchers of them at way[0].way[1].patterns.
void add_patterns(Upgrade& upgrade, Node& service, const Node& names, std::string_view message, std::string_view list) {
  Tree& tree = upgrade.tree;
  Node* matchers = tree.set_mapping(*tree.set_mapping(service, message, names.key_mark()), list, names.key_mark());
  for (const Node& name : names) {
    Node& pattern = append_mapping(upgrade, *matchers, "patterns", name.value_mark());
    tree.set(pattern, "exact", *tree.make_scalar(name.text, false, name.value_mark()));
    tree.set_scalar(pattern, "ignore_case", "true", true, name.value_mark());
  }
}

// What the authorization server sees of the request.
void allowed_request_headers(Upgrade& upgrade, Node& service, Node& value, const Path&) {
  add_patterns(upgrade, service, value, "authorization_request", "allowed_headers");
}

// What of its answer goes on: to the backend when it agrees, else to the client.
void allowed_authorization_headers(Upgrade& upgrade, Node& service, Node& value, const Path&) {
  add_patterns(upgrade, service, value, "authorization_response", "allowed_upstream_headers");
  add_patterns(upgrade, service, value, "authorization_response", "allowed_client_headers");
}

constexpr std::string_view kAuthorizationService = "envoy.extensions.filters.http.ext_authz.v3.HttpService";

constexpr Rule kRules[] = {
    {kAuthorizationService, "allowed_request_headers", allowed_request_headers},
    {kAuthorizationService, "allowed_authorization_headers", allowed_authorization_headers},
    {"envoy.extensions.filters.http.ratelimit.v3.RateLimit", kWhole, rate_limit_service},
    {"envoy.extensions.filters.network.ratelimit.v3.RateLimit", kWhole, rate_limit_service},
    {"envoy.extensions.filters.network.thrift_proxy.filters.ratelimit.v3.RateLimit", kWhole, rate_limit_service},
    {"envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "use_alpha", left_out},
    {"envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig", "host_rewrite", nullptr,
     "host_rewrite_literal"},
    {"envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig", "auto_host_rewrite_header", nullptr,
     "host_rewrite_header"},
    {"envoy.extensions.filters.http.lua.v3.Lua", "inline_code", inline_code},
    {kGzip, kWhole, gzip},
    {kBufferMessage, "max_request_time", max_request_time},
    {kHealthCheckFilterMessage, "endpoint", health_check_endpoint},
    {kFaultDelayMessage, "type", delay_type},
    {kFaultDelayMessage, "percent", percentage},
    {kFaultAbortMessage, "percent", percentage},
    {kTcpProxyMessage, "deprecated_v1", tcp_routes},
    {kRedisProxyMessage, "cluster", redis_cluster},
    {"envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.PrefixRoutes", "catch_all_cluster", catch_all_cluster},
};

}  // namespace

std::span<const Rule> v2_filter_rules() { return kRules; }

}  // namespace outrider::config
