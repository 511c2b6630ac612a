#include "net/tcp.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/network_namespace.h"

namespace outrider {
namespace {

constexpr std::uint32_t kStreamEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

void set_no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// The system calls are made directly: libc's wrappers are cancellation points, which cost two atomic operations each in
// a process with threads.
ssize_t send_one(int fd, const iovec& piece) {
  return syscall(SYS_sendto, fd, piece.iov_base, piece.iov_len, MSG_NOSIGNAL, nullptr, 0);
}

ssize_t send_all(int fd, const iovec* pieces, int count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = static_cast<std::size_t>(count);
  return syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
}

class TcpTransport final : public Transport, public EventTarget, private DeferredSender {
 public:
  TcpTransport(EpollPoller& poller, int fd, Address peer) : poller_(poller), fd_(fd), peer_(std::move(peer)) {}
  ~TcpTransport() override {
    flush();
    if (unsent_.empty() || reset_on_close_) {
      close(fd_);
    } else {
      poller_.close_after(fd_, std::move(unsent_));
    }
  }

  void on_events(std::uint32_t events) override {
    // The hang-up is marked first: a read then knows that a short read is not the last event's all.
    bool hangup = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (hangup) notify_hangup();
    if ((events & EPOLLOUT || hangup) && send_unsent()) notify_writable();
    if (events & EPOLLIN || hangup) notify_readable();
  }
  void shutdown_write() override {
    flush();
    end_owed_ = !unsent_.empty();
    if (!end_owed_) shutdown(fd_, SHUT_WR);
  }
  void reset_on_close() override {
    reset_on_close_ = true;
    linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  int plain_fd() const override { return fd_; }
  const Address& peer() const override { return peer_; }
  const Address& local() override {
    if (local_.family() == AF_UNSPEC)
      local_ = peer_.family() == AF_INET ? bound_address(fd_).unmapped() : bound_address(fd_);
    return local_;
  }

 private:
  IoResult system_read(char* buffer, std::size_t size) override {
    for (;;) {
      ssize_t n = syscall(SYS_recvfrom, fd_, buffer, size, 0, nullptr, nullptr);
      if (n > 0) return IoResult::done(static_cast<std::size_t>(n));
      if (n == 0) return lost_ && lost_ != EPIPE ? IoResult::failure(lost_) : IoResult::ended();
      if (errno == EAGAIN) return IoResult::blocked();
      if (errno != EINTR) return IoResult::failure(errno);
    }
  }
  // What is small waits for the end of the turn; what came of it is known to the next write.
  IoResult system_write(const iovec* pieces, int count) override {
    std::size_t size = 0;
    for (int i = 0; i < count; i++) size += pieces[i].iov_len;
    if (deferred_) flush();
    if (lost_) return IoResult::failure(lost_);
    if (!unsent_.empty()) return IoResult::blocked();
    if (size > Outbox::kMessageBytesMax) return send_now(pieces, count);
    poller_.outbox().put(*this, pieces, count, size);
    deferred_ = true;
    return IoResult::done(size);
  }
  IoResult send_now(const iovec* pieces, int count) {
    for (;;) {
      ssize_t n = count == 1 ? send_one(fd_, pieces[0]) : send_all(fd_, pieces, count);
      if (n >= 0) return IoResult::done(static_cast<std::size_t>(n));
      if (errno == EAGAIN) return IoResult::blocked();
      if (errno == EINTR) continue;
      lost_ = errno;
      return IoResult::failure(errno);
    }
  }
  void send_deferred(const char* bytes, std::size_t size) override {
    deferred_ = false;
    iovec piece{const_cast<char*>(bytes), size};
    IoResult sent = send_now(&piece, 1);
    if (sent.state == IoResult::State::failed || sent.bytes == size) return;
    unsent_.assign(bytes + sent.bytes, size - sent.bytes);
    mark_blocked();
  }
  void flush() {
    if (deferred_) poller_.outbox().flush();
  }
  // Whether nothing is left to send before the next write.
  bool send_unsent() {
    if (unsent_.empty()) return true;
    iovec piece{unsent_.data(), unsent_.size()};
    IoResult sent = send_now(&piece, 1);
    unsent_.erase(0, sent.state == IoResult::State::failed ? unsent_.size() : sent.bytes);
    if (!unsent_.empty()) return false;
    if (end_owed_) shutdown(fd_, SHUT_WR);
    return true;
  }
  int system_connect_error() override {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }

  EpollPoller& poller_;
  const int fd_;
  const Address peer_;
  Address local_;
  bool deferred_ = false;  // A message of ours is in the outbox.
  bool end_owed_ = false;  // FIN follows what is unsent.
  bool reset_on_close_ = false;
  std::string unsent_;  // Of a message that the kernel did not take whole.
  // The kernel tells a reset once, to whoever asks first. If the writer got it, a later read would see a clean end.
  int lost_ = 0;
};

class TcpAcceptor final : public Acceptor, public EventTarget {
 public:
  explicit TcpAcceptor(int fd) : fd_(fd) {}
  ~TcpAcceptor() override { close(fd_); }
  void on_events(std::uint32_t) override { notify_acceptable(); }
  void attach(EpollPoller& poller) {
    poller_ = &poller;
    Address bound = bound_address(fd_);
    unmaps_ = bound.takes_ipv4_too() && bound.unmapped().family() == AF_INET6;
    poller.watch(fd_, *this, EPOLLIN | EPOLLET);
  }

