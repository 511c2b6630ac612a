#include "net/original_destination.h"

#include <netinet/in.h>

#include "net/tcp.h"

namespace outrider {
namespace {

// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: the headers that name them do not go together with libc's.
constexpr int kOriginalDestination = 80;

bool is_transparent(int fd, int family) {
  int on = 0;
  socklen_t size = sizeof on;
  bool v6 = family == AF_INET6;
  return getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, &size) == 0 && on;
}

}  // namespace

std::optional<Address> original_destination(int fd) {
  if (fd < 0) return std::nullopt;
  Address local = bound_address(fd);
  if (local.family() != AF_INET && local.family() != AF_INET6) return std::nullopt;
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  int level = local.family() == AF_INET6 ? SOL_IPV6 : SOL_IP;
  if (getsockopt(fd, level, kOriginalDestination, &address, &length) == 0) {
    return Address::from(reinterpret_cast<sockaddr*>(&address), length);
  }
  if (is_transparent(fd, local.family())) return local;
  return std::nullopt;
}

}  // namespace outrider
