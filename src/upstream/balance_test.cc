#include "upstream/balance.h"

#include <gmock/gmock.h>

#include <map>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;

using Rotation = std::vector<std::uint32_t>;

std::map<std::uint32_t, int> tally(const Rotation& rotation) {
  std::map<std::uint32_t, int> counts;
  for (std::uint32_t i : rotation) counts[i]++;
  return counts;
}

TEST(Rotation, OfEqualWeightsIsTheListItself) {
  EXPECT_THAT(smooth_rotation(Rotation{1, 1, 1}), ElementsAre(0, 1, 2));
  EXPECT_THAT(smooth_rotation(Rotation{70, 70}), ElementsAre(0, 1));
  EXPECT_THAT(smooth_rotation(Rotation{5}), ElementsAre(0));
  EXPECT_THAT(smooth_rotation(Rotation{}), IsEmpty());
}

TEST(Rotation, HasEachHostAsOftenAsItsWeightSays) {
  EXPECT_EQ(tally(smooth_rotation(Rotation{5, 1, 2})), (std::map<std::uint32_t, int>{{0, 5}, {1, 1}, {2, 2}}));
  EXPECT_EQ(tally(smooth_rotation(Rotation{50, 10, 20})), (std::map<std::uint32_t, int>{{0, 5}, {1, 1}, {2, 2}}));
}

TEST(Rotation, SpreadsAHeavyHostEvenly) {
  EXPECT_THAT(smooth_rotation(Rotation{2, 1, 1}), ElementsAre(0, 1, 2, 0));
  Rotation rotation = smooth_rotation(Rotation{5, 5, 10});
  for (std::size_t i = 1; i < rotation.size(); i++) EXPECT_NE(rotation[i - 1], rotation[i]) << i;
}

TEST(Rotation, OfLargeWeightsIsBounded) {
  Rotation rotation = smooth_rotation(Rotation{4'000'000'007, 2'000'000'011, 1});
  EXPECT_LE(rotation.size(), kRotationMax + 3);
  auto counts = tally(rotation);
  EXPECT_NEAR(counts[0], 2 * counts[1], 2);
  EXPECT_EQ(counts[2], 1) << "the lightest is not forgotten";
}

class Picking : public testing::Test {
 public:
  Picking() {
    for (int i = 0; i < 5; i++) {
      owned.push_back(test_endpoint(i));
      hosts.push_back(owned.back().get());
    }
  }
  std::vector<int> drawn(const std::function<Endpoint*()>& pick, int times) {
    std::vector<int> counts(hosts.size());
    for (int i = 0; i < times; i++) {
      Endpoint* chosen = pick();
      counts[static_cast<std::size_t>(std::find(hosts.begin(), hosts.end(), chosen) - hosts.begin())]++;
    }
    return counts;
  }
  std::vector<EndpointPtr> owned;
  std::vector<Endpoint*> hosts;
};

TEST_F(Picking, RoundRobinGoesRoundAndRound) {
  for (std::uint64_t turn = 0; turn < 12; turn++) EXPECT_EQ(pick_round_robin(hosts, turn), hosts[turn % 5]);
  EXPECT_EQ(pick_round_robin(hosts, UINT64_MAX), hosts[UINT64_MAX % 5]);
}

TEST_F(Picking, RandomDrawsEachHostAlikeAndCanBeRepeated) {
  Random random(1);
  EXPECT_THAT(drawn([&] { return pick_random(hosts, random); }, 5000), Each(AllOf(Ge(900), Le(1100))));
  Random one(2), same(2);
  for (int i = 0; i < 100; i++) EXPECT_EQ(pick_random(hosts, one), pick_random(hosts, same));
}

TEST_F(Picking, LeastRequestTakesTheIdlerOfThoseDrawn) {
  for (std::size_t i = 0; i < hosts.size(); i++) hosts[i]->numbers.rq_active = i;
  Random random(1);
  // Of two draws out of five, host i is the best in (2 * (4 - i) + 1) of 25 cases.
  std::vector<int> counts = drawn([&] { return pick_least_request(hosts, random, 2); }, 25'000);
  EXPECT_NEAR(counts[0], 9000, 300);
  EXPECT_NEAR(counts[2], 5000, 300);
  EXPECT_NEAR(counts[4], 1000, 300);
}

TEST_F(Picking, LeastRequestOfManyDrawsFindsTheIdlest) {
  for (Endpoint* h : hosts) h->numbers.rq_active = 7;
  hosts[3]->numbers.rq_active = 1;
  Random random(1);
  EXPECT_EQ(drawn([&] { return pick_least_request(hosts, random, 100); }, 50)[3], 50);
}

TEST_F(Picking, LeastRequestOfOneDrawIsRandom) {
  hosts[0]->numbers.rq_active = 100;
  Random random(1);
  EXPECT_THAT(drawn([&] { return pick_least_request(hosts, random, 1); }, 5000), Each(AllOf(Ge(900), Le(1100))));
}

// --- a cluster's policy -------------------------------------------------------------------------------------------

TEST(Balancing, TurnsRoundOverAllWorkersTogether) {
  TestCluster cluster(3);
  cluster.run([](TestCluster& t) -> Task<> {
    SimulatedPoller poller{t.clock};
    Worker other_worker(0, t.clock, poller, 1);
    WorkerCluster other(other_worker, t.network, t.scope, t.cluster);
    for (int i = 0; i < 3; i++) {
      EXPECT_EQ(t.local().pick(), t.hosts[static_cast<std::size_t>(2 * i) % 3].get());
      EXPECT_EQ(other.pick(), t.hosts[static_cast<std::size_t>(2 * i + 1) % 3].get());
    }
    co_return;
  });
}

TEST(Balancing, FollowsTheClustersPolicy) {
  TestCluster cluster(2);
  cluster.options.policy = LbPolicy::least_request;
  cluster.options.least_request_choices = 50;
  cluster.run([](TestCluster& t) -> Task<> {
    t.hosts[0]->numbers.rq_active = 5;
    for (int i = 0; i < 20; i++) EXPECT_EQ(t.local().pick(), t.hosts[1].get());
    t.hosts[0]->numbers.rq_active = 0;
    co_return;
  });
}

TEST(Balancing, AClusterWithoutHostsHasNoChoice) {
  TestCluster cluster(0);
  cluster.run([](TestCluster& t) -> Task<> {
    EXPECT_EQ(t.local().pick(), nullptr);
    EXPECT_EQ(t.count(ClusterStat::lb_healthy_panic), 1u);
    co_return;
  });
}

TEST(Balancing, CountsChoicesMadeInPanic) {
  TestCluster cluster(2);
  for (const EndpointPtr& e : cluster.hosts) e->health = HostHealth::unhealthy;
  cluster.run([](TestCluster& t) -> Task<> {
    for (int i = 0; i < 4; i++) EXPECT_NE(t.local().pick(), nullptr);
    EXPECT_EQ(t.count(ClusterStat::lb_healthy_panic), 4u);
    co_return;
  });
}

}  // namespace
}  // namespace outrider
