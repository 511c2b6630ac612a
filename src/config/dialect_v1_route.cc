// The keys of v1 of routes and virtual hosts, as rules on the v3 messages that took their place.

#include "config/rules.h"

namespace outrider::config {
namespace {

void require_ssl(Upgrade& upgrade, Node& host, Node& value, const Path&) {
  if (value.is_scalar())
    value.text = value.text == "external_only" ? "EXTERNAL_ONLY" : value.text == "all" ? "ALL" : value.text;
  upgrade.tree.set(host, "require_tls", value);
}

void into_match(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  put(upgrade, route, {"match", value.key}, value);
}
void into_action(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  put(upgrade, route, {"route", value.key}, value);
}
void into_redirect(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  put(upgrade, route, {"redirect", value.key}, value);
}

void route_timeout(Upgrade& upgrade, Node& route, Node& value, const Path& path) {
  if (to_duration(upgrade, value, path)) put(upgrade, route, {"route", "timeout"}, value);
}

// {key, default} → a fraction of a hundred.
void runtime_of_route(Upgrade& upgrade, Node& route, Node& value, const Path& path) {
  Node* key = upgrade.tree.take(value, "key");
  Node* number = upgrade.tree.take(value, "default");
  if (key == nullptr || number == nullptr) {
    return upgrade.error(value.mark(), path.field("runtime"), "`key` and `default` were expected");
  }
  put(upgrade, route, {"match", "runtime_fraction", "default_value", "numerator"}, *number);
  put(upgrade, route, {"match", "runtime_fraction", "runtime_key"}, *key);
}

void shadow(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  put(upgrade, route, {"route", "request_mirror_policy"}, value);
}

// One policy, or a list of them: {header_name} → {header: {header_name}}.
void hash_policy(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  for_each(upgrade, value, [&](Node& one) {
    Node* action = upgrade.tree.set_mapping(route, "route", value.key_mark());
    Node* list = upgrade.tree.set_sequence(*action, "hash_policy", value.key_mark());
    Node* name = one.is_mapping() ? upgrade.tree.take(one, "header_name") : nullptr;
    if (name != nullptr) put(upgrade, one, {"header", "header_name"}, *name);
    one.has_key = false;
    upgrade.tree.append(*list, one);
  });
}

// What filters and loggers may read of a route.
void opaque_config(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  put(upgrade, route, {"metadata", "filter_metadata", "envoy.filters.http.router"}, value);
}

// %CLIENT_IP%, as formats of that time called the client's address.
void name_client(Upgrade& upgrade, Node& value) {
  constexpr std::string_view kOld = "%CLIENT_IP%", kNew = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";
  std::string text(value.text);
  for (std::size_t at = text.find(kOld); at != text.npos; at = text.find(kOld, at + kNew.size())) {
    text.replace(at, kOld.size(), kNew);
  }
  if (text != value.text) value.text = upgrade.tree.keep(text);
}

// {key, value} → {header: {key, value}}.
void header_to_add(Upgrade& upgrade, Node& option, Node&, const Path&) {
  for (const std::string_view key : {"key", "value"}) {
    Node* value = upgrade.tree.take(option, key);
    if (value == nullptr) continue;
    if (key == "value" && value->is_scalar()) name_client(upgrade, *value);
    put(upgrade, option, {"header", key}, *value);
  }
}

struct Action {
  std::string_view type;
  std::string_view field;
};

constexpr Action kActions[] = {
    {"source_cluster", "source_cluster"},   {"destination_cluster", "destination_cluster"},
    {"request_headers", "request_headers"}, {"remote_address", "remote_address"},
    {"generic_key", "generic_key"},         {"header_value_match", "header_value_match"},
};

// {type: T, ...} → {T: {...}}.
void rate_limit_action(Upgrade& upgrade, Node& action, Node&, const Path& path) {
  Node* type = upgrade.tree.take(action, "type");
  if (type == nullptr) return;
  for (const Action& known : kActions) {
    if (!type->is_scalar() || type->text != known.type) continue;
    Node* content = upgrade.tree.make(Kind::mapping, action.value_mark());
    upgrade.move_all(action, *content);
    return upgrade.tree.set(action, known.field, *content);
  }
  upgrade.error(
      type->mark(), path.field("type"), "the type of an action of rate limits was expected",
      "source_cluster, destination_cluster, request_headers, remote_address, generic_key, header_value_match");
}

constexpr Rule kRules[] = {
    {kVirtualHostMessage, "require_ssl", require_ssl},
    {kRouteMessage, "prefix", into_match},
    {kRouteMessage, "path", into_match},
    {kRouteMessage, "regex", into_match},
    {kRouteMessage, "case_sensitive", into_match},
    {kRouteMessage, "headers", into_match},
    {kRouteMessage, "query_parameters", into_match},
    {kRouteMessage, "runtime", runtime_of_route},
    {kRouteMessage, "cluster", into_action},
    {kRouteMessage, "cluster_header", into_action},
    {kRouteMessage, "cluster_not_found_response_code", into_action},
    {kRouteMessage, "weighted_clusters", into_action},
    {kRouteMessage, "timeout_ms", route_timeout},
    {kRouteMessage, "prefix_rewrite", into_action},
    {kRouteMessage, "host_rewrite", into_action},
    {kRouteMessage, "auto_host_rewrite", into_action},
    {kRouteMessage, "use_websocket", into_action},
    {kRouteMessage, "retry_policy", into_action},
    {kRouteMessage, "priority", into_action},
    {kRouteMessage, "rate_limits", into_action},
    {kRouteMessage, "include_vh_rate_limits", into_action},
    {kRouteMessage, "hash_policy", hash_policy},
    {kRouteMessage, "cors", into_action},
    {kRouteMessage, "shadow", shadow},
    {kRouteMessage, "host_redirect", into_redirect},
    {kRouteMessage, "path_redirect", into_redirect},
    {kRouteMessage, "opaque_config", opaque_config},
    {"envoy.config.route.v3.RetryPolicy", "per_try_timeout_ms", milliseconds},
    {"envoy.config.route.v3.RateLimit.Action", kWhole, rate_limit_action},
    {"envoy.config.core.v3.HeaderValueOption", kWhole, header_to_add},
};

}  // namespace

std::span<const Rule> v1_route_rules() { return kRules; }

}  // namespace outrider::config
