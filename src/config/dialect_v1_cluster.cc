// The keys of v1 of clusters and of TLS, as rules on the v3 messages that took their place.

#include <fmt/format.h>

#include "config/rules.h"

namespace outrider::config {
namespace {

constexpr std::string_view kHealthCheckMessage = "envoy.config.core.v3.HealthCheck";
constexpr std::string_view kOutlierMessage = "envoy.config.cluster.v3.OutlierDetection";

bool is_text(const Node* node, std::string_view text) {
  return node != nullptr && node->is_scalar() && node->text == text;
}

// `sds` means the one service that cluster_manager.sds names.
void discovery_type(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  if (is_text(&value, "sds")) {
    value.text = "EDS";
    Node* service = cluster.find("eds_cluster_config");
    if (service == nullptr || service->find("eds_config") == nullptr) {
      if (upgrade.sds == nullptr) {
        upgrade.error(value.mark(), path.field("type"), "the type `sds` needs `sds` in the cluster_manager");
      } else {
        Node* config = upgrade.tree.set_mapping(*upgrade.tree.set_mapping(cluster, "eds_cluster_config", value.mark()),
                                                "eds_config", value.mark());
        v1_rest_source(upgrade, *config, *upgrade.sds, path);
      }
    }
  }
  upgrade.tree.set(cluster, "type", value);
}

// v1 asked for IPv4 addresses unless told otherwise.
void lookup_family(Upgrade& upgrade, Node& cluster, Node&, const Path&) {
  const Node* type = cluster.find("type");
  const bool is_v1 = cluster.find("lb_type") != nullptr || cluster.find("connect_timeout_ms") != nullptr;
  const bool asks_dns = is_text(type, "strict_dns") || is_text(type, "logical_dns");
  if (!is_v1 || !asks_dns || cluster.find("dns_lookup_family") != nullptr) return;
  upgrade.tree.set_scalar(cluster, "dns_lookup_family", "V4_ONLY", false, type->value_mark());
}

void lb_type(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  if (is_text(&value, "original_dst_lb")) value.text = "CLUSTER_PROVIDED";
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

// Words with commas between; `http2` is the only one there was.
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
  if (is_text(type, "sds") || is_text(type, "EDS")) {
    return put(upgrade, cluster, {"eds_cluster_config", "service_name"}, value);
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

void health_check(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  Node* list = upgrade.tree.set_sequence(cluster, "health_checks", value.key_mark());
  value.has_key = false;
  upgrade.tree.append(*list, value);
}

// [{binary: "hex"}, ...]
void payloads(Upgrade& upgrade, Node& check, std::string_view key, Node& list, const Path& path) {
  Node* out = key == "receive" ? upgrade.tree.set_sequence(check, key, list.key_mark()) : nullptr;
  std::string all;
  for (const Node& one : list) {
    const Node* bytes = one.find("binary");
    if (bytes == nullptr || !bytes->is_scalar()) {
      upgrade.error(one.mark(), path.field(key), "{\"binary\": digits} was expected");
    } else if (out != nullptr) {
      Node* text = upgrade.tree.make(Kind::mapping, one.value_mark());
      upgrade.tree.set_scalar(*text, "text", bytes->text, false, bytes->value_mark());
      upgrade.tree.append(*out, *text);
    } else {
      all += bytes->text;
    }
  }
  if (out == nullptr && !all.empty()) put_text(upgrade, check, {key, "text"}, all, false, list.value_mark());
}

// {type, path, service_name, send, receive, ...} → the checker of that type.
void health_checker(Upgrade& upgrade, Node& check, Node&, const Path& path) {
  Node* type = upgrade.tree.take(check, "type");
  if (type == nullptr) return;
  if (is_text(type, "http")) {
    Node* http = upgrade.tree.set_mapping(check, "http_health_check", type->key_mark());
    for (const std::string_view key : {"path", "service_name"}) {
      if (Node* value = upgrade.tree.take(check, key)) upgrade.tree.set(*http, key, *value);
    }
  } else if (is_text(type, "tcp")) {
    Node* tcp = upgrade.tree.set_mapping(check, "tcp_health_check", type->key_mark());
    for (const std::string_view key : {"send", "receive"}) {
      if (Node* list = upgrade.tree.take(check, key)) payloads(upgrade, *tcp, key, *list, path);
    }
  } else if (is_text(type, "redis")) {
    Node* redis = upgrade.tree.set_mapping(check, "custom_health_check", type->key_mark());
    Node& config = add_typed_config(upgrade.tree, *redis, "envoy.health_checkers.redis",
                                    "envoy.extensions.health_checkers.redis.v3.Redis", type->key_mark());
    if (Node* key = upgrade.tree.take(check, "redis_key")) upgrade.tree.set(config, "key", *key);
  } else {
    upgrade.error(type->mark(), path.field("type"), "http, tcp or redis was expected");
  }
}

// --- TLS

Node& certificate(Upgrade& upgrade, Node& context, Mark mark) {
  Node* common = upgrade.tree.set_mapping(context, "common_tls_context", mark);
  Node* list = upgrade.tree.set_sequence(*common, "tls_certificates", mark);
  if (list->first == nullptr) upgrade.tree.append(*list, *upgrade.tree.make(Kind::mapping, mark));
  return *list->first;
}

void cert_chain_file(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  put(upgrade, certificate(upgrade, context, value.key_mark()), {"certificate_chain", "filename"}, value);
}

void private_key_file(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  put(upgrade, certificate(upgrade, context, value.key_mark()), {"private_key", "filename"}, value);
}

void ca_cert_file(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  put(upgrade, context, {"common_tls_context", "validation_context", "trusted_ca", "filename"}, value);
}

void verify(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  Node* common = upgrade.tree.set_mapping(context, "common_tls_context", value.key_mark());
  Node* validation = upgrade.tree.set_mapping(*common, "validation_context", value.key_mark());
  if (!value.is_scalar()) return upgrade.tree.set(*validation, value.key, value);
  const std::string_view key = value.key;
  value.has_key = false;
  upgrade.tree.append(*upgrade.tree.set_sequence(*validation, key, value.key_mark()), value);
}

// "a,b" or "a:b" → a list of texts.
Node& split(Upgrade& upgrade, const Node& value, char separator) {
  Node* list = upgrade.tree.make(Kind::sequence, value.value_mark());
  for (std::string_view rest = value.text; !rest.empty();) {
    const size_t end = rest.find(separator);
    upgrade.tree.append(*list, *upgrade.tree.make_scalar(rest.substr(0, end), false, value.value_mark()));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return *list;
}

void alpn_protocols(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  put(upgrade, context, {"common_tls_context", "alpn_protocols"},
      value.is_scalar() ? split(upgrade, value, ',') : value);
}

void tls_params(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  put(upgrade, context, {"common_tls_context", "tls_params", value.key},
      value.is_scalar() ? split(upgrade, value, ':') : value);
}

void session_ticket_keys(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  Node* keys = upgrade.tree.set_mapping(context, "session_ticket_keys", value.key_mark());
  Node* list = upgrade.tree.set_sequence(*keys, "keys", value.key_mark());
  for_each(upgrade, value, [&](Node& path_of_file) {
    Node* source = upgrade.tree.make(Kind::mapping, path_of_file.value_mark());
    upgrade.tree.set(*source, "filename", path_of_file);
    upgrade.tree.append(*list, *source);
  });
}

#define TLS_RULES(message)                                                                        \
  {message, "cert_chain_file", cert_chain_file}, {message, "private_key_file", private_key_file}, \
      {message, "ca_cert_file", ca_cert_file}, {message, "verify_certificate_hash", verify},      \
      {message, "verify_subject_alt_name", verify}, {message, "alpn_protocols", alpn_protocols},  \
      {message, "alt_alpn_protocols", left_out}, {message, "cipher_suites", tls_params}, {        \
    message, "ecdh_curves", tls_params                                                            \
  }

constexpr Rule kRules[] = {
    {kClusterMessage, kWhole, lookup_family},
    {kClusterMessage, "type", discovery_type},
    {kClusterMessage, "lb_type", lb_type},
    {kClusterMessage, "connect_timeout_ms", milliseconds},
    {kClusterMessage, "cleanup_interval_ms", milliseconds},
    {kClusterMessage, "dns_refresh_rate_ms", milliseconds},
    {kClusterMessage, "features", features},
    {kClusterMessage, "http2_settings", http2_settings},
    {kClusterMessage, "service_name", service_name},
    {kClusterMessage, "ssl_context", upstream_tls},
    {kClusterMessage, "health_check", health_check},
    {kRingHashMessage, "use_std_hash", left_out},
    {kCircuitBreakersMessage, "default", thresholds},
    {kCircuitBreakersMessage, "high", thresholds},
    {kOutlierMessage, "interval_ms", milliseconds},
    {kOutlierMessage, "base_ejection_time_ms", milliseconds},
    {kHealthCheckMessage, kWhole, health_checker},
    {kHealthCheckMessage, "timeout_ms", milliseconds},
    {kHealthCheckMessage, "interval_ms", milliseconds},
    {kHealthCheckMessage, "interval_jitter_ms", milliseconds},
    TLS_RULES("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
    TLS_RULES("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    {"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", "session_ticket_key_paths", session_ticket_keys},
};

#undef TLS_RULES

}  // namespace

std::span<const Rule> v1_cluster_rules() { return kRules; }

}  // namespace outrider::config