 private:
  Accepted system_accept() override {
    for (;;) {
      sockaddr_storage from;
      socklen_t length = sizeof from;
      int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        return {nullptr, errno};
      }
      if (from.ss_family != AF_UNIX) set_no_delay(fd);
      Address peer = Address::from(reinterpret_cast<sockaddr*>(&from), length);
      if (unmaps_) peer = peer.unmapped();
      auto transport = std::make_unique<TcpTransport>(*poller_, fd, std::move(peer));
      poller_->watch(fd, *transport, kStreamEvents);
      return {std::move(transport), 0};
    }
  }
  const int fd_;
  EpollPoller* poller_ = nullptr;
  bool unmaps_ = false;  // Bound to "::": the peers of IPv4 are told as such, as by Envoy.
};

std::string cannot(const char* step, const Address& at, int error) {
  return "cannot " + std::string(step) + " '" + at.text() + "': " + std::strerror(error);
}

std::expected<void, std::string> set_options(int fd, const Address& at, const ListenOptions& options,
                                             SocketOption::Moment when) {
  const int error = apply(options.socket_options, when, fd);
  if (error != 0) return std::unexpected(cannot("set a socket option of", at, error));
  return {};
}

// Of a socket that is new; on an error it stays as it is.
std::expected<void, std::string> prepare_and_bind(int fd, const Address& at, const ListenOptions& options) {
  sockaddr_storage address;
  socklen_t length = at.fill(address);
  if (length == 0) return std::unexpected(cannot("bind", at, ENAMETOOLONG));
  int one = 1;
  if (!at.is_pipe()) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (options.reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  }
  if (at.family() == AF_INET6) {
    int v6_only = !options.ipv4_compat;  // Said either way: the system's default would make [::] collide with 0.0.0.0.
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (auto set = set_options(fd, at, options, SocketOption::Moment::prebind); !set) return set;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) return std::unexpected(cannot("bind", at, errno));
  return set_options(fd, at, options, SocketOption::Moment::bound);
}

std::expected<int, std::string> bound_socket(const Address& at, const ListenOptions& options) {
  return in_network_namespace(options.network_namespace, [&]() -> std::expected<int, std::string> {
    int fd = socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return std::unexpected(cannot("open a socket for", at, errno));
    auto bound = prepare_and_bind(fd, at, options);
    if (bound) return fd;
    close(fd);
    return std::unexpected(bound.error());
  });
}

// One left by an earlier process would refuse the bind. What is not a socket stays, and refuses it.
void remove_socket_file(const std::string& path) {
  struct stat found;
  if (!path.starts_with('@') && lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) unlink(path.c_str());
}

// A file that is not a socket is in use too.
bool pipe_in_use(const Address& at) {
  struct stat found;
  if (lstat(at.text().c_str(), &found) != 0) return false;
  if (!S_ISSOCK(found.st_mode)) return true;
  sockaddr_storage address;
  socklen_t length = at.fill(address);
  if (length == 0) return false;  // listen_on() says why.
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool listening = connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 || errno == EAGAIN;
  close(fd);
  return listening;
}

// 0, or an errno.
int bind_source(const Address& source, int fd) {
  sockaddr_storage address;
  socklen_t length = source.fill(address);
  int one = 1;  // A port is taken only when it is known where the connection goes: others may use it for elsewhere.
  if (source.port() == 0) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  return bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 ? 0 : errno;
}

}  // namespace

std::expected<std::unique_ptr<Transport>, ConnectError> TcpNetwork::connect(const Address& to,
                                                                            const ConnectOptions& options) {
  sockaddr_storage address;
  socklen_t length = to.fill(address);
  if (length == 0) return std::unexpected(ENAMETOOLONG);
  int fd = socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  if (options.no_delay && !to.is_pipe()) set_no_delay(fd);
  auto transport = std::make_unique<TcpTransport>(poller_, fd, to);
  if (int error = apply(options.socket_options, SocketOption::Moment::prebind, fd)) {
    return std::unexpected(ConnectError(error, ConnectError::Step::option));
  }
  if (options.source && !to.is_pipe()) {
    if (int error = bind_source(*options.source, fd)) {
      return std::unexpected(ConnectError(error, ConnectError::Step::bind));
    }
  }
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 && errno != EINPROGRESS) {
    return std::unexpected(errno);
  }
  poller_.watch(fd, *transport, kStreamEvents);
  return transport;
}

