#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "config/upgrade.h"

// What the rules of more than one dialect need.
namespace outrider::config {

// Messages that have rules, by their v3 names.
inline constexpr std::string_view kBootstrapMessage = "envoy.config.bootstrap.v3.Bootstrap";
inline constexpr std::string_view kAdminMessage = "envoy.config.bootstrap.v3.Admin";
inline constexpr std::string_view kAddressMessage = "envoy.config.core.v3.Address";
inline constexpr std::string_view kListenerMessage = "envoy.config.listener.v3.Listener";
inline constexpr std::string_view kFilterChainMessage = "envoy.config.listener.v3.FilterChain";
inline constexpr std::string_view kFilterMessage = "envoy.config.listener.v3.Filter";
inline constexpr std::string_view kHttpFilterMessage =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter";
inline constexpr std::string_view kHcmMessage =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
inline constexpr std::string_view kAccessLogMessage = "envoy.config.accesslog.v3.AccessLog";
inline constexpr std::string_view kVirtualHostMessage = "envoy.config.route.v3.VirtualHost";
inline constexpr std::string_view kRouteMessage = "envoy.config.route.v3.Route";
inline constexpr std::string_view kRouteMatchMessage = "envoy.config.route.v3.RouteMatch";
inline constexpr std::string_view kRouteActionMessage = "envoy.config.route.v3.RouteAction";
inline constexpr std::string_view kClusterWeightMessage = "envoy.config.route.v3.WeightedCluster.ClusterWeight";
inline constexpr std::string_view kClusterMessage = "envoy.config.cluster.v3.Cluster";
inline constexpr std::string_view kCircuitBreakersMessage = "envoy.config.cluster.v3.CircuitBreakers";
inline constexpr std::string_view kHeaderMatcherMessage = "envoy.config.route.v3.HeaderMatcher";
inline constexpr std::string_view kVirtualClusterMessage = "envoy.config.route.v3.VirtualCluster";
inline constexpr std::string_view kTracerMessage = "envoy.config.trace.v3.Tracing.Http";
inline constexpr std::string_view kTcpProxyMessage = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
inline constexpr std::string_view kRedisProxyMessage = "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy";
inline constexpr std::string_view kHealthCheckFilterMessage =
    "envoy.extensions.filters.http.health_check.v3.HealthCheck";
inline constexpr std::string_view kBufferMessage = "envoy.extensions.filters.http.buffer.v3.Buffer";
inline constexpr std::string_view kFaultDelayMessage = "envoy.extensions.filters.common.fault.v3.FaultDelay";
inline constexpr std::string_view kFaultAbortMessage = "envoy.extensions.filters.http.fault.v3.FaultAbort";
inline constexpr std::string_view kApiConfigSourceMessage = "envoy.config.core.v3.ApiConfigSource";
inline constexpr std::string_view kRingHashMessage = "envoy.config.cluster.v3.Cluster.RingHashLbConfig";

// The tables of rules, one a file.
std::span<const Rule> v1_bootstrap_rules();
std::span<const Rule> v1_route_rules();
std::span<const Rule> v1_cluster_rules();
std::span<const Rule> v1_filter_rules();
std::span<const Rule> v2_bootstrap_rules();
std::span<const Rule> v2_route_rules();
std::span<const Rule> v2_cluster_rules();
std::span<const Rule> v2_filter_rules();

// --- What rules are made of

// Puts a value at parent.a.b.c for the keys a, b, c. What is missing on the way is made.
void put(Upgrade& upgrade, Node& parent, std::initializer_list<std::string_view> keys, Node& value);
// The same with a text that no file has.
void put_text(Upgrade& upgrade, Node& parent, std::initializer_list<std::string_view> keys, std::string_view text,
              bool plain, Mark mark);
// Appends a mapping to the list parent.key, which is made if it is missing, and returns it.
Node& append_mapping(Upgrade& upgrade, Node& parent, std::string_view key, Mark mark);
// Calls for each of a list, or for a value that stands alone. The value has been taken out of its list.
template <class Function>
void for_each(Upgrade& upgrade, Node& list, Function function) {
  if (!list.is_sequence()) return function(list);
  for (Node* one = list.first; one != nullptr;) {
    Node* next = one->next;
    upgrade.tree.unlink(list, *one);
    function(*one);
    one = next;
  }
}

bool is_true(const Node* node);
// A whole number of milliseconds or seconds as a Duration, in place; false with an error if it is none.
bool to_duration(Upgrade& upgrade, Node& value, const Path& path, uint64_t ms_each = 1);

// Rules: `x_ms` → `x`; `x_s` → `x`, as Durations; what has no successor and no effect.
void milliseconds(Upgrade& upgrade, Node& parent, Node& value, const Path& path);
void left_out(Upgrade& upgrade, Node& parent, Node& value, const Path& path);

// config_source.api_config_source for a service of v1, {cluster: NAME, refresh_delay_ms}. v1's own paths and texts are
// those of the API type that today's API calls deprecated and unavailable.
void v1_rest_source(Upgrade& upgrade, Node& config_source, const Node& service, const Path& path);

// {key: PERCENT} → percentage: {numerator: PERCENT}.
void percentage(Upgrade& upgrade, Node& parent, Node& value, const Path& path);
// The path that a health check asks for → headers: [{name: ":path", ...}].
void health_check_endpoint(Upgrade& upgrade, Node& filter, Node& value, const Path& path);
// How a request was limited in time by the buffer filter, and is by the HTTP connection manager today.
void max_request_time(Upgrade& upgrade, Node& filter, Node& value, const Path& path);
// {routes: [{cluster, ...}]} → cluster.
void tcp_routes(Upgrade& upgrade, Node& tcp_proxy, Node& value, const Path& path);
// A name of other times for what the listener filter does now.
void use_proxy_proto(Upgrade& upgrade, Node& parent, Node& value, const Path& path);
// ssl_context of v1, tls_context of v2 → transport_socket.
void downstream_tls(Upgrade& upgrade, Node& filter_chain, Node& value, const Path& path);
void upstream_tls(Upgrade& upgrade, Node& cluster, Node& value, const Path& path);
void runtime(Upgrade& upgrade, Node& bootstrap, Node& value, const Path& path);
void deprecated_rate_limit_service(Upgrade& upgrade, Node& bootstrap, Node& value, const Path& path);

// {name: NAME, typed_config: {"@type": TYPE}} made of nothing; returns the typed_config.
Node& add_typed_config(Tree& tree, Node& parent, std::string_view name, std::string_view type, Mark mark);

// The HttpProtocolOptions of a cluster into which an old field moves, made with HTTP/1 at the first one. If the file
// has its own the two contradict each other: an error, and nullptr.
Node* http_protocol_options(Upgrade& upgrade, Node& cluster, const Node& moved, const Path& path);

// route.upgrade_configs gets {upgrade_type: websocket}, once.
void allow_websocket(Upgrade& upgrade, Node& route_action, Node& flag, const Path& path);

// load_assignment of a cluster gets one endpoint for each address.
void add_hosts(Upgrade& upgrade, Node& cluster, Node& hosts, const Path& path);

}  // namespace outrider::config
