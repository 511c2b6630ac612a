// The keys of v2 (2018-20) that v3 does not have, and those that v3 has only as deprecated ones.
#include <fmt/format.h>

#include "config/rules.h"

namespace outrider::config {
namespace {

constexpr std::string_view kHttpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

}  // namespace

Node& add_typed_config(Tree& tree, Node& parent, std::string_view name, std::string_view type, Mark mark) {
  tree.set_scalar(parent, "name", name, false, mark);
  Node* config = tree.set_mapping(parent, "typed_config", mark);
  tree.set_scalar(*config, "@type", fmt::format("type.googleapis.com/{}", type), false, mark);
  return *config;
}

Node* http_protocol_options(Upgrade& upgrade, Node& cluster, const Node& moved, const Path& path) {
  Tree& tree = upgrade.tree;
  const Mark mark = moved.key_mark();
  Node* by_name = tree.set_mapping(cluster, "typed_extension_protocol_options", mark);
  Node* options = tree.set_mapping(*by_name, kHttpProtocolOptions, mark);
  if (options->made) return options;
  if (options->first != nullptr) {
    upgrade.error(mark, path.field(moved.key), "set beside the typed_extension_protocol_options that take its place",
                  fmt::format("move it into {}", kHttpProtocolOptions));
    return nullptr;
  }
  options->made = true;
  tree.set_scalar(*options, "@type", fmt::format("type.googleapis.com/{}", kHttpProtocolOptions), false, mark);
  tree.set_mapping(*tree.set_mapping(*options, "explicit_http_config", mark), "http_protocol_options", mark);
  return options;
}

void allow_websocket(Upgrade& upgrade, Node& route_action, Node& flag, const Path& path) {
  if (!flag.is_scalar() || (flag.text != "true" && flag.text != "false")) {
    upgrade.error(flag.mark(), path.field("use_websocket"), "true or false was expected");
    return;
  }
  if (flag.text == "false") return;
  Node* list = upgrade.tree.set_sequence(route_action, "upgrade_configs", flag.key_mark());
  Node* one = upgrade.tree.make(Kind::mapping, flag.value_mark());
  upgrade.tree.append(*list, *one);
  upgrade.tree.set_scalar(*one, "upgrade_type", "websocket", false, flag.value_mark());
}

void add_hosts(Upgrade& upgrade, Node& cluster, Node& hosts, const Path& path) {
  Tree& tree = upgrade.tree;
  if (cluster.find("load_assignment") != nullptr || cluster.find("loadAssignment") != nullptr) {
    upgrade.error(hosts.mark(), path.field("hosts"), "`hosts` is the old form of `load_assignment`, and both are here");
    return;
  }
  if (hosts.kind == Kind::null) return;
  Node* assignment = tree.make(Kind::mapping, hosts.key_mark());
  tree.set(cluster, "load_assignment", *assignment);
  const Node* name = cluster.find("name");
  tree.set_scalar(*assignment, "cluster_name", name != nullptr && name->is_scalar() ? name->text : "unnamed", false,
                  hosts.key_mark());
  Node* locality = tree.make(Kind::mapping, hosts.key_mark());
  tree.append(*tree.set_sequence(*assignment, "endpoints", hosts.key_mark()), *locality);
  Node* endpoints = tree.set_sequence(*locality, "lb_endpoints", hosts.key_mark());
  Node* host = hosts.is_sequence() ? hosts.first : &hosts;
  while (host != nullptr) {
    Node* next = hosts.is_sequence() ? host->next : nullptr;
    Node* url = host->find("url");  // v1: {url: "tcp://..."}
    Node* address = url != nullptr && host->size() == 1 ? url : host;
    Node* holder = tree.make(Kind::mapping, host->value_mark());
    tree.append(*endpoints, *holder);
    tree.set(*tree.set_mapping(*holder, "endpoint", host->value_mark()), "address", *address);
    host = next;
  }
}

namespace {

constexpr std::string_view kFileLogger = "envoy.access_loggers.file";
constexpr std::string_view kFileAccessLog = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
constexpr std::string_view kTls = "envoy.transport_sockets.tls";

void admin_log(Upgrade& upgrade, Node& admin, Node& value, const Path&) {
  if (value.kind == Kind::null || (value.is_scalar() && value.text.empty())) return;
  Node* list = upgrade.tree.set_sequence(admin, "access_log", value.key_mark());
  Node* one = upgrade.tree.make(Kind::mapping, value.key_mark());
  upgrade.tree.append(*list, *one);
  upgrade.tree.set(add_typed_config(upgrade.tree, *one, kFileLogger, kFileAccessLog, value.key_mark()), "path", value);
}

void tls(Upgrade& upgrade, Node& parent, Node& value, std::string_view type) {
  Node* socket = upgrade.tree.make(Kind::mapping, value.key_mark());
  upgrade.tree.set_scalar(*socket, "name", kTls, false, value.key_mark());
  if (!value.is_mapping()) value = *upgrade.tree.make(Kind::mapping, value.value_mark());
  upgrade.tree.set_scalar(value, "@type", fmt::format("type.googleapis.com/{}", type), false, value.key_mark());
  upgrade.tree.set(*socket, "typed_config", value);
  upgrade.tree.set(parent, "transport_socket", *socket);
}

void downstream_tls(Upgrade& upgrade, Node& parent, Node& value, const Path&) {
  tls(upgrade, parent, value, "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext");
}

void upstream_tls(Upgrade& upgrade, Node& parent, Node& value, const Path&) {
  tls(upgrade, parent, value, "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext");
}

void idle_timeout(Upgrade& upgrade, Node& hcm, Node& value, const Path&) {
  Node* common = upgrade.tree.set_mapping(hcm, "common_http_protocol_options", value.key_mark());
  upgrade.tree.set(*common, "idle_timeout", value);
}

// `host_rewrite` was literal in v2; what v3 means by the word today has operators in it.
void host_rewrite(Upgrade& upgrade, Node& action, Node& value, const Path&) {
  const bool has_operators = value.is_scalar() && value.text.find('%') != std::string_view::npos;
  upgrade.tree.set(action, has_operators ? "host_rewrite" : "host_rewrite_literal", value);
}

void mirror_policy(Upgrade& upgrade, Node& action, Node& value, const Path&) {
  Node* list = upgrade.tree.set_sequence(action, "request_mirror_policies", value.key_mark());
  upgrade.tree.append(*list, value);
}

void regex(Upgrade& upgrade, Node& match, Node& value, const Path&) {
  Node* safe = upgrade.tree.set_mapping(match, "safe_regex", value.key_mark());
  upgrade.tree.set(*safe, "regex", value);
}

// A field that moved from the cluster into its HttpProtocolOptions. max_requests may have made the mapping already.
void into_options(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  Node* options = http_protocol_options(upgrade, cluster, value, path);
  if (options == nullptr || value.kind == Kind::null) return;
  Node* present = options->find(value.key);
  if (present == nullptr || !value.is_mapping()) {
    upgrade.tree.set(*options, value.key, value);
    return;
  }
  for (Node* entry = value.first; entry != nullptr;) {
    Node* next = entry->next;
    upgrade.tree.append(*present, *entry);
    entry = next;
  }
}

// HTTP/2 was chosen by being there, whatever else was.
void explicit_options(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  Node* options = http_protocol_options(upgrade, cluster, value, path);
  if (options == nullptr) return;
  Node* chosen = options->find("explicit_http_config");
  if (value.key == "http_protocol_options" && chosen->find("http2_protocol_options") != nullptr) return;
  upgrade.tree.take(*chosen, "http_protocol_options");
  if (value.kind == Kind::null) value.kind = Kind::mapping;
  upgrade.tree.set(*chosen, value.key, value);
}

Node* find_either(const Node& mapping, std::string_view snake_case, std::string_view camel_case) {
  Node* found = mapping.find(snake_case);
  return found != nullptr ? found : mapping.find(camel_case);
}

// This one counts beside options of the cluster's own, unless they have it too.
void max_requests(Upgrade& upgrade, Node& cluster, Node& value, const Path& path) {
  Node* by_name = cluster.find("typed_extension_protocol_options");
  Node* options = by_name == nullptr ? nullptr : by_name->find(kHttpProtocolOptions);
  if (options == nullptr) options = http_protocol_options(upgrade, cluster, value, path);
  if (options == nullptr) return;
  Node* common = find_either(*options, "common_http_protocol_options", "commonHttpProtocolOptions");
  if (common == nullptr) common = upgrade.tree.set_mapping(*options, "common_http_protocol_options", value.key_mark());
  if (find_either(*common, "max_requests_per_connection", "maxRequestsPerConnection") != nullptr) {
    upgrade.note(value.key_mark(), path.field(value.key),
                 "has no effect: typed_extension_protocol_options says it too");
    return;
  }
  upgrade.tree.set(*common, value.key, value);
}

void lb_policy(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  if (value.is_scalar() && value.text == "ORIGINAL_DST_LB") value.text = "CLUSTER_PROVIDED";
  upgrade.tree.set(cluster, "lb_policy", value);
}

constexpr Rule kRules[] = {
    {kBootstrapMessage, "runtime", nullptr},
    {kAdminMessage, "access_log_path", admin_log},
    {kListenerMessage, "deprecated_v1", nullptr},
    {kFilterChainMessage, "tls_context", downstream_tls},
    {kHcmMessage, "idle_timeout", idle_timeout},
    {kVirtualHostMessage, "per_filter_config", nullptr, "typed_per_filter_config"},
    {kRouteMessage, "per_filter_config", nullptr, "typed_per_filter_config"},
    {kClusterWeightMessage, "per_filter_config", nullptr, "typed_per_filter_config"},
    {kRouteMatchMessage, "regex", regex},
    {kRouteActionMessage, "host_rewrite", host_rewrite},
    {kRouteActionMessage, "auto_host_rewrite_header", nullptr, "host_rewrite_header"},
    {kRouteActionMessage, "request_mirror_policy", mirror_policy},
    {kRouteActionMessage, "use_websocket", allow_websocket},
    {kRouteActionMessage, "websocket_config", nullptr},
    {kClusterMessage, "hosts", add_hosts},
    {kClusterMessage, "tls_context", upstream_tls},
    {kClusterMessage, "drain_connections_on_host_removal", nullptr, "ignore_health_on_host_removal"},
    {kClusterMessage, "extension_protocol_options", nullptr, "typed_extension_protocol_options"},
    {kClusterMessage, "lb_policy", lb_policy},
    {kClusterMessage, "max_requests_per_connection", max_requests},
    {kClusterMessage, "common_http_protocol_options", into_options},
    {kClusterMessage, "upstream_http_protocol_options", into_options},
    {kClusterMessage, "http_protocol_options", explicit_options},
    {kClusterMessage, "http2_protocol_options", explicit_options},
};

}  // namespace

std::span<const Rule> v2_rules() { return kRules; }

}  // namespace outrider::config
