#include "upstream/breaker.h"

#include <gmock/gmock.h>

#include <thread>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";

TEST(Breaker, GivesOutExactlyItsLimit) {
  Breaker breaker(3);
  for (int i = 0; i < 3; i++) {
    EXPECT_FALSE(breaker.open());
    EXPECT_TRUE(breaker.try_take());
  }
  EXPECT_TRUE(breaker.open());
  EXPECT_FALSE(breaker.try_take());
  EXPECT_EQ(breaker.used(), 3u) << "a refusal takes nothing";
  breaker.give();
  EXPECT_FALSE(breaker.open());
  EXPECT_TRUE(breaker.try_take());
}

TEST(Breaker, OfZeroGivesOutNothing) {
  Breaker breaker(0);
  EXPECT_TRUE(breaker.open());
  EXPECT_FALSE(breaker.try_take());
}

TEST(Breaker, CountsWhatIsTakenBeyondTheLimit) {
  Breaker breaker(1);
  breaker.take();
  breaker.take();
  EXPECT_EQ(breaker.used(), 2u);
  breaker.give();
  EXPECT_FALSE(breaker.try_take());
  breaker.give();
  EXPECT_TRUE(breaker.try_take());
}

TEST(Breaker, ALimitMayChangeWhileInUse) {
  Breaker breaker(2);
  EXPECT_TRUE(breaker.try_take());
  breaker.set_limit(1);
  EXPECT_FALSE(breaker.try_take());
  breaker.set_limit(2);
  EXPECT_TRUE(breaker.try_take());
}

TEST(Breaker, IsExactOverThreads) {
  constexpr std::uint64_t kLimit = 5;
  Breaker breaker(kLimit);
  std::atomic<std::uint64_t> inside{0}, most{0}, took{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int n = 0; n < 2000; n++) {
        if (!breaker.try_take()) continue;
        std::uint64_t now = ++inside;
        for (std::uint64_t m = most; now > m && !most.compare_exchange_weak(m, now);) {
        }
        took++;
        inside--;
        breaker.give();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_LE(most, kLimit);
  EXPECT_GT(took, 0u);
  EXPECT_EQ(breaker.used(), 0u);
}

TEST(Breaker, TakenIsGivenBackOnDestruction) {
  Breaker breaker(1);
  EXPECT_TRUE(breaker.try_take());
  {
    Taken taken(breaker);
  }
  EXPECT_EQ(breaker.used(), 0u);
}

TEST(Breakers, HaveEnvoysDefaults) {
  Breakers b;
  EXPECT_EQ(b.connections.limit(), 1024u);
  EXPECT_EQ(b.pending_requests.limit(), 1024u);
  EXPECT_EQ(b.requests.limit(), 1024u);
  EXPECT_EQ(b.retries.limit(), 3u);
}

TEST(Breakers, OfAClusterComeFromItsThresholdsByPriority) {
  ClusterOptions options;
  options.thresholds[0] = {1, 2, 3, 4};
  options.thresholds[1] = {5, 6, 7, 8};
  Cluster cluster(options, nullptr, 0);
  EXPECT_EQ(cluster.breakers[0].connections.limit(), 1u);
  EXPECT_EQ(cluster.breakers[0].pending_requests.limit(), 2u);
  EXPECT_EQ(cluster.breakers[0].requests.limit(), 3u);
  EXPECT_EQ(cluster.breakers[0].retries.limit(), 4u);
  EXPECT_EQ(cluster.breakers[1].connections.limit(), 5u);
  EXPECT_EQ(cluster.breakers[1].retries.limit(), 8u);
}

TEST(Breakers, AnswerARequestTooManyWithOverflow) {
  TestProxy proxy;
  proxy.options.thresholds[0].requests = 1;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient first = p.connect();
    TestClient host = co_await p.forward(first, kGet);
    EXPECT_EQ(p.cluster->breakers[0].requests.used(), 1u);
    TestClient second = p.connect();
    std::string refused = co_await second.ask(kGet, "overflow");
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(refused, HasSubstr("x-envoy-overloaded: true\r\n"));
    EXPECT_EQ(p.log.back(), "GET /a 503 UO upstream_reset_before_response_started{overflow}");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_active_overflow), 1u);
    EXPECT_EQ(p.code(503), 1u);
    co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    EXPECT_THAT(co_await first.read_to("ok"), StartsWith("HTTP/1.1 200"));
    co_await second.send(kGet);
    EXPECT_THAT(co_await host.read_to("\r\n\r\n"), StartsWith("GET /a")) << "there is room again";
    co_await host.send("HTTP/1.1 204 No Content\r\n\r\n");
    co_await second.read_to("\r\n\r\n");
  });
}

