// Network: how one worker opens connections and takes them. The real one is TCP and Unix sockets over epoll.
#pragma once
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "net/socket_options.h"
#include "net/transport.h"

namespace outrider {

struct ConnectOptions {
  bool no_delay = true;
  SocketOptions socket_options = {};
  std::optional<Address> source = std::nullopt;  // Where the connection comes from; port 0: any of that address.
};

// An errno, and what failed: to set an option, to bind to the source, or all the rest.
struct ConnectError {
  enum class Step : std::uint8_t { connect, option, bind };
  ConnectError(int e, Step s = Step::connect) : error(e), step(s) {}
  int error;
  Step step;
};

struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = true;    // Each worker has a socket of its own; not for pipes.
  bool ipv4_compat = false;  // Of an IPv6 address: take IPv4 connections too (Envoy's SocketAddress.ipv4_compat).
  bool bind_only = false;    // Connections are refused until the caller calls listen_bound().
  SocketOptions socket_options = {};
  std::string network_namespace = {};  // The file of another one to be in; empty: this process's.

  bool operator==(const ListenOptions&) const = default;
};

// Takes connections from one listening socket.
class Acceptor {
 public:
  class Accept;
  struct Accepted {
    std::unique_ptr<Transport> transport;  // Null: `error` says why.
    int error = 0;                         // EMFILE, ENFILE, ENOBUFS, ENOMEM: nothing more can be taken now.
  };
  Acceptor() = default;
  Acceptor(const Acceptor&) = delete;
  virtual ~Acceptor() = default;

  // co_await accept(): the next connection.
  Accept accept();
  // Without waiting: a connection that is there already, or none and why (EAGAIN …).
  Accepted try_accept() { return system_accept(); }

 protected:
  // Without waiting: a connection, an error, or (null, EAGAIN).
  virtual Accepted system_accept() = 0;
  void notify_acceptable();

 private:
  Accept* waiter_ = nullptr;
};

class Acceptor::Accept : public Leaf {
 public:
  explicit Accept(Acceptor& a) : acceptor_(a) {}
  bool await_ready() { return advance(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (!wait(awaiter, [](Leaf* l) { static_cast<Accept*>(l)->acceptor_.waiter_ = nullptr; })) return;
    acceptor_.waiter_ = this;
  }
  Accepted await_resume() { return std::move(result_); }

 private:
  friend class Acceptor;
  bool advance();
  Acceptor& acceptor_;
  Accepted result_;
};

inline Acceptor::Accept Acceptor::accept() { return Accept(*this); }

class Network {
 public:
  virtual ~Network() = default;
  // Starts to connect; await connected() of the result. An error if not even that can be done (EMFILE …).
  virtual std::expected<std::unique_ptr<Transport>, ConnectError> connect(const Address& to,
                                                                          const ConnectOptions& options) = 0;
  // Takes over a socket that listens (see listen_on in tcp.h).
  virtual std::unique_ptr<Acceptor> acceptor(int listening_fd) = 0;
};

}  // namespace outrider
