// Where a socket is: an IP address with a port, or a path in the file system.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace outrider {

class Address {
 public:
  Address() = default;  // AF_UNSPEC.
  static Address from(const sockaddr* address, socklen_t length);
  static constexpr std::size_t kPipePathMax = 107;  // Of bytes: what a sockaddr_un holds.
  static Address pipe(std::string path);            // "@name" is Linux's abstract namespace.
  static Address any4(std::uint16_t port);
  // A literal IPv4 or IPv6 address, without brackets; the error says what is wrong.
  static std::expected<Address, std::string> parse(std::string_view ip, std::uint16_t port);

  int family() const { return family_; }
  bool is_pipe() const { return family_ == AF_UNIX; }
  bool is_loopback() const;  // 127.0.0.1 or ::1, as Envoy sees it: not all of 127.0.0.0/8.
  // Of an IPv6 socket: "::" or an address of ::ffff:0:0/96, where it may take connections of IPv4.
  bool takes_ipv4_too() const;
  // Of ::ffff:0:0/96, as an IPv6 socket sees a peer of IPv4, that address of IPv4; else the address itself.
  Address unmapped() const;
  std::uint16_t port() const;                       // 0 for pipes.
  std::span<const unsigned char> ip_bytes() const;  // 4 or 16, in network order; none for pipes.
  Address with_port(std::uint16_t port) const;

  // Envoy's forms: "10.0.0.1:80", "[::1]:80", the path of a pipe.
  std::string text() const;
  std::string ip_text() const;  // Without the port.
  // Fills storage; returns the length to pass to bind() or connect(), or 0 if the path of a pipe is too long.
  socklen_t fill(sockaddr_storage& storage) const;

  // This machine's own address of that family: the first of its interfaces' that is no loopback; else loopback.
  static Address of_this_machine(int family);

  bool operator==(const Address& other) const;
  bool operator<(const Address& other) const;

 private:
  int family_ = AF_UNSPEC;
  union {
    sockaddr_in v4_;
    sockaddr_in6 v6_;
  };
  std::string path_;
};

}  // namespace outrider
