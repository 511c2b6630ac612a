#pragma once

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