std::unique_ptr<Acceptor> TcpNetwork::acceptor(int listening_fd) {
  auto acceptor = std::make_unique<TcpAcceptor>(listening_fd);
  acceptor->attach(poller_);
  return acceptor;
}

std::expected<int, std::string> listen_on(const Address& at, const ListenOptions& options) {
  if (at.is_pipe()) remove_socket_file(at.text());
  auto fd = bound_socket(at, options);
  if (!fd || options.bind_only) return fd;
  auto listening = listen_bound(*fd, at, options);
  if (listening) return fd;
  close(*fd);
  return std::unexpected(listening.error());
}

std::expected<void, std::string> set_pipe_mode(const Address& at, std::uint32_t mode) {
  if (!at.is_pipe() || mode == 0 || chmod(at.text().c_str(), mode) == 0) return {};
  return std::unexpected(cannot("set the permissions of", at, errno));
}

std::expected<void, std::string> listen_bound(int fd, const Address& at, const ListenOptions& options) {
  if (listen(fd, options.backlog) != 0) return std::unexpected(cannot("listen on", at, errno));
  return set_options(fd, at, options, SocketOption::Moment::listening);
}

std::expected<void, std::string> probe_free(const Address& at, const ListenOptions& options) {
  if (at.is_pipe() && !at.text().starts_with('@')) {
    if (pipe_in_use(at)) return std::unexpected(cannot("bind", at, EADDRINUSE));
    return {};
  }
  ListenOptions alone = options;
  alone.reuse_port = false;
  auto fd = bound_socket(at, alone);
  if (!fd) return std::unexpected(fd.error());
  close(*fd);
  return {};
}

Address bound_address(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return Address::from(reinterpret_cast<sockaddr*>(&address), length);
}

}  // namespace outrider
