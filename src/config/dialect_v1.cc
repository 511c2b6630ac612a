// The keys of v1 (2016-18, JSON), as rules on the v3 messages that took their place.

#include <fmt/format.h>

#include "config/rules.h"
#include "config/scalar.h"

namespace outrider::config {
namespace {

// --- Values ---------------------------------------------------------------------------------------------------------

// A number of milliseconds as a Duration.
bool to_duration(Upgrade& upgrade, Node& value, const Path& path) {
  uint64_t ms = 0;
  if (!value.is_scalar() || !to_unsigned(value.text, ms)) {
    upgrade.error(value.mark(), path.field(value.key), "a whole number of milliseconds was expected");
    return false;
  }
  value.text = upgrade.tree.keep(fmt::format("{}.{:03}s", ms / 1000, ms % 1000));
  value.plain = false;
  return true;
}

std::string_view without_suffix(std::string_view key, std::string_view suffix) {
  return key.ends_with(suffix) ? key.substr(0, key.size() - suffix.size()) : key;
}

// `x_ms` → `x` as a Duration.
void milliseconds(Upgrade& upgrade, Node& parent, Node& value, const Path& path) {
  if (to_duration(upgrade, value, path)) upgrade.tree.set(parent, without_suffix(value.key, "_ms"), value);
}

// "tcp://host:port", also with `/` at the end and with [v6]; "unix:///path".
void address(Upgrade& upgrade, Node& node, Node&, const Path& path) {
  const std::string_view url = node.text;
  const Mark mark = node.value_mark();
  Tree& tree = upgrade.tree;
  if (url.starts_with("unix://")) {
    node.kind = Kind::mapping;
    tree.set_scalar(*tree.set_mapping(node, "pipe", mark), "path", url.substr(7), false, mark);
    return;
  }
  std::string_view rest = url.starts_with("tcp://") ? url.substr(6) : std::string_view{};
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const size_t colon = rest.rfind(':');
  uint64_t port = 0;
  if (colon == std::string_view::npos || colon == 0 || !to_unsigned(rest.substr(colon + 1), port) || port > 65535) {
    upgrade.error(mark, path, fmt::format("`{}` is no address", url), "tcp://host:port or unix:///path");
    node.kind = Kind::null;
    return;
  }
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  node.kind = Kind::mapping;
  Node* socket = tree.set_mapping(node, "socket_address", mark);
  tree.set_scalar(*socket, "address", host, false, mark);
  tree.set_scalar(*socket, "port_value", rest.substr(colon + 1), true, mark);
}

// --- The file
// ---------------------------------------------------------------------------------------------------------

void into_static_resources(Upgrade& upgrade, Node& root, Node& value, std::string_view key) {
  Node* resources = upgrade.tree.set_mapping(root, "static_resources", value.key_mark());
  Node* present = resources->find(key);
  if (present == nullptr || !present->is_sequence() || !value.is_sequence()) {
    upgrade.tree.set(*resources, key, value);
    return;
  }
  for (Node* one = value.first; one != nullptr;) {
    Node* next = one->next;
    upgrade.tree.append(*present, *one);
    one = next;
  }
}

void listeners(Upgrade& upgrade, Node& root, Node& value, const Path&) {
  into_static_resources(upgrade, root, value, "listeners");
}

void cluster_manager(Upgrade& upgrade, Node& root, Node& value, const Path& path) {
  const Path here = path.field("cluster_manager");
  if (Node* clusters = upgrade.tree.take(value, "clusters"))
    into_static_resources(upgrade, root, *clusters, "clusters");
  for (const std::string_view key : {"sds", "cds"}) {
    if (const Node* discovery = upgrade.tree.take(value, key)) {
      upgrade.error(discovery->key_mark(), here.field(key), fmt::format("`{}` is not built into outrider yet", key));
    }
  }
  if (value.first != nullptr) upgrade.tree.set(root, "cluster_manager", value);
}

// The first files had a port only.
void port_of(Upgrade& upgrade, Node& parent, Node& value, std::string_view host) {
  Node* socket = upgrade.tree.set_mapping(*upgrade.tree.set_mapping(parent, "address", value.key_mark()),
                                          "socket_address", value.key_mark());
  upgrade.tree.set_scalar(*socket, "address", host, false, value.key_mark());
  upgrade.tree.set(*socket, "port_value", value);
}

void listener_port(Upgrade& upgrade, Node& listener, Node& value, const Path&) {
  port_of(upgrade, listener, value, "0.0.0.0");
}

void admin_port(Upgrade& upgrade, Node& admin, Node& value, const Path&) { port_of(upgrade, admin, value, "0.0.0.0"); }

// --- Listener, filters
// ------------------------------------------------------------------------------------------------

void filters_of_listener(Upgrade& upgrade, Node& listener, Node& value, const Path&) {
  Node* chains = upgrade.tree.set_sequence(listener, "filter_chains", value.key_mark());
  Node* chain = upgrade.tree.make(Kind::mapping, value.key_mark());
  upgrade.tree.append(*chains, *chain);
  upgrade.tree.set(*chain, "filters", value);
}

// `type` said in which direction a filter works; it never was a choice.
void direction(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  for (const std::string_view known : {"read", "write", "both", "decoder", "encoder"}) {
    if (value.is_scalar() && value.text == known) return;
  }
  upgrade.error(value.mark(), path.field("type"), "the direction of a filter was expected",
                "read, write, both, decoder, encoder");
}

void idle_timeout_s(Upgrade& upgrade, Node& hcm, Node& value, const Path& path) {
  uint64_t seconds = 0;
  if (!value.is_scalar() || !to_unsigned(value.text, seconds)) {
    upgrade.error(value.mark(), path.field(value.key), "a whole number of seconds was expected");
    return;
  }
  value.text = upgrade.tree.keep(fmt::format("{}s", seconds));
  Node* common = upgrade.tree.set_mapping(hcm, "common_http_protocol_options", value.key_mark());
  upgrade.tree.set(*common, "idle_timeout", value);
}

// {path, format, filter} → a file logger.
void into_file_logger(Upgrade& upgrade, Node& log, Node& value, const Path&) {
  Node* config = log.find("typed_config");
  if (config == nullptr) {
    config = &add_typed_config(upgrade.tree, log, "envoy.access_loggers.file",
                               "envoy.extensions.access_loggers.file.v3.FileAccessLog", value.key_mark());
  }
  upgrade.tree.set(*config, value.key, value);
}

// --- Routes
// -----------------------------------------------------------------------------------------------------------

void require_ssl(Upgrade& upgrade, Node& host, Node& value, const Path&) {
  if (value.is_scalar())
    value.text = value.text == "external_only" ? "EXTERNAL_ONLY" : value.text == "all" ? "ALL" : value.text;
  upgrade.tree.set(host, "require_tls", value);
}

void into(Upgrade& upgrade, Node& parent, Node& value, std::string_view part, std::string_view key) {
  upgrade.tree.set(*upgrade.tree.set_mapping(parent, part, value.key_mark()), key, value);
}

void into_match(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  into(upgrade, route, value, "match", value.key);
}
void into_action(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  into(upgrade, route, value, "route", value.key);
}
void into_redirect(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  into(upgrade, route, value, "redirect", value.key);
}

void route_timeout(Upgrade& upgrade, Node& route, Node& value, const Path& path) {
  if (to_duration(upgrade, value, path)) into(upgrade, route, value, "route", "timeout");
}

void runtime_of_route(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  into(upgrade, route, value, "match", "runtime_fraction");
}

void shadow(Upgrade& upgrade, Node& route, Node& value, const Path&) {
  into(upgrade, route, value, "route", "request_mirror_policy");
}

// --- Clusters
// ---------------------------------------------------------------------------------------------------------

void discovery_type(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  if (value.is_scalar() && value.text == "sds") value.text = "EDS";
  upgrade.tree.set(cluster, "type", value);
}

void lb_type(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  if (value.is_scalar() && value.text == "original_dst_lb") value.text = "CLUSTER_PROVIDED";
  upgrade.tree.set(cluster, "lb_policy", value);
}

void choose_http2(Upgrade& upgrade, Node& cluster, Node& value, Node* settings, const Path& path) {
  Node* options = http_protocol_options(upgrade, cluster, value, path);
  if (options == nullptr) return;
  Node* chosen = options->find("explicit_http_config");
  upgrade.tree.take(*chosen, "http_protocol_options");
  if (settings != nullptr) {
    upgrade.tree.take(*chosen, "http2_protocol_options");
    upgrade.tree.set(*chosen, "http2_protocol_options", *settings);
  } else {
    upgrade.tree.set_mapping(*chosen, "http2_protocol_options", value.key_mark());
  }
}

void features(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  if (value.is_scalar() && value.text.empty()) return;
  if (!value.is_scalar() || value.text != "http2") {
    upgrade.error(value.mark(), path.field("features"), "`http2` was expected");
    return;
  }
  choose_http2(upgrade, cluster, value, nullptr, path);
}

void http2_settings(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  choose_http2(upgrade, cluster, value, &value, path);
}

// Only a cluster that asks a discovery service reads its name; others may have one for the reader's sake.
void service_name(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  const Node* type = cluster.find("type");
  if (type != nullptr && type->is_scalar() && (type->text == "sds" || type->text == "EDS")) {
    into(upgrade, cluster, value, "eds_cluster_config", "service_name");
    return;
  }
  upgrade.note(value.key_mark(), path.field("service_name"), "has no effect unless the type is `sds`");
}

// {default: {...}, high: {...}} → thresholds with their priorities.
void thresholds(Upgrade& upgrade, Node& breakers, Node& value, const Path& path) {
  if (!value.is_mapping()) {
    upgrade.error(value.mark(), path.field(value.key), "a mapping was expected");
    return;
  }
  Node* list = upgrade.tree.set_sequence(breakers, "thresholds", value.key_mark());
  const std::string_view priority = value.key == "high" ? "HIGH" : "DEFAULT";
  const Mark mark = value.key_mark();
  value.has_key = false;
  upgrade.tree.append(*list, value);
  upgrade.tree.set_scalar(value, "priority", priority, false, mark);
}

constexpr Rule kRules[] = {
    {kBootstrapMessage, "listeners", listeners},
    {kBootstrapMessage, "cluster_manager", cluster_manager},
    {kBootstrapMessage, "lds", nullptr},
    {kBootstrapMessage, "runtime", nullptr},
    {kBootstrapMessage, "tracing", nullptr},
    {kBootstrapMessage, "rate_limit_service", nullptr},
    {kBootstrapMessage, "statsd_udp_ip_address", nullptr},
    {kBootstrapMessage, "statsd_local_udp_port", nullptr},
    {kBootstrapMessage, "statsd_tcp_cluster_name", nullptr},
    {kBootstrapMessage, "stats_flush_interval_ms", milliseconds},
    {kBootstrapMessage, "watchdog_miss_timeout_ms", nullptr},
    {kBootstrapMessage, "watchdog_megamiss_timeout_ms", nullptr},
    {kBootstrapMessage, "watchdog_kill_timeout_ms", nullptr},
    {kBootstrapMessage, "watchdog_multikill_timeout_ms", nullptr},
    {kAddressMessage, "", address},

    {kAdminMessage, "port", admin_port},
    {kListenerMessage, "port", listener_port},
    {kListenerMessage, "filters", filters_of_listener},
    {kListenerMessage, "ssl_context", nullptr},
    {kListenerMessage, "use_proxy_proto", nullptr},
    {kFilterMessage, "type", direction},
    {kHttpFilterMessage, "type", direction},
    {kHcmMessage, "filters", nullptr, "http_filters"},
    {kHcmMessage, "http1_settings", nullptr, "http_protocol_options"},
    {kHcmMessage, "http2_settings", nullptr, "http2_protocol_options"},
    {kHcmMessage, "idle_timeout_s", idle_timeout_s},
    {kHcmMessage, "drain_timeout_ms", milliseconds},
    {kHcmMessage, "forward_client_cert", nullptr},
    {kAccessLogMessage, "path", into_file_logger},
    {kAccessLogMessage, "format", into_file_logger},

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
    {kRouteMessage, "hash_policy", into_action},
    {kRouteMessage, "cors", into_action},
    {kRouteMessage, "shadow", shadow},
    {kRouteMessage, "host_redirect", into_redirect},
    {kRouteMessage, "path_redirect", into_redirect},
    {kRouteMessage, "opaque_config", nullptr},

    {kClusterMessage, "type", discovery_type},
    {kClusterMessage, "lb_type", lb_type},
    {kClusterMessage, "connect_timeout_ms", milliseconds},
    {kClusterMessage, "cleanup_interval_ms", milliseconds},
    {kClusterMessage, "dns_refresh_rate_ms", milliseconds},
    {kClusterMessage, "features", features},
    {kClusterMessage, "http2_settings", http2_settings},
    {kClusterMessage, "service_name", service_name},
    {kClusterMessage, "ssl_context", nullptr},
    {kClusterMessage, "health_check", nullptr},
    {kCircuitBreakersMessage, "default", thresholds},
    {kCircuitBreakersMessage, "high", thresholds},
};

}  // namespace

std::span<const Rule> v1_rules() { return kRules; }

}  // namespace outrider::config
