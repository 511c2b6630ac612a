#include "upstream/tries.h"

#include <gmock/gmock.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view kBad = "HTTP/1.1 503 Bad\r\ncontent-length: 0\r\n\r\n";

// A proxy whose route sends again what the list names.
struct RetryingProxy : TestProxy {
  explicit RetryingProxy(std::string_view on, int hosts = 1) : TestProxy(hosts) {
    policy->on = parse_retry_on(on);
    route.retry = policy;
  }
  std::shared_ptr<RetryPolicy> policy = std::make_shared<RetryPolicy>();
};

TEST(Tries, SendARequestAgainAfterAWaitOfAtMostTheBaseInterval) {
  RetryingProxy proxy("5xx");
  proxy.policy->base_interval = milliseconds(40);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(kBad);
    EXPECT_THAT(co_await host.read_to("\r\n\r\n"), StartsWith("GET /a HTTP/1.1\r\n"));
    EXPECT_LE(p.elapsed(), milliseconds(50));
    EXPECT_EQ(p.cluster->breakers[0].retries.used(), 1u);
    co_await host.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry_success), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry_backoff_exponential), 1u);
    EXPECT_EQ(p.cluster->retry_codes.scope().code(503), 1u);
    EXPECT_EQ(p.code(503), 0u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 1u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_success, 1u);
  });
}

TEST(Tries, EndWithTheFlagOfTheLimitWhenNoneIsLeft) {
  RetryingProxy proxy("5xx");
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(kBad);
    co_await host.read_to("\r\n\r\n");
    co_await host.send(kBad);
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.log.back(), "GET /a 503 URX via_upstream");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry_limit_exceeded), 1u);
  });
}

TEST(Tries, EndWithTheFlagOfTheBreakerWhenTheClusterAllowsNoMore) {
  RetryingProxy proxy("5xx");
  proxy.options.thresholds[0].retries = 0;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(kBad);
    co_await client.read_to("\r\n\r\n");
    EXPECT_EQ(p.log.back(), "GET /a 503 UO via_upstream");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry_overflow), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry), 0u);
  });
}

TEST(Tries, AreAsManyAsTheBudgetAllows) {
  RetryingProxy proxy("5xx");
  proxy.options.thresholds[0].retry_budget = RetryBudget{.percent = 100, .min = 0};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(kBad);
    co_await host.read_to("\r\n\r\n");
    EXPECT_EQ(p.cluster->breakers[0].retries.limit(), 1u);
    co_await host.send(kOk);
    co_await client.read_to("ok");
  });
}

TEST(Tries, SendABodyAgainThatIsStillComing) {
  RetryingProxy proxy("5xx");
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nxyz", "xyz");
    co_await host.send(kBad);
    TestClient again = co_await p.accept();
    EXPECT_THAT(co_await again.read_to("xyz"), HasSubstr("content-length: 6\r\n"));
    co_await client.send("uvw");
    EXPECT_EQ(co_await again.read_to("uvw"), "uvw");
    co_await again.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
  });
}

TEST(Tries, LeaveABodyThatIsTooLongToKeep) {
  RetryingProxy proxy("5xx");
  proxy.route.request_bytes_kept = 2;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nxyz", "xyz");
    co_await host.send(kBad);
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.count(ClusterStat::retry_or_shadow_abandoned), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry), 0u);
  });
}

TEST(Tries, HaveATimeEachOfWhichTheLastEndsTheRequest) {
  RetryingProxy proxy("5xx");
  proxy.policy->per_try_timeout = milliseconds(100);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient first = co_await p.forward(client, kGet);
    EXPECT_THAT(p.received, HasSubstr("x-envoy-expected-rq-timeout-ms: 100\r\n"));
    TestClient second = co_await p.accept();
    EXPECT_THAT(co_await client.read_to("timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_GE(p.elapsed(), milliseconds(200));
    EXPECT_LE(p.elapsed(), milliseconds(240));
    EXPECT_EQ(p.log.back(), "GET /a 504 URX,UT upstream_per_try_timeout");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_per_try_timeout), 2u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_timeout), 0u);
  });
}

