// What the tests of this layer share: one worker over real sockets.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "core/scope.h"
#include "net/tcp.h"

namespace outrider {

struct TransportPair {
  std::unique_ptr<Transport> client;
  std::unique_ptr<Transport> server;
};

class Loopback {
 public:
  RealClock clock;
  EpollPoller poller;
  Worker worker{0, clock, poller, 1};
  TcpNetwork network{poller};

  // Runs the body to its end; a test that hangs fails.
  void run(Task<> (*body)(Loopback&)) { EXPECT_TRUE(worker.run(guarded(*this, body))); }

  // A connection to itself.
  Task<TransportPair> connect(Address at = *Address::parse("127.0.0.1", 0)) {
    auto fd = listen_on(at, {});
    if (!fd) {
      ADD_FAILURE() << fd.error();
      co_return TransportPair{};
    }
    auto acceptor = network.acceptor(*fd);
    auto client = network.connect(at.is_pipe() ? at : bound_address(*fd), {});
    if (!client) {
      ADD_FAILURE() << std::strerror(client.error().error);
      co_return TransportPair{};
    }
    EXPECT_EQ(co_await (*client)->connected(), 0);
    auto server = co_await acceptor->accept();
    EXPECT_TRUE(server.transport);
    co_return TransportPair{std::move(*client), std::move(server.transport)};
  }

 private:
  static Task<> guarded(Loopback& loopback, Task<> (*body)(Loopback&)) {
    auto done = co_await within(std::chrono::seconds(60), body(loopback));
    EXPECT_TRUE(done) << "the body waits for ever";
  }
};

inline Task<IoResult> write_text(Transport& to, std::string_view text) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  co_return co_await to.write(&piece, 1);
}

// Reads until so many bytes have come, or the end, or an error.
inline Task<std::string> read_text(Transport& from, std::size_t bytes) {
  std::string text;
  char buffer[4096];
  while (text.size() < bytes) {
    IoResult r = co_await from.read(buffer, std::min(sizeof buffer, bytes - text.size()));
    if (!r.ok()) break;
    text.append(buffer, r.bytes);
  }
  co_return text;
}

}  // namespace outrider
