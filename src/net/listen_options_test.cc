#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tcp.h"

namespace outrider {
namespace {

int value_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST(ListenOptions, OptionsAreSetAtTheirMoments) {
  const auto at = *Address::parse("127.0.0.1", 0);
  const ListenOptions options{
      .bind_only = true,
      .socket_options = {socket_option(SOL_SOCKET, SO_PRIORITY, 2),
                         socket_option(SOL_SOCKET, SO_PRIORITY, 3, SocketOption::Moment::bound),
                         socket_option(SOL_SOCKET, SO_PRIORITY, 4, SocketOption::Moment::listening)}};
  const auto fd = listen_on(at, options);
  ASSERT_TRUE(fd) << fd.error();
  EXPECT_EQ(value_of(*fd, SOL_SOCKET, SO_PRIORITY), 3);
  EXPECT_EQ(value_of(*fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
  ASSERT_TRUE(listen_bound(*fd, at, options));
  EXPECT_EQ(value_of(*fd, SOL_SOCKET, SO_PRIORITY), 4);
  EXPECT_EQ(value_of(*fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
  close(*fd);
}

TEST(ListenOptions, AnOptionThatCannotBeSetRefusesTheAddress) {
  const auto at = *Address::parse("127.0.0.1", 0);
  const auto fd = listen_on(at, {.socket_options = {socket_option(IPPROTO_TCP, 9999, 1)}});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), "cannot set a socket option of '127.0.0.1:0': Protocol not available");
}

TEST(ListenOptions, ANetworkNamespaceThatIsNotThereRefusesTheAddress) {
  const auto fd = listen_on(*Address::parse("127.0.0.1", 0), {.network_namespace = "/nowhere/ns"});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), "cannot open the network namespace '/nowhere/ns': No such file or directory");
}

}  // namespace
}  // namespace outrider
