#include "upstream/original_host.h"

#include <charconv>

#include "net/original_destination.h"

namespace outrider {
namespace {

// "10.0.0.1:80" or "[::1]:80".
std::optional<Address> parse_host(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view ip = text.substr(0, colon), digits = text.substr(colon + 1);
  bool bracketed = ip.starts_with('[') && ip.ends_with(']');
  if (bracketed) ip = ip.substr(1, ip.size() - 2);
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  auto address = Address::parse(ip, port);
  if (!address || (address->family() == AF_INET6) != bracketed) return std::nullopt;
  return *address;
}

std::optional<Address> named_by_field(const Exchange& x, WorkerCluster& cluster) {
  const std::string& name = cluster.cluster->options.original_destination.header;
  if (name.empty()) return std::nullopt;
  std::string_view value = name == ":authority" ? x.request.authority : x.request.headers.value(std::string_view(name));
  if (value.empty()) return std::nullopt;
  auto address = parse_host(value);
  if (!address) cluster.stats[ClusterStat::original_dst_host_invalid].add();
  return address;
}

}  // namespace

Endpoint* original_host(const Exchange& x, WorkerCluster& cluster) {
  std::optional<Address> address = named_by_field(x, cluster);
  if (!address && x.connection.socket) address = original_destination(x.connection.socket->plain_fd());
  if (!address) return nullptr;
  if (auto port = cluster.cluster->options.original_destination.port) address = address->with_port(*port);
  return cluster.host_at(*address);
}

}  // namespace outrider
