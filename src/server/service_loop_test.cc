#include "server/service_loop.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;

std::uint64_t accepts_refused(TestService& s) {
  return s.listener_stats->value(static_cast<std::size_t>(ListenerStat::downstream_accept_emfile));
}

Task<> fail_for_a_while(TestService& s) {
  s.path().accept_error = EMFILE;
  TestClient client(s.connect());
  co_await client.send("GET /a HTTP/1.1\r\nhost: h\r\n\r\n");
  co_await sleep(seconds(1));
  std::uint64_t refused = accepts_refused(s);
  EXPECT_GE(refused, 9u);
  EXPECT_LE(refused, 12u) << "it pauses between attempts";
  s.path().accept_error = 0;
  EXPECT_THAT(co_await client.read_to("/a"), EndsWith("/a"));
}

Task<> accept_beside(TestService& s, Acceptor& acceptor, Scope& connections) {
  connections.spawn(accept_and_serve, acceptor, s.service, s.slot, StatScope::local(s.listener_stats, 0), connections);
  co_await fail_for_a_while(s);
}

Task<> run_accept_loop(TestService& s) {
  s.slot = std::make_shared<HttpSlot>(s.options, 0);
  auto acceptor = s.network.acceptor(s.network.listen_on(TestService::kAddress));
  Scope connections;
  co_await connections.run(accept_beside(s, *acceptor, connections));
  s.slot.reset();
}

TEST(AcceptLoop, PausesWhenThereAreNoDescriptorsAndGoesOn) {
  TestService service;
  EXPECT_TRUE(service.worker.run(run_accept_loop(service)));
}

// A service on a real socket, spoken to by a blocking client.
class ServiceThreadTest : public testing::Test {
 protected:
  class Waiting final : public Filter {
   public:
    Task<Response> handle(Exchange& x, Next) const override {
      if (x.request.path == "/slow") co_await sleep(std::chrono::milliseconds(100));
      co_return x.reply(200, "ok", "direct_response");
    }
  };

  ServiceThreadTest() {
    auto options = std::make_shared<HttpOptions>();
    options->stats = registry.scope("http.test.", http_stat_table());
    options->filters.add(std::make_unique<Waiting>());
    int fd = *listen_on(*Address::parse("127.0.0.1", 0), {});
    address = bound_address(fd);
    auto listener_stats = registry.scope("listener.test.", listener_stat_table());
    service = std::make_unique<ServiceThread>(
        ServiceThread::Options{.listening_fd = fd, .http = options, .listener_stats = listener_stats});
  }

  int connect() {
    sockaddr_storage to;
    socklen_t length = address.fill(to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return ::connect(fd, reinterpret_cast<sockaddr*>(&to), length) == 0 ? fd : (close(fd), -1);
  }
  static void send_text(int fd, std::string_view text) {
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  static std::string read_all(int fd) {
    std::string text;
    char buffer[1000];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
    close(fd);
    return text;
  }

  StatRegistry registry;
  Address address;
  std::unique_ptr<ServiceThread> service;
};

TEST_F(ServiceThreadTest, AnswersRequestsAtHandWhenItDrains) {
  int busy = connect(), idle = connect();
  send_text(idle, "GET /a HTTP/1.1\r\nhost: h\r\n\r\n");
  char first;
  ASSERT_EQ(recv(idle, &first, 1, 0), 1);
  send_text(busy, "GET /slow HTTP/1.1\r\nhost: h\r\n\r\n");
  StatBlock& stats = registry.scope("http.test.", http_stat_table())->local(0);
  while (stats[HttpStat::downstream_rq_total].value() < 2) usleep(1000);
  service->drain();
  EXPECT_THAT(read_all(busy), testing::AllOf(HasSubstr("connection: close"), EndsWith("ok")));
  EXPECT_THAT(read_all(idle), EndsWith("ok"));
  service->join();
  EXPECT_EQ(connect(), -1);
}

TEST_F(ServiceThreadTest, EndsAtOnceWhenStopped) {
  int busy = connect();
  send_text(busy, "GET /slow HTTP/1.1\r\nhost: h\r\n\r\n");
  service->stop();
  service->join();
  EXPECT_EQ(read_all(busy).find("200"), std::string::npos);
}

}  // namespace
}  // namespace outrider
