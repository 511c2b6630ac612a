#include "net/socket_options.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace outrider {
namespace {

using Moment = SocketOption::Moment;

class SocketOptionsOfASocket : public testing::Test {
 public:
  ~SocketOptionsOfASocket() override { close(fd); }
  int get(int level, int name) const {
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(fd, level, name, &value, &size);
    return value;
  }
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
};

TEST_F(SocketOptionsOfASocket, AreSetAtTheirMoment) {
  SocketOptions options{socket_option(IPPROTO_TCP, TCP_KEEPCNT, 5),
                        socket_option(IPPROTO_TCP, TCP_KEEPIDLE, 77, Moment::bound)};
  int before = get(IPPROTO_TCP, TCP_KEEPIDLE);
  EXPECT_EQ(apply(options, Moment::prebind, fd), 0);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPCNT), 5);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPIDLE), before);
  EXPECT_EQ(apply(options, Moment::bound, fd), 0);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPIDLE), 77);
  EXPECT_EQ(apply(options, Moment::listening, fd), 0);
}

TEST_F(SocketOptionsOfASocket, StopAtTheFirstThatIsRefused) {
  SocketOptions options{socket_option(IPPROTO_TCP, TCP_KEEPCNT, 100000), socket_option(SOL_SOCKET, SO_KEEPALIVE, 1)};
  EXPECT_EQ(apply(options, Moment::prebind, fd), EINVAL);
  EXPECT_EQ(get(SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST_F(SocketOptionsOfASocket, KeepTheSystemsNumbersWhereNoneIsGiven) {
  int before = get(IPPROTO_TCP, TCP_KEEPINTVL);
  SocketOptions options;
  append(options, TcpKeepalive{.probes = 4, .idle_s = 30, .interval_s = {}});
  EXPECT_EQ(apply(options, Moment::prebind, fd), 0);
  EXPECT_EQ(get(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPINTVL), before);
}

}  // namespace
}  // namespace outrider
