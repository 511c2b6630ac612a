// TCP and Unix stream sockets over epoll.
#pragma once
#include <expected>
#include <string>

#include "net/network.h"
#include "net/poll.h"

namespace outrider {

class TcpNetwork final : public Network {
 public:
  explicit TcpNetwork(EpollPoller& poller) : poller_(poller) {}
  std::expected<std::unique_ptr<Transport>, ConnectError> connect(const Address& to,
                                                                  const ConnectOptions& options) override;
  std::unique_ptr<Acceptor> acceptor(int listening_fd) override;

 private:
  EpollPoller& poller_;
};

// Binds and listens; returns the descriptor, or a sentence that names the address and the reason. A socket file that is
// in the way of a pipe is replaced.
std::expected<int, std::string> listen_on(const Address& at, const ListenOptions& options);
// What is left to do behind `bind_only`: listens, and sets the options of that moment.
std::expected<void, std::string> listen_bound(int fd, const Address& at, const ListenOptions& options);
// Gives the file of a bound pipe its permissions (Envoy's Pipe.mode); 0 leaves those that it has.
std::expected<void, std::string> set_pipe_mode(const Address& at, std::uint32_t mode);
// Whether listen_on() would be alone there: SO_REUSEPORT lets a second process bind silently, and a pipe is taken over
// from a process that still listens. Binds and closes again; the error is a sentence like listen_on()'s.
std::expected<void, std::string> probe_free(const Address& at, const ListenOptions& options = {});
// The address that the socket is bound to (port 0 was replaced by a free one).
Address bound_address(int fd);

}  // namespace outrider
