// What Envoy's load balancers do with priorities and health; the numbers are those of its documents.
#include "upstream/host_set.h"

#include <gtest/gtest.h>

#include <map>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

constexpr HostHealth kHealthy = HostHealth::healthy;
constexpr HostHealth kDegraded = HostHealth::degraded;
constexpr HostHealth kUnhealthy = HostHealth::unhealthy;

// Hosts are numbered in the order in which they are added.
class HostSets : public testing::Test {
 public:
  void add(int count, std::uint32_t priority, HostHealth health, std::uint32_t weight = 1) {
    for (; count > 0; count--) {
      hosts.push_back(test_endpoint(static_cast<int>(hosts.size()), weight, priority, health));
    }
  }
  // The share of each host that gets requests, in percent.
  std::map<int, double> shares() {
    set = make_host_set(hosts);
    std::map<int, double> result;
    for (std::size_t i = 0; i < hosts.size(); i++) {
      auto times = std::count(set->eligible.begin(), set->eligible.end(), hosts[i].get());
      if (times > 0) result[static_cast<int>(i)] = 100.0 * static_cast<double>(times) / set->eligible.size();
    }
    return result;
  }
  // Summed over the hosts of each priority.
  std::map<std::uint32_t, double> by_priority() {
    std::map<std::uint32_t, double> result;
    for (auto [host, share] : shares()) result[hosts[static_cast<std::size_t>(host)]->priority] += share;
    return result;
  }
  std::vector<EndpointPtr> hosts;
  HostSetPtr set;
};

using Shares = std::map<int, double>;

TEST_F(HostSets, HealthyHostsShareAllRequests) {
  add(4, 0, kHealthy);
  EXPECT_EQ(shares(), (Shares{{0, 25}, {1, 25}, {2, 25}, {3, 25}}));
  EXPECT_EQ(set->panic, std::vector<bool>{false});
}

TEST_F(HostSets, WeightsAreRespected) {
  add(1, 0, kHealthy, 3);
  add(1, 0, kHealthy, 1);
  EXPECT_EQ(shares(), (Shares{{0, 75}, {1, 25}}));
}

TEST_F(HostSets, OfNoHostsAreEmpty) {
  EXPECT_EQ(shares(), Shares{});
  EXPECT_TRUE(set->panic.empty());
}

TEST_F(HostSets, UnhealthyHostsAreLeftOut) {
  add(3, 0, kHealthy);
  add(1, 0, kUnhealthy);
  EXPECT_EQ(shares().size(), 3u);
  EXPECT_FALSE(shares().contains(3));
}

TEST_F(HostSets, HalfOfTheHostsAreStillEnough) {
  add(1, 0, kUnhealthy);
  add(1, 0, kHealthy);
  EXPECT_EQ(shares(), (Shares{{1, 100}}));
  EXPECT_EQ(set->panic, std::vector<bool>{false});
}

TEST_F(HostSets, WithFewerThanHalfOfThemHealthyAllAreTaken) {
  add(2, 0, kUnhealthy);
  add(1, 0, kHealthy);
  EXPECT_EQ(shares().size(), 3u);
  EXPECT_EQ(set->panic, std::vector<bool>{true});
}

TEST_F(HostSets, WithNoneHealthyAllAreTaken) {
  add(2, 0, kUnhealthy);
  EXPECT_EQ(shares(), (Shares{{0, 50}, {1, 50}}));
}

// "Degraded endpoints": the healthy ones' share is their part times 1.4.
TEST_F(HostSets, DegradedHostsGetWhatTheHealthyOnesCannotTake) {
  add(1, 0, kDegraded);
  add(1, 0, kHealthy);
  EXPECT_EQ(shares(), (Shares{{0, 30}, {1, 70}}));
}

TEST_F(HostSets, DegradedHostsGetNothingWhileTheHealthyOnesSuffice) {
  add(1, 0, kDegraded);
  add(3, 0, kHealthy);
  EXPECT_FALSE(shares().contains(0));
}

