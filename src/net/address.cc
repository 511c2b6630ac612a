#include "net/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace outrider {
namespace {

constexpr std::size_t kIpTextMax = INET6_ADDRSTRLEN;

}  // namespace

Address Address::from(const sockaddr* address, socklen_t length) {
  Address a;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    a.family_ = AF_INET;
    std::memcpy(&a.v4_, address, sizeof(sockaddr_in));
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    a.family_ = AF_INET6;
    std::memcpy(&a.v6_, address, sizeof(sockaddr_in6));
  } else if (address->sa_family == AF_UNIX) {
    a.family_ = AF_UNIX;
    constexpr std::size_t kOffset = offsetof(sockaddr_un, sun_path);
    if (length > kOffset) {
      a.path_.assign(reinterpret_cast<const sockaddr_un*>(address)->sun_path, length - kOffset);
      if (a.path_[0] == '\0') {
        a.path_[0] = '@';
      } else {
        a.path_.resize(std::strlen(a.path_.c_str()));
      }
    }
  }
  return a;
}

Address Address::pipe(std::string path) {
  Address a;
  a.family_ = AF_UNIX;
  a.path_ = std::move(path);
  return a;
}

Address Address::any4(std::uint16_t port) {
  Address a;
  a.family_ = AF_INET;
  a.v4_ = {};
  a.v4_.sin_family = AF_INET;
  a.v4_.sin_port = htons(port);
  return a;
}

std::expected<Address, std::string> Address::parse(std::string_view ip, std::uint16_t port) {
  std::string text(ip.substr(0, kIpTextMax));
  if (ip.size() > kIpTextMax || ip.find('\0') != ip.npos) return std::unexpected("malformed IP address: " + text);
  Address a = any4(port);
  if (inet_pton(AF_INET, text.c_str(), &a.v4_.sin_addr) == 1) return a;
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    a.family_ = AF_INET6;
    a.v6_ = v6;
    return a;
  }
  return std::unexpected("malformed IP address: " + text);
}

std::span<const unsigned char> Address::ip_bytes() const {
  if (family_ == AF_INET) return {reinterpret_cast<const unsigned char*>(&v4_.sin_addr), sizeof v4_.sin_addr};
  if (family_ == AF_INET6) return {v6_.sin6_addr.s6_addr, sizeof v6_.sin6_addr.s6_addr};
  return {};
}

std::uint16_t Address::port() const {
  if (family_ == AF_INET) return ntohs(v4_.sin_port);
  if (family_ == AF_INET6) return ntohs(v6_.sin6_port);
  return 0;
}

Address Address::with_port(std::uint16_t port) const {
  Address a = *this;
  if (family_ == AF_INET) a.v4_.sin_port = htons(port);
  if (family_ == AF_INET6) a.v6_.sin6_port = htons(port);
  return a;
}

std::string Address::ip_text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family_ == AF_INET) inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof text);
  if (family_ == AF_INET6) inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof text);
  if (family_ == AF_UNIX) return path_;
  return text;
}

bool Address::takes_ipv4_too() const {
  return family_ == AF_INET6 && (IN6_IS_ADDR_UNSPECIFIED(&v6_.sin6_addr) || IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr));
}

Address Address::unmapped() const {
  if (family_ != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr)) return *this;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = v6_.sin6_port;
  std::memcpy(&v4.sin_addr, v6_.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
  return from(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
}

bool Address::is_loopback() const {
  if (family_ == AF_INET) return v4_.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
  return family_ == AF_INET6 && std::memcmp(&v6_.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0;
}

Address Address::of_this_machine(int family) {
  Address found = *parse(family == AF_INET6 ? "::1" : "127.0.0.1", 0);
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return found;
  for (ifaddrs* each = all; each; each = each->ifa_next) {
    if (!each->ifa_addr || each->ifa_addr->sa_family != family) continue;
    Address address = from(each->ifa_addr, family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if (address.is_loopback()) continue;
    found = address;
    break;
  }
  freeifaddrs(all);
  return found;
}

std::string Address::text() const {
  if (family_ == AF_INET) return ip_text() + ":" + std::to_string(port());
  if (family_ == AF_INET6) return "[" + ip_text() + "]:" + std::to_string(port());
  return path_;
}

socklen_t Address::fill(sockaddr_storage& storage) const {
  std::memset(&storage, 0, sizeof storage);
  if (family_ == AF_INET) {
    std::memcpy(&storage, &v4_, sizeof v4_);
    return sizeof v4_;
  }
  if (family_ == AF_INET6) {
    std::memcpy(&storage, &v6_, sizeof v6_);
    return sizeof v6_;
  }
  auto* un = reinterpret_cast<sockaddr_un*>(&storage);
  static_assert(kPipePathMax + 1 == sizeof un->sun_path);
  std::size_t n = path_.size();
  if (n > kPipePathMax) return 0;  // A shortened path would name another socket.
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path_.data(), n);
  bool abstract = n && un->sun_path[0] == '@';
  if (abstract) un->sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
}

bool Address::operator==(const Address& other) const {
  if (family_ != other.family_) return false;
  if (family_ == AF_INET) return v4_.sin_port == other.v4_.sin_port && v4_.sin_addr.s_addr == other.v4_.sin_addr.s_addr;
  if (family_ == AF_INET6) {
    return v6_.sin6_port == other.v6_.sin6_port && v6_.sin6_scope_id == other.v6_.sin6_scope_id &&
           std::memcmp(&v6_.sin6_addr, &other.v6_.sin6_addr, sizeof v6_.sin6_addr) == 0;
  }
  return path_ == other.path_;
}

bool Address::operator<(const Address& other) const {
  if (family_ != other.family_) return family_ < other.family_;
  if (family_ == AF_INET) {
    int by_ip = std::memcmp(&v4_.sin_addr, &other.v4_.sin_addr, sizeof v4_.sin_addr);
    return by_ip ? by_ip < 0 : port() < other.port();
  }
  if (family_ == AF_INET6) {
    int by_ip = std::memcmp(&v6_.sin6_addr, &other.v6_.sin6_addr, sizeof v6_.sin6_addr);
    if (by_ip) return by_ip < 0;
    if (v6_.sin6_scope_id != other.v6_.sin6_scope_id) return v6_.sin6_scope_id < other.v6_.sin6_scope_id;
    return port() < other.port();
  }
  return path_ < other.path_;
}

}  // namespace outrider
