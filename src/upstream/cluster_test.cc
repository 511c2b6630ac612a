#include "upstream/cluster.h"

#include <gmock/gmock.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

TEST(ClusterStats, HaveAPlaceForEachName) {
  const StatTable& table = cluster_stat_table();
  EXPECT_EQ(table.definitions.size(), static_cast<std::size_t>(ClusterStat::count));
  auto at = [&](ClusterStat stat) { return table.definitions[static_cast<std::size_t>(stat)]; };
  EXPECT_EQ(at(ClusterStat::upstream_cx_total).name, "upstream_cx_total");
  EXPECT_EQ(at(ClusterStat::upstream_cx_total).kind, StatKind::counter);
  EXPECT_EQ(at(ClusterStat::membership_total).name, "membership_total");
  EXPECT_EQ(at(ClusterStat::membership_total).kind, StatKind::gauge);
  EXPECT_EQ(at(ClusterStat::upstream_rq_time).name, "upstream_rq_time");
  EXPECT_EQ(at(ClusterStat::upstream_rq_time).kind, StatKind::histogram);
}

TEST(ClusterStats, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const StatDefinition& d : cluster_stat_table().definitions) EXPECT_TRUE(names.insert(d.name).second) << d.name;
}

TEST(ClusterStats, CountResponsesByCode) {
  StatRegistry registry;
  auto stats = registry.scope("cluster.c.", cluster_stat_table());
  stats->local(0).count_code(204);
  stats->local(1).count_code(204);
  EXPECT_EQ(stats->code(204), 2u);
  EXPECT_EQ(cluster_stat_table().code_prefix, "upstream_rq_");
}

class Membership : public testing::Test {
 public:
  StatRegistry registry;
  std::shared_ptr<StatScope> stats = registry.scope("cluster.c.", cluster_stat_table());
  Cluster cluster{ClusterOptions{}, stats, 0};
  std::uint64_t count(ClusterStat stat) const { return stats->value(static_cast<std::size_t>(stat)); }
};

TEST_F(Membership, IsCountedByHealth) {
  cluster.set_hosts(make_host_set({test_endpoint(0), test_endpoint(1), test_endpoint(2, 1, 0, HostHealth::degraded),
                                   test_endpoint(3, 1, 0, HostHealth::unhealthy)}),
                    stats->local(0));
  EXPECT_EQ(count(ClusterStat::membership_total), 4u);
  EXPECT_EQ(count(ClusterStat::membership_healthy), 2u);
  EXPECT_EQ(count(ClusterStat::membership_degraded), 1u);
  cluster.set_hosts(make_host_set({test_endpoint(0)}), stats->local(0));
  EXPECT_EQ(count(ClusterStat::membership_total), 1u);
  EXPECT_EQ(count(ClusterStat::membership_degraded), 0u);
}

TEST_F(Membership, IsReplacedAsAWhole) {
  EXPECT_TRUE(cluster.hosts()->all.empty());
  cluster.set_hosts(make_host_set({test_endpoint(0)}), stats->local(0));
  HostSetPtr before = cluster.hosts();
  cluster.set_hosts(make_host_set({}), stats->local(0));
  EXPECT_EQ(before->all.size(), 1u) << "whoever has it may go on with it";
  EXPECT_TRUE(cluster.hosts()->all.empty());
}

}  // namespace
}  // namespace outrider
