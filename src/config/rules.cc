#include "config/rules.h"

#include <fmt/format.h>

#include "config/scalar.h"

namespace outrider::config {
namespace {

constexpr std::string_view kRefreshMs = "30000";  // how often v1 asked a discovery service unless told otherwise

void tls(Upgrade& upgrade, Node& parent, Node& value, std::string_view type) {
  const Mark mark = value.key_mark();
  Node* socket = upgrade.tree.make(Kind::mapping, mark);
  upgrade.tree.set_scalar(*socket, "name", "envoy.transport_sockets.tls", false, mark);
  if (value.kind == Kind::null) value.kind = Kind::mapping;
  upgrade.tree.set_scalar(value, "@type",
                          fmt::format("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{}", type), false,
                          mark);
  upgrade.tree.set(*socket, "typed_config", value);
  upgrade.tree.set(parent, "transport_socket", *socket);
}

}  // namespace

RuleTables v1_rules() {
  static const std::span<const Rule> kTables[] = {v1_bootstrap_rules(), v1_route_rules(), v1_cluster_rules(),
                                                  v1_filter_rules()};
  return kTables;
}

RuleTables v2_rules() {
  static const std::span<const Rule> kTables[] = {v2_bootstrap_rules(), v2_route_rules(), v2_cluster_rules(),
                                                  v2_filter_rules()};
  return kTables;
}

void put(Upgrade& upgrade, Node& parent, std::initializer_list<std::string_view> keys, Node& value) {
  Node* at = &parent;
  for (const std::string_view* key = keys.begin(); key + 1 != keys.end(); ++key) {
    at = upgrade.tree.set_mapping(*at, *key, value.key_mark());
  }
  upgrade.tree.set(*at, *(keys.end() - 1), value);
}

void put_text(Upgrade& upgrade, Node& parent, std::initializer_list<std::string_view> keys, std::string_view text,
              bool plain, Mark mark) {
  put(upgrade, parent, keys, *upgrade.tree.make_scalar(text, plain, mark));
}

Node& append_mapping(Upgrade& upgrade, Node& parent, std::string_view key, Mark mark) {
  Node* one = upgrade.tree.make(Kind::mapping, mark);
  upgrade.tree.append(*upgrade.tree.set_sequence(parent, key, mark), *one);
  return *one;
}

bool is_true(const Node* node) {
  bool truth = false;
  return node != nullptr && node->is_scalar() && to_bool(node->text, truth) && truth;
}

bool to_duration(Upgrade& upgrade, Node& value, const Path& path, uint64_t ms_each) {
  uint64_t count = 0;
  if (!value.is_scalar() || !to_unsigned(value.text, count) || count > UINT64_MAX / 1000) {
    upgrade.error(value.mark(), path.field(value.key),
                  fmt::format("a whole number of {} was expected", ms_each == 1 ? "milliseconds" : "seconds"));
    return false;
  }
  const uint64_t ms = count * ms_each;
  value.text = upgrade.tree.keep(ms % 1000 == 0 && ms_each > 1 ? fmt::format("{}s", ms / 1000)
                                                               : fmt::format("{}.{:03}s", ms / 1000, ms % 1000));
  value.plain = false;
  return true;
}

void milliseconds(Upgrade& upgrade, Node& parent, Node& value, const Path& path) {
  const bool is_seconds = value.key.ends_with("_s");
  if (!to_duration(upgrade, value, path, is_seconds ? 1000 : 1)) return;
  upgrade.tree.set(parent, value.key.substr(0, value.key.size() - (is_seconds ? 2 : 3)), value);
}

void left_out(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  upgrade.note(value.key_mark(), path.field(value.key), "has no effect: nothing took its place in v3");
}

void v1_rest_source(Upgrade& upgrade, Node& config_source, const Node& service, const Path& path) {
  const Mark mark = service.key_mark();
  Node* source = upgrade.tree.set_mapping(config_source, "api_config_source", mark);
  const std::string_view type = upgrade.for_envoy ? "REST" : "DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE";
  if (upgrade.for_envoy) upgrade.note(mark, path, "Envoy 1.40 asks this service in v3: it knows no REST of v1");
  upgrade.tree.set_scalar(*source, "api_type", type, false, mark);
  if (const Node* cluster = service.find("cluster")) {
    Node* names = upgrade.tree.set_sequence(*source, "cluster_names", mark);
    upgrade.tree.append(*names, *upgrade.tree.make_scalar(cluster->text, false, mark));
  }
  const Node* delay = service.find("refresh_delay_ms");
  Node* value = delay == nullptr ? nullptr : upgrade.tree.copy(*delay);
  if (value == nullptr || !to_duration(upgrade, *value, path)) {
    value = upgrade.tree.make_scalar(kRefreshMs, true, mark);
    to_duration(upgrade, *value, path);
  }
  upgrade.tree.set(*source, "refresh_delay", *value);
}

void downstream_tls(Upgrade& upgrade, Node& filter_chain, Node& value, const Path&) {
  tls(upgrade, filter_chain, value, "DownstreamTlsContext");
}

void upstream_tls(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  tls(upgrade, cluster, value, "UpstreamTlsContext");
}

void percentage(Upgrade& upgrade, Node& parent, Node& value, const Path&) {
  put(upgrade, parent, {"percentage", "numerator"}, value);
}

void health_check_endpoint(Upgrade& upgrade, Node& filter, Node& value, const Path&) {
  Node& matcher = append_mapping(upgrade, filter, "headers", value.key_mark());
  upgrade.tree.set_scalar(matcher, "name", ":path", false, value.key_mark());
  put(upgrade, matcher, {"string_match", "exact"}, value);
}

void max_request_time(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  if (value.key.ends_with("_s") && !to_duration(upgrade, value, path, 1000)) return;
  Node* hcm = upgrade.http_connection_manager;
  if (hcm == nullptr || hcm->find("request_timeout") != nullptr) {
    upgrade.note(value.key_mark(), path.field(value.key), "has no effect: `request_timeout` took its place");
    return;
  }
  upgrade.note(value.key_mark(), path.field(value.key), "read as `request_timeout` of the HTTP connection manager");
  upgrade.tree.set(*hcm, "request_timeout", value);
}

void tcp_routes(Upgrade& upgrade, Node& tcp_proxy, Node& value, const Path& path) {
  const Path here = path.field(value.key);
  Node* routes = value.find("routes");
  Node* first = routes != nullptr && routes->is_sequence() ? routes->first : nullptr;
  Node* cluster = first == nullptr ? nullptr : upgrade.tree.take(*first, "cluster");
  if (cluster == nullptr) {
    upgrade.error(value.mark(), here, "`routes` with a `cluster` was expected");
    return;
  }
  if (const Node* condition = first->first) {
    upgrade.error(condition->key_mark(), here.field(condition->key),
                  "v3 tells connections apart by filter_chain_match of the listener's filter_chains");
    return;
  }
  for (const Node* other = first->next; other != nullptr; other = other->next) {
    upgrade.note(other->mark(), here, "has no effect: the route before it takes every connection");
  }
  upgrade.tree.set(tcp_proxy, "cluster", *cluster);
}

void use_proxy_proto(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  bool truth = false;
  if (value.kind == Kind::null) return;
  if (!value.is_scalar() || !to_bool(value.text, truth)) {
    upgrade.error(value.mark(), path.field(value.key), "true or false was expected");
    return;
  }
  constexpr std::string_view kName = "envoy.filters.listener.proxy_protocol";
  if (!truth || upgrade.listener == nullptr) return;
  if (const Node* present = upgrade.listener->find("listener_filters")) {
    for (const Node& one : *present) {
      const Node* name = one.find("name");
      if (name != nullptr && name->text == kName) return;
    }
  }
  Node& filter = append_mapping(upgrade, *upgrade.listener, "listener_filters", value.key_mark());
  add_typed_config(upgrade.tree, filter, kName, "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
                   value.key_mark());
}

}  // namespace outrider::config