TEST(Breakers, OfOnePriorityDoNotLimitTheOther) {
  TestProxy proxy;
  proxy.options.thresholds[0].requests = 0;
  proxy.route.priority = Priority::high;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_EQ(p.cluster->breakers[1].requests.used(), 1u);
    EXPECT_EQ(p.cluster->breakers[1].connections.used(), 1u);
    EXPECT_EQ(p.cluster->breakers[0].connections.used(), 0u);
    co_await host.send("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 204"));
  });
}

// Every way out of a request gives back what the request held.

struct WayOut {
  const char* name;
  Task<> (*go)(TestProxy&, TestClient&);
};

Task<> answered(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, kGet);
  co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
}

Task<> refused(TestProxy& p, TestClient& client) {
  p.path().connect_error = ECONNREFUSED;
  EXPECT_THAT(co_await client.ask(kGet, "failure"), StartsWith("HTTP/1.1 503"));
}

Task<> connect_timeout(TestProxy& p, TestClient& client) {
  p.path().black_hole = true;
  EXPECT_THAT(co_await client.ask(kGet, "timeout"), StartsWith("HTTP/1.1 503"));
}

Task<> left_while_connecting(TestProxy& p, TestClient& client) {
  p.path().black_hole = true;
  co_await client.send(kGet);
  co_await sleep(milliseconds(1));
  EXPECT_EQ(p.count(ClusterStat::upstream_rq_pending_active), 1u);
  client.close();
}

Task<> left_before_the_response(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, kGet);
  client.close();
  EXPECT_EQ(co_await host.read_all(), "<end>");
  EXPECT_THAT(p.log.back(), HasSubstr(" DC downstream_remote_disconnect"));
}

Task<> left_within_the_response(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, kGet);
  co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
  co_await client.read_to("some");
  client.close();
  EXPECT_EQ(co_await host.read_all(), "<end>");
}

Task<> closed_by_the_host(TestProxy& p, TestClient& client) {
  (co_await p.forward(client, kGet)).close();
  EXPECT_THAT(co_await client.read_to("termination"), StartsWith("HTTP/1.1 503"));
}

Task<> nonsense(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, kGet);
  co_await host.send("nonsense\r\n\r\n");
  EXPECT_THAT(co_await client.read_to("protocol error"), StartsWith("HTTP/1.1 502"));
}

Task<> cut_short(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, kGet);
  co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
  host.close();
  EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 200"));
}

Task<> too_slow(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, kGet);
  EXPECT_THAT(co_await client.read_to("timeout"), StartsWith("HTTP/1.1 504"));
}

Task<> within_the_request(TestProxy& p, TestClient& client) {
  TestClient host = co_await p.forward(client, "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nsome", "some");
  client.close();
  EXPECT_EQ(co_await host.read_all(), "<end>");
}

class WaysOut : public testing::TestWithParam<WayOut> {};

TEST_P(WaysOut, GiveBackWhatWasTaken) {
  TestProxy proxy;
  proxy.route.timeout = seconds(60);
  static const WayOut* way;
  way = &GetParam();
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    co_await way->go(p, client);
    client.close();
    co_await sleep(seconds(2));  // The connection's farewell.
    EXPECT_EQ(p.log.size(), 1u);
    p.expect_unused();
  });
}

INSTANTIATE_TEST_SUITE_P(All, WaysOut,
                         testing::Values(WayOut{"Answered", answered}, WayOut{"Refused", refused},
                                         WayOut{"ConnectTimeout", connect_timeout},
                                         WayOut{"LeftWhileConnecting", left_while_connecting},
                                         WayOut{"LeftBeforeTheResponse", left_before_the_response},
                                         WayOut{"LeftWithinTheResponse", left_within_the_response},
                                         WayOut{"ClosedByTheHost", closed_by_the_host}, WayOut{"Nonsense", nonsense},
                                         WayOut{"CutShort", cut_short}, WayOut{"TooSlow", too_slow},
                                         WayOut{"WithinTheRequest", within_the_request}),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace outrider
