// The keys of v1 (2016-18, JSON) of the file as a whole, listeners and HTTP connection managers, as rules on the v3
// messages that took their place.

#include <fmt/format.h>

#include <algorithm>

#include "config/nearest.h"
#include "config/rules.h"
#include "config/scalar.h"

namespace outrider::config {
namespace {

// --- Addresses

// "tcp://host:port", also with `/` at the end and with [v6]; "udp://..." and "host:port" of resolvers; "unix:///path".
void address(Upgrade& upgrade, Node& node, Node&, const Path& path) {
  const std::string_view url = node.text;
  const Mark mark = node.value_mark();
  Tree& tree = upgrade.tree;
  if (url.starts_with("unix://")) {
    node.kind = Kind::mapping;
    tree.set_scalar(*tree.set_mapping(node, "pipe", mark), "path", url.substr(7), false, mark);
    return;
  }
  const bool has_scheme = url.starts_with("tcp://") || url.starts_with("udp://");
  std::string_view rest = has_scheme ? url.substr(6) : url.find("://") == url.npos ? url : std::string_view{};
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
  if (url.starts_with("udp://")) tree.set_scalar(*socket, "protocol", "UDP", false, mark);
  tree.set_scalar(*socket, "address", host, false, mark);
  tree.set_scalar(*socket, "port_value", rest.substr(colon + 1), true, mark);
}

// --- The file

void into_static_resources(Upgrade& upgrade, Node& root, Node& value, std::string_view key) {
  Node* resources = upgrade.tree.set_mapping(root, "static_resources", value.key_mark());
  Node* present = resources->find(key);
  if (present == nullptr || !present->is_sequence() || !value.is_sequence()) {
    upgrade.tree.set(*resources, key, value);
    return;
  }
  for_each(upgrade, value, [&](Node& one) { upgrade.tree.append(*present, one); });
}

void listeners(Upgrade& upgrade, Node& root, Node& value, const Path&) {
  into_static_resources(upgrade, root, value, "listeners");
}

std::string_view text_of(const Node* node) { return node != nullptr && node->is_scalar() ? node->text : ""; }

// {cluster: {...}, refresh_delay_ms}: the cluster becomes one like all others. Returns its name.
std::string_view discovery_cluster(Upgrade& upgrade, Node& root, Node& discovery, const Path& path) {
  static constexpr std::string_view kKeys[] = {"cluster", "refresh_delay_ms"};
  for (const Node& each : discovery) {
    if (std::ranges::find(kKeys, each.key) != std::end(kKeys)) continue;
    const std::string_view meant = nearest(each.key, kKeys);
    upgrade.error(each.key_mark(), path, fmt::format("v1's discovery has no field `{}`", each.key),
                  meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
  }
  Node* cluster = upgrade.tree.take(discovery, "cluster");
  if (cluster == nullptr || cluster->kind == Kind::null) {
    upgrade.error(discovery.mark(), path, "`cluster` is missing");
    return {};
  }
  if (cluster->is_scalar()) return cluster->text;
  const std::string_view name = text_of(cluster->find("name"));
  Node* list = upgrade.tree.set_sequence(*upgrade.tree.set_mapping(root, "static_resources", discovery.key_mark()),
                                         "clusters", discovery.key_mark());
  upgrade.tree.append(*list, *cluster);
  return name;
}

void discovery(Upgrade& upgrade, Node& root, Node& value, std::string_view key, const Path& path) {
  const std::string_view cluster = discovery_cluster(upgrade, root, value, path);
  if (cluster.empty()) return;
  upgrade.tree.set_scalar(value, "cluster", cluster, false, value.key_mark());
  Node* resources = upgrade.tree.set_mapping(root, "dynamic_resources", value.key_mark());
  v1_rest_source(upgrade, *upgrade.tree.set_mapping(*resources, key, value.key_mark()), value, path);
}

void lds(Upgrade& upgrade, Node& root, Node& value, const Path& path) {
  discovery(upgrade, root, value, "lds_config", path.field("lds"));
}

void cluster_manager(Upgrade& upgrade, Node& root, Node& value, const Path& path) {
  const Path here = path.field("cluster_manager");
  if (Node* clusters = upgrade.tree.take(value, "clusters"))
    into_static_resources(upgrade, root, *clusters, "clusters");
  if (Node* cds = upgrade.tree.take(value, "cds")) discovery(upgrade, root, *cds, "cds_config", here.field("cds"));
  if (Node* sds = upgrade.tree.take(value, "sds")) {
    const std::string_view cluster = discovery_cluster(upgrade, root, *sds, here.field("sds"));
    const Node* delay = sds->find("refresh_delay_ms");
    if (delay != nullptr && !to_duration(upgrade, *upgrade.tree.copy(*delay), here.field("sds"))) {
      upgrade.tree.take(*sds, "refresh_delay_ms");  // It has been told: not once for each cluster that asks.
    }
    if (!cluster.empty()) {
      upgrade.tree.set_scalar(*sds, "cluster", cluster, false, sds->key_mark());
      upgrade.sds = sds;
    }
  }
  if (value.first != nullptr) upgrade.tree.set(root, "cluster_manager", value);
}

// The first files had a port only.
void port_of(Upgrade& upgrade, Node& parent, Node& value, const Path&) {
  put_text(upgrade, parent, {"address", "socket_address", "address"}, "0.0.0.0", false, value.key_mark());
  put(upgrade, parent, {"address", "socket_address", "port_value"}, value);
}

void statsd(Upgrade& upgrade, Node& root, Node& value, const Path&) {
  Node& sink = append_mapping(upgrade, root, "stats_sinks", value.key_mark());
  Node& config = add_typed_config(upgrade.tree, sink, "envoy.stat_sinks.statsd", "envoy.config.metrics.v3.StatsdSink",
                                  value.key_mark());
  if (value.key == "statsd_tcp_cluster_name") return upgrade.tree.set(config, "tcp_cluster_name", value);
  if (value.key == "statsd_udp_ip_address" && value.is_scalar()) {
    value.text = upgrade.tree.keep(fmt::format("udp://{}", value.text));
    return upgrade.tree.set(config, "address", value);
  }
  put_text(upgrade, config, {"address", "socket_address", "protocol"}, "UDP", false, value.key_mark());
  put_text(upgrade, config, {"address", "socket_address", "address"}, "127.0.0.1", false, value.key_mark());
  put(upgrade, config, {"address", "socket_address", "port_value"}, value);
}

void watchdog(Upgrade& upgrade, Node& root, Node& value, const Path& path) {
  constexpr std::string_view kBefore = "watchdog_", kBehind = "_ms";
  if (!to_duration(upgrade, value, path)) return;
  const std::string_view key = value.key;
  put(upgrade, root, {"watchdog", key.substr(kBefore.size(), key.size() - kBefore.size() - kBehind.size())}, value);
}

// {type, config: {cluster_name}} → as v2 said it.
void rate_limit_service(Upgrade& upgrade, Node& root, Node& value, const Path& path) {
  Node* config = upgrade.tree.take(value, "config");
  if (config != nullptr) config->key = value.key;
  deprecated_rate_limit_service(upgrade, root, config != nullptr ? *config : value, path);
}

// {driver: {type, config}} → {name, config}.
void driver(Upgrade& upgrade, Node& tracer, Node& value, const Path& path) {
  Node* type = upgrade.tree.take(value, "type");
  Node* config = upgrade.tree.take(value, "config");
  if (type == nullptr) return upgrade.error(value.mark(), path.field("driver"), "`type` is missing");
  upgrade.tree.set(tracer, "name", *type);
  if (config != nullptr) upgrade.tree.set(tracer, "config", *config);
}

// --- Listener

Node& chain_of(Upgrade& upgrade, Node& listener, Mark mark) {
  Node* chains = upgrade.tree.set_sequence(listener, "filter_chains", mark);
  if (chains->first == nullptr) upgrade.tree.append(*chains, *upgrade.tree.make(Kind::mapping, mark));
  return *chains->first;
}

void filters_of_listener(Upgrade& upgrade, Node& listener, Node& value, const Path&) {
  upgrade.tree.set(chain_of(upgrade, listener, value.key_mark()), "filters", value);
}

void ssl_of_listener(Upgrade& upgrade, Node& listener, Node& value, const Path&) {
  upgrade.tree.set(chain_of(upgrade, listener, value.key_mark()), "tls_context", value);
}

// `type` said in which direction a filter works; it never was a choice.
void direction(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  for (const std::string_view known : {"read", "write", "both", "decoder", "encoder"}) {
    if (value.is_scalar() && value.text == known) return;
  }
  upgrade.error(value.mark(), path.field("type"), "the direction of a filter was expected",
                "read, write, both, decoder, encoder");
}

// --- HTTP connection manager

void idle_timeout_s(Upgrade& upgrade, Node& hcm, Node& value, const Path& path) {
  if (!to_duration(upgrade, value, path, 1000)) return;
  put(upgrade, hcm, {"common_http_protocol_options", "idle_timeout"}, value);
}

// ["Subject", "SAN"] → {subject: true, uri: true}.
void client_cert_details(Upgrade& upgrade, Node& hcm, Node& value, const Path& path) {
  if (!value.is_sequence()) return upgrade.tree.set(hcm, value.key, value);
  Node* details = upgrade.tree.set_mapping(hcm, "set_current_client_cert_details", value.key_mark());
  for (const Node& one : value) {
    const std::string_view name = one.is_scalar() ? one.text : std::string_view{};
    if (name != "Subject" && name != "SAN") {
      upgrade.error(one.mark(), path.field(value.key), "Subject or SAN was expected");
      continue;
    }
    upgrade.tree.set_scalar(*details, name == "SAN" ? "uri" : "subject", "true", true, one.mark());
  }
}

void rds_cluster(Upgrade& upgrade, Node& rds, Node& value, const Path& path) {
  Node* holder = upgrade.tree.make(Kind::mapping, value.key_mark());
  if (Node* delay = upgrade.tree.take(rds, "refresh_delay_ms")) upgrade.tree.set(*holder, "refresh_delay_ms", *delay);
  const Mark mark = value.key_mark();
  upgrade.tree.set(*holder, "cluster", value);
  v1_rest_source(upgrade, *upgrade.tree.set_mapping(rds, "config_source", mark), *holder, path);
}

// {path, format} → a file logger.
void into_file_logger(Upgrade& upgrade, Node& log, Node& value, const Path&) {
  Node* config = log.find("typed_config");
  if (config == nullptr) {
    config = &add_typed_config(upgrade.tree, log, "envoy.access_loggers.file",
                               "envoy.extensions.access_loggers.file.v3.FileAccessLog", value.key_mark());
  }
  upgrade.tree.set(*config, value.key, value);
}

// --- Filters of an access log

struct LogFilter {
  std::string_view type, field;
};

constexpr LogFilter kLogFilters[] = {
    {"status_code", "status_code_filter"},
    {"duration", "duration_filter"},
    {"not_healthcheck", "not_health_check_filter"},
    {"traceable_request", "traceable_filter"},
    {"runtime", "runtime_filter"},
    {"logical_and", "and_filter"},
    {"logical_or", "or_filter"},
};

// {op, value, runtime_key} → {comparison: {op, value: {default_value, runtime_key}}}.
void comparison(Upgrade& upgrade, Node& filter, std::string_view type, const Path& path) {
  Node* op = upgrade.tree.take(filter, "op");
  Node* value = upgrade.tree.take(filter, "value");
  Node* key = upgrade.tree.take(filter, "runtime_key");
  if (op == nullptr || value == nullptr || !op->is_scalar()) {
    return upgrade.error(filter.mark(), path, "`op` and `value` were expected");
  }
  op->text = op->text == ">=" ? "GE" : op->text == "=" ? "EQ" : op->text == "<=" ? "LE" : op->text;
  put(upgrade, filter, {"comparison", "op"}, *op);
  put(upgrade, filter, {"comparison", "value", "default_value"}, *value);
  if (key != nullptr) return put(upgrade, filter, {"comparison", "value", "runtime_key"}, *key);
  // v3 wants a key. Nobody sets this one.
  put_text(upgrade, filter, {"comparison", "value", "runtime_key"},
           type == "duration" ? "access_log.duration" : "access_log.status_code", false, filter.value_mark());
}

// {type, ...} → {TYPE_filter: {...}}.
void log_filter(Upgrade& upgrade, Node& filter, Node&, const Path& path) {
  Node* type = upgrade.tree.take(filter, "type");
  if (type == nullptr) return;
  for (const LogFilter& known : kLogFilters) {
    if (!type->is_scalar() || known.type != type->text) continue;
    Node* content = upgrade.tree.make(Kind::mapping, filter.value_mark());
    upgrade.move_all(filter, *content);
    if (known.type == "status_code" || known.type == "duration") comparison(upgrade, *content, known.type, path);
    if (Node* key = known.type == "runtime" ? upgrade.tree.take(*content, "key") : nullptr) {
      upgrade.tree.set(*content, "runtime_key", *key);
    }
    upgrade.tree.set(filter, known.field, *content);
    return;
  }
  upgrade.error(type->mark(), path.field("type"), fmt::format("`{}` is no filter of access logs", text_of(type)));
}

constexpr std::string_view kRdsMessage = "envoy.extensions.filters.network.http_connection_manager.v3.Rds";

constexpr Rule kRules[] = {
    {kBootstrapMessage, "listeners", listeners},
    {kBootstrapMessage, "cluster_manager", cluster_manager},
    {kBootstrapMessage, "lds", lds},
    {kBootstrapMessage, "rate_limit_service", rate_limit_service},
    {kBootstrapMessage, "statsd_udp_ip_address", statsd},
    {kBootstrapMessage, "statsd_local_udp_port", statsd},
    {kBootstrapMessage, "statsd_tcp_cluster_name", statsd},
    {kBootstrapMessage, "stats_flush_interval_ms", milliseconds},
    {kBootstrapMessage, "watchdog_miss_timeout_ms", watchdog},
    {kBootstrapMessage, "watchdog_megamiss_timeout_ms", watchdog},
    {kBootstrapMessage, "watchdog_kill_timeout_ms", watchdog},
    {kBootstrapMessage, "watchdog_multikill_timeout_ms", watchdog},
    {kTracerMessage, "driver", driver},
    {kAddressMessage, "", address},
    {kAdminMessage, "port", port_of},

    {kListenerMessage, "port", port_of},
    {kListenerMessage, "filters", filters_of_listener},
    {kListenerMessage, "ssl_context", ssl_of_listener},
    {kListenerMessage, "use_proxy_proto", use_proxy_proto},
    {kFilterMessage, "type", direction},
    {kHttpFilterMessage, "type", direction},

    {kHcmMessage, "filters", nullptr, "http_filters"},
    {kHcmMessage, "http1_settings", nullptr, "http_protocol_options"},
    {kHcmMessage, "http2_settings", nullptr, "http2_protocol_options"},
    {kHcmMessage, "idle_timeout_s", idle_timeout_s},
    {kHcmMessage, "drain_timeout_ms", milliseconds},
    {kHcmMessage, "forward_client_cert", nullptr, "forward_client_cert_details"},
    {kHcmMessage, "set_current_client_cert_details", client_cert_details},
    {kRdsMessage, "cluster", rds_cluster},
    {kAccessLogMessage, "path", into_file_logger},
    {kAccessLogMessage, "format", into_file_logger},
    {"envoy.config.accesslog.v3.AccessLogFilter", kWhole, log_filter},
};

}  // namespace

std::span<const Rule> v1_bootstrap_rules() { return kRules; }

}  // namespace outrider::config
