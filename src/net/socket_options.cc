#include "net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace outrider {

SocketOption socket_option(int level, int name, int value, SocketOption::Moment moment) {
  return {level, name, std::string(reinterpret_cast<const char*>(&value), sizeof value), moment};
}

void append(SocketOptions& options, const TcpKeepalive& keepalive) {
  options.push_back(socket_option(SOL_SOCKET, SO_KEEPALIVE, 1));
  if (keepalive.probes) options.push_back(socket_option(IPPROTO_TCP, TCP_KEEPCNT, *keepalive.probes));
  if (keepalive.idle_s) options.push_back(socket_option(IPPROTO_TCP, TCP_KEEPIDLE, *keepalive.idle_s));
  if (keepalive.interval_s) options.push_back(socket_option(IPPROTO_TCP, TCP_KEEPINTVL, *keepalive.interval_s));
}

int apply(const SocketOptions& options, SocketOption::Moment moment, int fd) {
  for (const SocketOption& each : options) {
    if (each.moment != moment) continue;
    auto size = static_cast<socklen_t>(each.value.size());
    if (setsockopt(fd, each.level, each.name, each.value.data(), size) != 0) return errno;
  }
  return 0;
}

}  // namespace outrider