TEST(Tries, AreEndedByTheRoutesTimeOutWhileOneIsWaitedFor) {
  RetryingProxy proxy("5xx");
  proxy.route.timeout = milliseconds(50);
  proxy.policy->reset_headers = {{"wait", false}};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 503 Bad\r\nwait: 10\r\ncontent-length: 0\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_timeout), 0u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry_backoff_ratelimited), 1u);
  });
}

TEST(Tries, GoToHostsThatHaveNotBeenTried) {
  RetryingProxy proxy("5xx", 2);
  proxy.policy->not_previous_hosts = true;
  proxy.policy->host_choices = 20;
  proxy.options.policy = LbPolicy::random;
  proxy.run([](TestProxy& p) -> Task<> {
    for (int i = 0; i < 8; i++) {
      TestClient client = p.connect();
      std::uint64_t before[] = {p.hosts[0]->numbers.rq_total, p.hosts[1]->numbers.rq_total};
      co_await client.send(kGet);
      co_await sleep(milliseconds(2));
      int first = p.hosts[0]->numbers.rq_total > before[0] ? 0 : 1;
      TestClient one = co_await p.accept(static_cast<std::size_t>(first));
      co_await one.send(kBad);
      TestClient two = co_await p.accept(static_cast<std::size_t>(1 - first));
      co_await two.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
      EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
      one.close();
      co_await sleep(milliseconds(2));
    }
  });
}

TEST(Tries, GoToTheNextPriority) {
  RetryingProxy proxy("5xx", 2);
  proxy.hosts[1] = test_endpoint(1, 1, 1);
  proxy.policy->priority_update_after = 1;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(kBad);
    TestClient other = co_await p.accept(1);
    co_await other.read_to("\r\n\r\n");
    co_await other.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
  });
}

TEST(Tries, AtOtherPrioritiesGoToTheHostsOfTheMoment) {
  RetryingProxy proxy("5xx", 3);
  proxy.hosts[1] = test_endpoint(1, 1, 1);
  proxy.hosts[2] = test_endpoint(2, 1, 1);
  proxy.policy->priority_update_after = 2;
  proxy.policy->retries = 4;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(kBad);
    co_await host.read_to("\r\n\r\n");
    co_await host.send(kBad);
    TestClient other = co_await p.accept(1);
    co_await other.read_to("\r\n\r\n");
    p.cluster->set_hosts(make_host_set({p.hosts[0], p.hosts[2]}), p.stats->local(0));
    p.clusters.refresh(p.cluster->slot);
    co_await other.send("HTTP/1.1 503 Bad\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    TestClient last = co_await p.accept(2);
    co_await last.read_to("\r\n\r\n");
    co_await last.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
  });
}

TEST(Tries, AreNotMadeOfARequestWhoseClientFailed) {
  RetryingProxy proxy("5xx,reset");
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(
        client, "POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n", "a\r\n");
    co_await client.send("nonsense\r\n");
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 400"));
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry), 0u);
  });
}

struct ListRow {
  std::string_view list;
  std::vector<RetryOn> reasons;
};

TEST(Tries, AreForTheReasonsOfAList) {
  const ListRow rows[] = {
      {"", {}},
      {"5xx", {RetryOn::five_xx}},
      {" 5xx , reset,", {RetryOn::five_xx, RetryOn::reset}},
      {"nosuch", {}},
      {"cancelled", {}},
      {"gateway-error,retriable-4xx", {RetryOn::gateway_error, RetryOn::retriable_4xx}},
  };
  for (const ListRow& row : rows) {
    RetryReasons wanted;
    for (RetryOn r : row.reasons) wanted.add(r);
    RetryReasons found = parse_retry_on(row.list);
    EXPECT_EQ(found.any(), wanted.any()) << row.list;
    for (RetryOn r : row.reasons) EXPECT_TRUE(found.has(r)) << row.list;
  }
}

}  // namespace
}  // namespace outrider
