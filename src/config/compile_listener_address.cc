#include "config/compile_listener_address.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "envoy/config/listener/v3/listener.pb.h"
#include "proto/socket_options.h"

namespace outrider::config {
namespace {

namespace lv3 = envoy::config::listener::v3;

// `own` are the listener's, or those of an additional address that has some.
ListenOptions compile_options(const lv3::Listener& proto, const envoy::config::core::v3::Address& at,
                              const Address& address, const SocketOptions& own) {
  ListenOptions o;
  if (proto.has_tcp_backlog_size()) o.backlog = static_cast<int>(proto.tcp_backlog_size().value());
  o.reuse_port = !proto.has_enable_reuse_port() || proto.enable_reuse_port().value();
  o.ipv4_compat = at.socket_address().ipv4_compat();
  o.network_namespace = at.socket_address().network_namespace_filepath();
  const bool v6 = address.family() == AF_INET6;
  const int ip = v6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
  if (proto.transparent().value()) {
    o.socket_options.push_back(socket_option(ip, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1));
  }
  if (proto.freebind().value()) {
    o.socket_options.push_back(socket_option(ip, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1));
  }
  o.socket_options.insert(o.socket_options.end(), own.begin(), own.end());
  if (proto.has_tcp_fast_open_queue_length()) {
    o.socket_options.push_back(socket_option(IPPROTO_TCP, TCP_FASTOPEN,
                                             static_cast<int>(proto.tcp_fast_open_queue_length().value()),
                                             SocketOption::Moment::listening));
  }
  return o;
}

}  // namespace

std::vector<ListenerAddress> compile_listener_addresses(Compilation& c, const lv3::Listener& proto,
                                                        const std::string& path) {
  const SocketOptions own = ::outrider::proto::to_socket_options(proto.socket_options());
  std::vector<ListenerAddress> addresses;
  const Address first = to_address(c, proto.address(), path + ".address", AddressOf::listener);
  addresses.push_back({first, compile_options(proto, proto.address(), first, own), proto.address().pipe().mode()});
  for (int i = 0; i < proto.additional_addresses_size(); i++) {
    const auto& more = proto.additional_addresses(i);
    const std::string at = path + ".additional_addresses[" + std::to_string(i) + "].address";
    const Address address = to_address(c, more.address(), at, AddressOf::listener);
    const SocketOptions its =
        more.has_socket_options() ? ::outrider::proto::to_socket_options(more.socket_options().socket_options()) : own;
    addresses.push_back({address, compile_options(proto, more.address(), address, its), more.address().pipe().mode()});
  }
  return addresses;
}

void take_addresses(Compilation& c, const ListenerConfig& l, const std::string& path) {
  for (std::size_t i = 0; i < l.addresses.size(); i++) {
    const auto& [address, options, mode] = l.addresses[i];
    if (address.port() == 0 && !address.is_pipe()) continue;
    const auto [taken, is_free] = c.listener_addresses.try_emplace({address, options.network_namespace}, l.name);
    if (is_free || taken->second == l.name) continue;
    const std::string list = path + ".additional_addresses[";
    c.fail(i == 0 ? path + ".address" : list + std::to_string(i - 1) + "].address",
           "the listener '" + taken->second + "' has the address " + address.text() + " already");
  }
}

}  // namespace outrider::config
