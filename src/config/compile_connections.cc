// How a cluster's connections are made: where they come from, and what their sockets are told.
#include <netinet/in.h>

#include "config/compile_parts.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "proto/socket_options.h"

namespace outrider::config {
namespace {

using BindConfig = envoy::config::core::v3::BindConfig;

std::optional<int> given(const google::protobuf::UInt32Value& value, bool has) {
  return has ? std::optional(static_cast<int>(value.value())) : std::nullopt;
}

void read_bind(Compilation& c, const BindConfig& bind, const std::string& path, ConnectOptions& o) {
  if (bind.has_source_address()) {
    const auto& source = bind.source_address();
    auto parsed = Address::parse(source.address(), static_cast<std::uint16_t>(source.port_value()));
    if (!parsed) return c.fail(path + ".source_address.address", parsed.error());
    o.source = *parsed;
  }
  if (bind.freebind().value()) {
    bool v6 = o.source && o.source->family() == AF_INET6;
    o.socket_options.push_back(v6 ? socket_option(IPPROTO_IPV6, IPV6_FREEBIND, 1)
                                  : socket_option(IPPROTO_IP, IP_FREEBIND, 1));
  }
}

}  // namespace

ConnectOptions compile_connections(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster,
                                   const std::string& path) {
  ConnectOptions o;
  if (cluster.upstream_connection_options().has_tcp_keepalive()) {
    const auto& keepalive = cluster.upstream_connection_options().tcp_keepalive();
    append(o.socket_options, {given(keepalive.keepalive_probes(), keepalive.has_keepalive_probes()),
                              given(keepalive.keepalive_time(), keepalive.has_keepalive_time()),
                              given(keepalive.keepalive_interval(), keepalive.has_keepalive_interval())});
  }
  const BindConfig none, &own = cluster.upstream_bind_config(), &wider = c.upstream_bind ? *c.upstream_bind : none;
  if (cluster.has_upstream_bind_config()) {
    read_bind(c, own, path + ".upstream_bind_config", o);
  } else {
    read_bind(c, wider, "cluster_manager.upstream_bind_config", o);
  }
  // As in Envoy, these are the cluster_manager's even where the rest is the cluster's.
  const auto& options = own.socket_options().empty() ? wider.socket_options() : own.socket_options();
  for (SocketOption& each : proto::to_socket_options(options)) o.socket_options.push_back(std::move(each));
  return o;
}

}  // namespace outrider::config
