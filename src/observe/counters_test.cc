#include "observe/counters.h"

#include <gmock/gmock.h>

#include <thread>

#include "observe/server_stats.h"

namespace outrider {
namespace {

enum class Stat : std::uint16_t { total, active, time, count };
constexpr StatDefinition kDefinitions[] = {
    {"total", StatKind::counter}, {"active", StatKind::gauge}, {"time", StatKind::histogram}};
const StatTable kTable{kDefinitions, "rq_"};

std::uint64_t value(const StatScope& scope, Stat stat) { return scope.value(static_cast<std::size_t>(stat)); }

TEST(CountersTest, AScopeSumsItsWorkers) {
  StatScope scope("cluster.a.", kTable);
  EXPECT_FALSE(scope.used());
  scope.local(0)[Stat::total].add();
  scope.local(3)[Stat::total].add(5);
  EXPECT_TRUE(scope.used());
  EXPECT_EQ(value(scope, Stat::total), 6u);
}

TEST(CountersTest, AGaugeMayRiseOnOneWorkerAndFallOnAnother) {
  StatScope scope("cluster.a.", kTable);
  scope.local(0)[Stat::active].add(3);
  scope.local(1)[Stat::active].sub(2);
  EXPECT_EQ(value(scope, Stat::active), 1u);
  {
    Held held(scope.local(1)[Stat::active]);
    EXPECT_EQ(value(scope, Stat::active), 2u);
  }
  EXPECT_EQ(value(scope, Stat::active), 1u);
  scope.local(1)[Stat::active].set(7);
  EXPECT_EQ(value(scope, Stat::active), 10u);
}

TEST(CountersTest, ACellIsUsedOnceItWasWrittenIfOnlyWithNothing) {
  Cell cell;
  EXPECT_FALSE(cell.used());
  cell.set(0);
  EXPECT_TRUE(cell.used());
  EXPECT_EQ(cell.value(), 0u);
  cell.add(std::uint64_t{1} << 40);
  EXPECT_EQ(cell.value(), std::uint64_t{1} << 40);
}

TEST(CountersTest, StatusCodesAreCountedEach) {
  StatScope scope("cluster.a.", kTable);
  for (int status : {200, 200, 404, 599, 100, 99, 600, 0, -1}) scope.local(0).count_code(status);
  scope.local(1).count_code(200);
  EXPECT_EQ(scope.code(200), 3u);
  EXPECT_EQ(scope.code(404), 1u);
  EXPECT_EQ(scope.code(201), 0u);
  std::vector<std::pair<int, std::uint64_t>> found;
  for (const CodeCount& c : scope.codes()) found.emplace_back(c.status, c.count);
  EXPECT_THAT(found,
              testing::ElementsAre(std::pair(100, 1u), std::pair(200, 3u), std::pair(404, 1u), std::pair(599, 1u)));
}

TEST(CountersTest, AResetBringsCountersToZeroAndLeavesGauges) {
  StatScope scope("cluster.a.", kTable);
  StatBlock& block = scope.local(0);
  block[Stat::total].add(5);
  block[Stat::active].add(2);
  block.count_code(200);
  block.record(Stat::time, 12);
  scope.reset_counters();
  EXPECT_EQ(value(scope, Stat::total), 0u);
  EXPECT_EQ(value(scope, Stat::active), 2u);
  EXPECT_EQ(scope.code(200), 0u);
  EXPECT_EQ(scope.codes().size(), 1u);
  block[Stat::total].add();
  block.count_code(200);
  scope.local(1)[Stat::total].add();
  EXPECT_EQ(value(scope, Stat::total), 2u);
  EXPECT_EQ(scope.code(200), 1u);
  scope.reset_counters();
  EXPECT_EQ(value(scope, Stat::total), 0u);
}

TEST(CountersTest, ReadGivesEverythingAtOnce) {
  StatScope scope("cluster.a.", kTable);
  scope.local(0)[Stat::active].set(0);
  scope.local(1)[Stat::active].add(4);
  std::uint64_t values[3];
  bool written[3];
  scope.read(values, written);
  EXPECT_THAT(values, testing::ElementsAre(0, 4, 0));
  EXPECT_THAT(written, testing::ElementsAre(false, true, false));
}

TEST(CountersTest, AnIntervalLiesBetweenTwoFlushes) {
  StatScope scope("cluster.a.", kTable);
  constexpr auto kTime = static_cast<std::size_t>(Stat::time);
  auto interval = [&] {
    HistogramTotals t;
    scope.interval(kTime, t);
    return t.count;
  };
  scope.local(0).record(Stat::time, 5);
  EXPECT_EQ(interval(), 0u);
  scope.flush_histograms();
  EXPECT_EQ(interval(), 1u);
  scope.local(0).record(Stat::time, 5);
  scope.local(1).record(Stat::time, 800);
  EXPECT_EQ(interval(), 1u);
  scope.flush_histograms();
  EXPECT_EQ(interval(), 2u);
  scope.flush_histograms();
  EXPECT_EQ(interval(), 0u);
  HistogramTotals all;
  scope.histogram(kTime, all);
  EXPECT_EQ(all.count, 3u);
  EXPECT_EQ(all.sum, 810u);
}

TEST(CountersTest, TheRegistryKeepsAScopeAsLongAsSomebodyDoes) {
  StatRegistry registry;
  auto b = registry.scope("cluster.b.", kTable);
  auto a = registry.scope("cluster.a.", kTable);
  a->local(0)[Stat::total].add();
  EXPECT_EQ(registry.scope("cluster.a.", kTable), a);
  ASSERT_EQ(registry.all().size(), 2u);
  EXPECT_EQ(registry.all()[0]->name(), "cluster.a.");
  a.reset();
  ASSERT_EQ(registry.all().size(), 1u);
  EXPECT_EQ(value(*registry.scope("cluster.a.", kTable), Stat::total), 0u);
}

TEST(CountersTest, TheRegistryForgetsWhatNobodyHolds) {
  StatRegistry registry;
  const auto kept = registry.scope("cluster.kept.", kTable);
  const std::uint64_t before = process_memory().allocated;
  for (int i = 0; i < 20'000; i++) registry.scope("cluster.with_a_longer_name_" + std::to_string(i) + ".", kTable);
  EXPECT_LT(process_memory().allocated, before + 1'000'000);
  EXPECT_EQ(registry.scope("cluster.kept.", kTable), kept);
}

TEST(CountersTest, AreReadWhileTheyAreWritten) {
  StatRegistry registry;
  auto scope = registry.scope("cluster.a.", kTable);
  constexpr int kEach = 20'000;
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; w++) {
    writers.emplace_back([&, w] {
      StatBlock& block = scope->local(w);
      for (int i = 0; i < kEach; i++) {
        Held held(block[Stat::active]);
        block[Stat::total].add();
        block.count_code(200 + i % 7);
        block.record(Stat::time, static_cast<std::uint64_t>(i));
      }
    });
  }
  while (value(*scope, Stat::total) < 2 * kEach) {
    registry.flush_histograms();
    std::uint64_t codes = 0;
    for (const CodeCount& c : scope->codes()) codes += c.count;
    ASSERT_LE(codes, 2u * kEach);
  }
  for (std::thread& t : writers) t.join();
  EXPECT_EQ(value(*scope, Stat::active), 0u);
  EXPECT_EQ(scope->code(200), 2u * ((kEach + 6) / 7));
}

TEST(CountersTest, TheServersTablesMatchTheirEnums) {
  EXPECT_EQ(server_stat_table().definitions.size(), static_cast<std::size_t>(ServerStat::count));
  EXPECT_EQ(server_stat_table().definitions[static_cast<std::size_t>(ServerStat::uptime)].name, "uptime");
  EXPECT_EQ(listener_manager_stat_table().definitions.size(), static_cast<std::size_t>(ListenerManagerStat::count));
  EXPECT_EQ(cluster_manager_stat_table().definitions.size(), static_cast<std::size_t>(ClusterManagerStat::count));
  EXPECT_EQ(filesystem_stat_table().definitions.size(), static_cast<std::size_t>(FilesystemStat::count));
}

TEST(CountersTest, TheProcessKnowsItsMemory) {
  ProcessMemory memory = process_memory();
  EXPECT_GT(memory.physical_size, 1'000'000u);
  EXPECT_LE(memory.allocated, memory.heap_size);
}

}  // namespace
}  // namespace outrider
