// The keys of v2 of clusters, health checks and TLS that v3 does not have, and those that v3 has only as deprecated
// ones.
#include <fmt/format.h>

#include "config/rules.h"

namespace outrider::config {
namespace {

constexpr std::string_view kHttpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

}  // namespace

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
  if (chosen == nullptr) return;
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

// The protocol of the request that comes in: a choice of its own, with the options of both.
void protocol_selection(Upgrade& upgrade, Node& cluster, Node&, const Path& path) {
  Node* selection = upgrade.tree.take(cluster, "protocol_selection");
  if (selection == nullptr || !selection->is_scalar()) return;
  if (selection->text != "USE_DOWNSTREAM_PROTOCOL" && selection->text != "1") {
    if (selection->text != "USE_CONFIGURED_PROTOCOL" && selection->text != "0") {
      upgrade.error(selection->mark(), path.field("protocol_selection"),
                    "USE_CONFIGURED_PROTOCOL or USE_DOWNSTREAM_PROTOCOL was expected");
    }
    return;
  }
  Node* options = http_protocol_options(upgrade, cluster, *selection, path);
  if (options == nullptr) return;
  upgrade.tree.take(*options, "explicit_http_config");
  Node* both = upgrade.tree.set_mapping(*options, "use_downstream_protocol_config", selection->key_mark());
  for (const std::string_view key : {"http_protocol_options", "http2_protocol_options"}) {
    Node* present = upgrade.tree.take(cluster, key);
    if (present == nullptr || present->kind == Kind::null)
      present = upgrade.tree.make(Kind::mapping, both->value_mark());
    upgrade.tree.set(*both, key, *present);
  }
}

// {name, config or typed_config} → typed_extension_config.
void balancing_policy(Upgrade& upgrade, Node& policy, Node&, const Path&) {
  if (policy.find("typed_extension_config") != nullptr || policy.find("name") == nullptr) return;
  Node* all = upgrade.tree.make(Kind::mapping, policy.value_mark());
  upgrade.move_all(policy, *all);
  upgrade.tree.set(policy, "typed_extension_config", *all);
}

void overprovisioning(Upgrade& upgrade, Node& policy, Node& value, const Path&) {
  if (is_true(&value)) put_text(upgrade, policy, {"overprovisioning_factor"}, "100", true, value.value_mark());
}

// --- Health checks

void service_name(Upgrade& upgrade, Node& check, Node& value, const Path&) {
  if (value.is_scalar() && value.text.empty()) return;
  put(upgrade, check, {"service_name_matcher", "prefix"}, value);
}

void use_http2(Upgrade& upgrade, Node& check, Node& value, const Path&) {
  if (is_true(&value)) put_text(upgrade, check, {"codec_client_type"}, "HTTP2", false, value.value_mark());
}

void redis_health_check(Upgrade& upgrade, Node& check, Node& value, const Path&) {
  Node* custom = upgrade.tree.set_mapping(check, "custom_health_check", value.key_mark());
  Node& config = add_typed_config(upgrade.tree, *custom, "envoy.health_checkers.redis",
                                  "envoy.extensions.health_checkers.redis.v3.Redis", value.key_mark());
  upgrade.move_all(value, config);
}

// --- TLS

// Names of any kind that a certificate has → one matcher for each kind.
void verify_names(Upgrade& upgrade, Node& context, Node& value, const Path&) {
  for_each(upgrade, value, [&](Node& name) {
    for (const std::string_view kind : {"DNS", "URI", "IP_ADDRESS"}) {
      Node& one = append_mapping(upgrade, context, "match_typed_subject_alt_names", name.value_mark());
      upgrade.tree.set_scalar(one, "san_type", kind, false, name.value_mark());
      Node* exact = upgrade.tree.make_scalar(name.text, false, name.value_mark());
      put(upgrade, one, {"matcher", "exact"}, *exact);
    }
  });
}

constexpr std::string_view kHttpCheck = "envoy.config.core.v3.HealthCheck.HttpHealthCheck";
constexpr std::string_view kCommonTls = "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext";
constexpr std::string_view kValidation = "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext";

constexpr Rule kRules[] = {
    {kClusterMessage, kWhole, protocol_selection},
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
    {kRingHashMessage, "deprecated_v1", left_out},
    {"envoy.config.cluster.v3.LoadBalancingPolicy.Policy", kWhole, balancing_policy},
    {"envoy.config.endpoint.v3.ClusterLoadAssignment.Policy", "disable_overprovisioning", overprovisioning},
    {kHttpCheck, "service_name", service_name},
    {kHttpCheck, "use_http2", use_http2},
    {"envoy.config.core.v3.HealthCheck", "redis_health_check", redis_health_check},
    {kCommonTls, "deprecated_v1", left_out},
    {kValidation, "verify_subject_alt_name", verify_names},
};

}  // namespace

std::span<const Rule> v2_cluster_rules() { return kRules; }

}  // namespace outrider::config
