#include "upstream/health_check.h"

#include <gmock/gmock.h>

#include "upstream/health_check_stats.h"
#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kGood = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view kBad = "HTTP/1.1 503 Bad\r\ncontent-length: 0\r\n\r\n";

// One host that is asked every second.
struct CheckedCluster : TestCluster {
  CheckedCluster() {
    check->timeout = milliseconds(300);
    check->interval = check->no_traffic_interval = seconds(1);
    check->unhealthy_threshold = check->healthy_threshold = 2;
    HealthCheckOptions::Http http;
    http.path = "/health";
    check->http = http;
  }
  void run(Task<> (*body)(CheckedCluster&)) {
    options.health_check = check;
    body_ = body;
    TestCluster::run([](TestCluster& t) -> Task<> {
      auto& self = static_cast<CheckedCluster&>(t);
      self.cluster->health_check_stats = self.scope_;
      self.hosts[0]->flags.set(HealthFlag::failed_active_hc);
      self.cluster->set_hosts(self.hosts, self.stats->local(0));
      self.scope.spawn(watch, self);
      self.checks.follow(self.cluster);
      co_await self.body_(self);
      self.checks.forget(*self.cluster);
    });
  }
  bool has(HealthFlag flag) const { return hosts[0]->flags.has(flag); }
  std::uint64_t counted(HealthCheckStat stat) const { return scope_->value(static_cast<std::size_t>(stat)); }

  std::shared_ptr<HealthCheckOptions> check = std::make_shared<HealthCheckOptions>();
  int changes = 0;
  HealthChecks checks{worker, network, [this](Cluster& c) {
                        changes++;
                        c.set_hosts(c.hosts()->all, stats->local(0));
                      }};

 private:
  static Task<> watch(CheckedCluster& c) { co_await c.checks.run(); }
  std::shared_ptr<StatScope> scope_ = registry.scope("cluster.c.health_check.", health_check_stat_table());
  Task<> (*body_)(CheckedCluster&) = nullptr;
};

TEST(HealthChecks, TakeAHostInWithItsFirstGoodAnswer) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    EXPECT_EQ(c.local().pick()->health_now(), HostHealth::unhealthy);
    TestClient host = co_await c.accept();
    EXPECT_EQ(co_await host.read_to("\r\n\r\n"), "GET /health HTTP/1.1\r\nhost: c\r\nuser-agent: Envoy/HC\r\n\r\n");
    co_await host.send(kGood);
    co_await c.checks.first_results();
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
    EXPECT_EQ(c.count(ClusterStat::membership_healthy), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::healthy), 1u);
    EXPECT_EQ(c.changes, 1);
    // The next question comes on the same connection.
    EXPECT_THAT(co_await host.read_to("\r\n\r\n"), StartsWith("GET /health"));
    EXPECT_GE(c.elapsed(), seconds(1));
  });
}

TEST(HealthChecks, TakeAHostOutWithItsFirstBadStatus) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    for (std::string_view answer : {kGood, kBad}) {
      co_await host.read_to("\r\n\r\n");
      co_await host.send(answer);
    }
    co_await sleep(milliseconds(10));
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    EXPECT_EQ(c.counted(HealthCheckStat::failure), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 0u);
    // Twice good brings it back.
    for (int i = 0; i < 2; i++) {
      EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
      co_await host.read_to("\r\n\r\n");
      co_await host.send(kGood);
      co_await sleep(milliseconds(10));
    }
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, TakeAHostOutThatTwiceDoesNotAnswer) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await host.read_to("\r\n\r\n");
    co_await host.send(kGood);
    co_await host.read_to("\r\n\r\n");
    co_await sleep(milliseconds(400));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
    EXPECT_TRUE(c.has(HealthFlag::active_hc_timeout));
    TestClient again = co_await c.accept();
    co_await again.read_to("\r\n\r\n");
    co_await sleep(milliseconds(400));
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 2u);
  });
}

TEST(HealthChecks, KnowAHostThatIsDegraded) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await host.read_to("\r\n\r\n");
    co_await host.send("HTTP/1.1 200 OK\r\nx-envoy-degraded: 1\r\ncontent-length: 0\r\n\r\n");
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.hosts[0]->health_now(), HostHealth::degraded);
    EXPECT_EQ(c.count(ClusterStat::membership_degraded), 1u);
  });
}

TEST(HealthChecks, BelieveAResponseThatSaysTheHostFails) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await host.read_to("\r\n\r\n");
    co_await host.send(kGood);
    co_await sleep(milliseconds(10));
    c.checks.fail_at_once(*c.cluster, *c.hosts[0]);
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    EXPECT_TRUE(c.has(HealthFlag::excluded_via_immediate_hc_fail));
    EXPECT_EQ(c.count(ClusterStat::membership_excluded), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::passive_failure), 1u);
  });
}

TEST(HealthChecks, LookForBytesInTheAnswerOfATcpHost) {
  CheckedCluster cluster;
  cluster.check->http.reset();
  cluster.check->tcp = HealthCheckOptions::Tcp{"ping", {"po", "ng"}};
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    EXPECT_EQ(co_await host.read_to("ping"), "ping");
    co_await host.send("xpo");
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    co_await host.send("xxng");
    co_await sleep(milliseconds(10));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, TakeAConnectionForEnoughWhereNoBytesAreAskedFor) {
  CheckedCluster cluster;
  cluster.check->http.reset();
  cluster.check->tcp.emplace();
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await sleep(milliseconds(10));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

}  // namespace
}  // namespace outrider
