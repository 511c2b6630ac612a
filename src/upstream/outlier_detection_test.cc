#include "upstream/outlier_detection.h"

#include <gtest/gtest.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Ten hosts, of which half may be out.
struct WatchedCluster : TestCluster {
  WatchedCluster() : TestCluster(10) {
    outlier->max_ejection_percent = 50;
    outlier->consecutive_5xx = 3;
  }
  void run(Task<> (*body)(WatchedCluster&)) {
    options.outlier = outlier;
    body_ = body;
    for (auto& host : hosts) host->outlier = std::make_unique<Outlier>(*outlier);
    TestCluster::run([](TestCluster& t) -> Task<> {
      auto& self = static_cast<WatchedCluster&>(t);
      self.cluster->outlier_stats = self.scope_;
      self.scope.spawn(watch, self);
      self.detection.follow(self.cluster);
      co_await self.body_(self);
      self.detection.forget(*self.cluster);
    });
  }
  void answer(std::size_t host, int status) {
    std::uint32_t reasons = hosts[host]->outlier->put_status(status);
    for (unsigned i = 0; reasons >> i; i++) {
      if ((reasons >> i) & 1) detection.too_many_errors(*cluster, *hosts[host], static_cast<EjectionReason>(i));
    }
  }
  bool out(std::size_t host) const { return hosts[host]->flags.has(HealthFlag::failed_outlier_check); }
  std::uint64_t counted(OutlierStat stat) const { return scope_->value(static_cast<std::size_t>(stat)); }

  std::shared_ptr<OutlierOptions> outlier = std::make_shared<OutlierOptions>();
  OutlierDetection detection{worker, [this](Cluster& c) { c.set_hosts(c.hosts()->all, stats->local(0)); }};

 private:
  static Task<> watch(WatchedCluster& c) { co_await c.detection.run(); }
  std::shared_ptr<StatScope> scope_ = registry.scope("cluster.c.outlier_detection.", outlier_stat_table());
  Task<> (*body_)(WatchedCluster&) = nullptr;
};

TEST(OutlierDetection, TakesAHostOutAfterErrorsInARowAndBackAfterAWhile) {
  WatchedCluster cluster;
  cluster.run([](WatchedCluster& c) -> Task<> {
    for (int status : {500, 500, 200, 500, 500}) c.answer(0, status);
    EXPECT_FALSE(c.out(0));
    c.answer(0, 500);
    EXPECT_TRUE(c.out(0));
    EXPECT_EQ(c.count(ClusterStat::membership_healthy), 9u);
    EXPECT_EQ(c.counted(OutlierStat::ejections_enforced_consecutive_5xx), 1u);
    EXPECT_EQ(c.counted(OutlierStat::ejections_active), 1u);
    co_await sleep(seconds(29));
    EXPECT_TRUE(c.out(0));
    co_await sleep(seconds(2));
    EXPECT_FALSE(c.out(0));
    EXPECT_EQ(c.counted(OutlierStat::ejections_active), 0u);
    // The second time is longer.
    for (int i = 0; i < 3; i++) c.answer(0, 500);
    co_await sleep(seconds(41));
    EXPECT_TRUE(c.out(0));
    co_await sleep(seconds(30));
    EXPECT_FALSE(c.out(0));
  });
}

TEST(OutlierDetection, LeavesAsManyHostsAsItMust) {
  WatchedCluster cluster;
  cluster.run([](WatchedCluster& c) -> Task<> {
    for (std::size_t host = 0; host < 7; host++) {
      for (int i = 0; i < 3; i++) c.answer(host, 503);
    }
    EXPECT_EQ(c.counted(OutlierStat::ejections_active), 5u);
    EXPECT_EQ(c.counted(OutlierStat::ejections_overflow), 2u);
    co_return;
  });
}

TEST(OutlierDetection, CountsGatewayFailuresWithoutEnforcingUnlessAsked) {
  WatchedCluster cluster;
  cluster.outlier->consecutive_gateway_failure = 2;
  cluster.outlier->consecutive_5xx = 100;
  cluster.run([](WatchedCluster& c) -> Task<> {
    for (int status : {503, 500, 502, 504}) c.answer(0, status);
    EXPECT_FALSE(c.out(0));
    EXPECT_EQ(c.counted(OutlierStat::ejections_detected_consecutive_gateway_failure), 1u);
    co_return;
  });
}

TEST(OutlierDetection, FindsTheHostWhoseSuccessRateIsFarBelowTheOthers) {
  WatchedCluster cluster;
  cluster.outlier->consecutive_5xx = 1000;
  cluster.run([](WatchedCluster& c) -> Task<> {
    for (std::size_t host = 0; host < 10; host++) {
      for (int i = 0; i < 100; i++) c.answer(host, host == 3 && i % 2 ? 500 : 200);
    }
    co_await sleep(seconds(11));
    for (std::size_t host = 0; host < 10; host++) EXPECT_EQ(c.out(host), host == 3) << host;
    EXPECT_EQ(c.counted(OutlierStat::ejections_enforced_success_rate), 1u);
    EXPECT_EQ(c.hosts[3]->outlier->external.percent, 50);
    EXPECT_EQ(c.hosts[4]->outlier->external.percent, 100);
    EXPECT_EQ(c.cluster->success_rates.average, 95);  // Nine of 100 %, one of 50 %; 15 is the standard deviation.
    EXPECT_NEAR(c.cluster->success_rates.ejection_threshold, 95 - 15 * 1.9, 1e-9);
    EXPECT_EQ(c.cluster->local_origin_success_rates.average, -1);
  });
}

TEST(OutlierDetection, TakesOutHostsWithTooManyFailuresWhereThatIsEnforced) {
  WatchedCluster cluster;
  cluster.outlier->consecutive_5xx = 1000;
  cluster.outlier->enforcing_success_rate = 0;
  cluster.outlier->enforcing_failure_percentage = 100;
  cluster.run([](WatchedCluster& c) -> Task<> {
    for (std::size_t host = 0; host < 10; host++) {
      for (int i = 0; i < 50; i++) c.answer(host, host < 2 ? 500 : 200);
    }
    co_await sleep(seconds(11));
    for (std::size_t host = 0; host < 10; host++) EXPECT_EQ(c.out(host), host < 2) << host;
  });
}

TEST(OutlierDetection, TakesAHostBackThatPassesItsHealthCheck) {
  WatchedCluster cluster;
  cluster.run([](WatchedCluster& c) -> Task<> {
    for (int i = 0; i < 3; i++) c.answer(0, 500);
    EXPECT_TRUE(c.out(0));
    c.detection.passed_check(*c.cluster, *c.hosts[0]);
    EXPECT_FALSE(c.out(0));
    co_return;
  });
}

}  // namespace
}  // namespace outrider
