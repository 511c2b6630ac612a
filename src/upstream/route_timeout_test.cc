// The route's time-out and that of connecting.
#include <gmock/gmock.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

TEST(RouteTimeout, IsAnswered504) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(co_await client.read_to("upstream request timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_GE(p.elapsed(), seconds(5));
    EXPECT_LE(p.elapsed(), milliseconds(5002));
    EXPECT_EQ(co_await host.read_all(), "<end>");
    EXPECT_EQ(p.log.back(), "GET /a 504 UT response_timeout");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_timeout), 1u);
    EXPECT_EQ(p.code(504), 1u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_timeout, 1u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_local_with_active_rq), 1u);
  });
}

TEST(RequestTimeout, DoesNotCutAResponseThatHasBegun) {
  TestProxy proxy;
  proxy.http->request_timeout = seconds(5);
  proxy.route.timeout = {};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nxyz", "xyz");
    co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
    EXPECT_THAT(co_await client.read_to("\r\n\r\no"), StartsWith("HTTP/1.1 200"));
    co_await sleep(seconds(60));
    co_await client.send("uvw");
    EXPECT_EQ(co_await host.read_to("uvw"), "uvw");
    co_await host.send("k");
    EXPECT_EQ(co_await client.read_to("k"), "k");
    EXPECT_EQ(p.http_count(HttpStat::downstream_rq_timeout), 0u);
  });
}

TEST(RouteTimeout, OfZeroIsNone) {
  TestProxy proxy;
  proxy.route.timeout = {};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(p.received, Not(HasSubstr("x-envoy-expected-rq-timeout-ms")));
    co_await sleep(std::chrono::hours(24));
    co_await host.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
  });
}

TEST(RouteTimeout, HoldsForTheBodyToo) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
    for (int i = 0; i < 4; i++) {
      co_await sleep(seconds(1));
      co_await host.send("x");
    }
    EXPECT_THAT(co_await client.read_all(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\r\n\r\nxxxx<")));
    EXPECT_LE(p.elapsed(), milliseconds(5002));
    co_await sleep(seconds(2));
    EXPECT_EQ(p.log.back(), "GET /a 200 UT response_timeout");
    EXPECT_EQ(p.hosts[0]->numbers.rq_timeout, 1u);
  });
}

TEST(RouteTimeout, CountsConnecting) {
  TestProxy proxy;
  proxy.route.timeout = seconds(2);
  proxy.path().black_hole = true;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "upstream request timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_LE(p.elapsed(), milliseconds(2002));
    EXPECT_EQ(p.log.back(), "GET /a 504 UT response_timeout");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_cancelled), 1u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_timeout, 0u) << "no host had the request";
  });
}

TEST(RouteTimeout, CountsWaitingForAConnection) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.options.thresholds[0].connections = 1;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient first = p.connect(), second = p.connect();
    TestClient host = co_await p.forward(first, kGet);
    co_await sleep(seconds(3));
    co_await second.send(kGet);
    co_await sleep(seconds(1));
    co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");  // The first is answered, but does not end.
    EXPECT_THAT(co_await first.read_all(), EndsWith("\r\n\r\no<end>"));
    EXPECT_THAT(co_await second.read_to("upstream request timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_GE(p.elapsed(), seconds(8));
    EXPECT_LE(p.elapsed(), milliseconds(8004));
  });
}

TEST(RouteTimeout, BeginsWithTheEndOfTheRequest) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 20\r\n\r\n");
    for (int i = 0; i < 20; i++) {
      co_await sleep(seconds(4));
      co_await client.send("x");
      EXPECT_EQ(co_await host.read_to("x"), "x");
    }
    EXPECT_THAT(co_await client.read_to("upstream request timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_GE(p.elapsed(), seconds(85));
    EXPECT_LE(p.elapsed(), milliseconds(85'002));
  });
}

TEST(RouteTimeout, CountsAlsoWhereTheHostDoesNotReadTheRequest) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.path().capacity_bytes = 4096;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(
        client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 10000\r\n\r\n" + std::string(10'000, 'x'));
    EXPECT_THAT(co_await client.read_to("upstream request timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_LE(p.elapsed(), milliseconds(5002));
  });
}

TEST(RouteTimeout, IsNotBegunAnewWhenARequestIsSentAgain) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    TimePoint asked = p.worker.now();
    co_await client.send(kGet);
    co_await sleep(seconds(4));
    co_await host.read_to("\r\n\r\n");
    host.close();
    EXPECT_THAT(co_await client.read_to("upstream request timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_LE(p.worker.now() - asked, milliseconds(5002));
  });
}

TEST(RouteTimeout, IsNotForTunnels) {
  TestProxy proxy;
  proxy.route.timeout = seconds(5);
  proxy.route.upgrades_on = {"x"};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host =
        co_await p.forward(client, "GET /a HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    co_await host.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    co_await client.read_to("\r\n\r\n");
    co_await sleep(minutes(1));
    co_await client.send("ping");
    EXPECT_EQ(co_await host.read_to("ping"), "ping");
    co_await host.send("pong");
    EXPECT_EQ(co_await client.read_to("pong"), "pong");
  });
}

TEST(ConnectTimeout, IsAnswered503) {
  TestProxy proxy;
  proxy.options.connect_timeout = seconds(2);
  proxy.path().black_hole = true;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "reset reason: connection timeout"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.log.back(), "GET /a 503 UF upstream_reset_before_response_started{connection_timeout}");
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 1u);
    EXPECT_EQ(p.code(503), 1u);
  });
}

}  // namespace
}  // namespace outrider
