// Socket options that a configuration asks for, in the terms of Envoy's SocketOption.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outrider {

struct SocketOption {
  // When it is set: before bind(2), after it, or after listen(2). A socket that connects is bound when it is known
  // where it goes.
  enum class Moment : std::uint8_t { prebind, bound, listening };

  int level = 0;
  int name = 0;
  std::string value;  // The bytes that setsockopt(2) gets.
  Moment moment = Moment::prebind;
  bool operator==(const SocketOption&) const = default;
};
using SocketOptions = std::vector<SocketOption>;

SocketOption socket_option(int level, int name, int value, SocketOption::Moment moment = SocketOption::Moment::prebind);

// Envoy's TcpKeepalive; what is not set is as the system has it.
struct TcpKeepalive {
  std::optional<int> probes, idle_s, interval_s;
};
void append(SocketOptions& options, const TcpKeepalive& keepalive);

// Sets those of that moment. The errno of the first that the system refuses (the others are not set), else 0.
int apply(const SocketOptions& options, SocketOption::Moment moment, int fd);

}  // namespace outrider