TEST_F(HostSets, DegradedHostsAloneTakeAll) {
  add(2, 0, kDegraded);
  EXPECT_EQ(shares(), (Shares{{0, 50}, {1, 50}}));
  EXPECT_EQ(set->panic, std::vector<bool>{false});
}

struct Priorities {
  int healthy[3];  // Of ten hosts each; -1: there is no such priority.
  double percent[3];
};

class PriorityLevels : public HostSets, public testing::WithParamInterface<Priorities> {};

// The tables of "Priority levels" in Envoy's documents.
TEST_P(PriorityLevels, SpillOverAsTheyLoseHosts) {
  const Priorities& p = GetParam();
  for (std::uint32_t i = 0; i < 3; i++) {
    if (p.healthy[i] < 0) continue;
    add(p.healthy[i], i, kHealthy);
    add(10 - p.healthy[i], i, kUnhealthy);
  }
  auto found = by_priority();
  for (std::uint32_t i = 0; i < 3; i++) EXPECT_NEAR(found[i], p.percent[i], 1.1) << "priority " << i;
}

INSTANTIATE_TEST_SUITE_P(All, PriorityLevels,
                         testing::Values(Priorities{{10, 10, -1}, {100, 0, 0}}, Priorities{{8, 10, -1}, {100, 0, 0}},
                                         Priorities{{7, 10, -1}, {98, 2, 0}}, Priorities{{5, 10, -1}, {70, 30, 0}},
                                         Priorities{{2, 10, -1}, {28, 72, 0}}, Priorities{{0, 10, -1}, {0, 100, 0}},
                                         Priorities{{5, 5, -1}, {70, 30, 0}}, Priorities{{2, 2, 10}, {28, 28, 44}},
                                         // Both together too few, each in panic: by number of hosts.
                                         Priorities{{2, 2, -1}, {50, 50, 0}}, Priorities{{0, 0, -1}, {50, 50, 0}}));

TEST_F(HostSets, OnePriorityMayPanicAlone) {
  add(1, 0, kHealthy);
  add(9, 0, kUnhealthy);
  add(6, 1, kHealthy);
  add(4, 1, kUnhealthy);
  auto found = by_priority();  // 14 % and 84 % of what is needed: they share what is there.
  EXPECT_NEAR(found[0], 15, 1.1);
  EXPECT_EQ(set->panic, (std::vector<bool>{true, false}));
  EXPECT_EQ(shares().size(), 16u) << "all of the first, the healthy ones of the second";
}

TEST_F(HostSets, PrioritiesMayHaveGaps) {
  add(1, 0, kUnhealthy);
  add(2, 5, kHealthy);
  EXPECT_EQ(shares(), (Shares{{1, 50}, {2, 50}}));
}

TEST_F(HostSets, APriorityNeedNotHaveHosts) {
  add(2, 1, kHealthy);
  EXPECT_EQ(shares(), (Shares{{0, 50}, {1, 50}}));
}

TEST_F(HostSets, WeightsHoldWithinAPriority) {
  add(1, 0, kHealthy, 9);
  add(1, 0, kUnhealthy);
  add(1, 1, kHealthy, 3);
  add(1, 1, kHealthy, 1);
  auto found = shares();  // 70 to 30, the latter 3 to 1.
  EXPECT_NEAR(found[0], 70, 0.1);
  EXPECT_NEAR(found[2], 22.5, 0.1);
  EXPECT_NEAR(found[3], 7.5, 0.1);
}

TEST_F(HostSets, ManyHostsOfUnlikeWeightAndHealthAreBounded) {
  for (std::uint32_t i = 0; i < 1000; i++) add(1, i % 7, i % 3 == 0 ? kHealthy : kUnhealthy, 1 + i * 997 % 1009);
  shares();
  EXPECT_LE(set->eligible.size(), 4096u + 1000u);
}

}  // namespace
}  // namespace outrider
