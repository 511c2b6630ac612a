#include "observe/statsd.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

constexpr StatDefinition kDefinitions[] = {
    {"cx_total", StatKind::counter}, {"cx_active", StatKind::gauge}, {"rq_time", StatKind::histogram}};
const StatTable kTable{kDefinitions, "upstream_rq_"};

std::vector<std::string> lines(StatSampler& sampler, StatRegistry& registry, StatsdTags tags = StatsdTags::none) {
  registry.flush_histograms();
  std::vector<std::string> lines;
  for (const StatSample& sample : sampler.take(registry)) {
    append_statsd(sample, stats_options(), tags, "p", lines.emplace_back());
  }
  return lines;
}

TEST(Statsd, SendsDifferencesOfCountersAndEveryValue) {
  StatRegistry registry;
  StatSampler sampler;
  auto scope = registry.scope("cluster.a.", kTable);
  StatBlock& block = scope->local(0);
  EXPECT_EQ(lines(sampler, registry).size(), 0u) << "nothing was ever written";
  block.cell(0).add(3);
  block.cell(1).set(7);
  block.record(std::size_t{2}, 15);
  block.record(std::size_t{2}, 15);
  EXPECT_EQ(lines(sampler, registry), (std::vector<std::string>{"p.cluster.a.cx_total:3|c", "p.cluster.a.cx_active:7|g",
                                                                "p.cluster.a.rq_time:15|ms|@0.5"}));
  block.cell(0).add(1);
  EXPECT_EQ(lines(sampler, registry),
            (std::vector<std::string>{"p.cluster.a.cx_total:1|c", "p.cluster.a.cx_active:7|g"}));
  EXPECT_EQ(lines(sampler, registry)[0], "p.cluster.a.cx_total:0|c");
}

TEST(Statsd, TakesTagsOutOfNames) {
  StatRegistry registry;
  StatSampler sampler;
  auto scope = registry.scope("cluster.a.", kTable);
  scope->local(0).count_code(204);
  EXPECT_EQ(lines(sampler, registry, StatsdTags::graphite),
            (std::vector<std::string>{"p.cluster.upstream_rq;envoy.response_code=204;envoy.cluster_name=a:1|c",
                                      "p.cluster.upstream_rq_xx;envoy.response_code_class=2;envoy.cluster_name=a:1|c",
                                      "p.cluster.upstream_rq_completed;envoy.cluster_name=a:1|c"}));
  auto worker = registry.scope("listener.0.0.0.0_80.worker_3.", kTable);
  worker->local(0).cell(1).set(2);
  EXPECT_EQ(lines(sampler, registry, StatsdTags::dogstatsd).back(),
            "p.listener.worker_cx_active:2|g|#envoy.worker_id:3,envoy.listener_address:0.0.0.0_80");
}

TEST(Statsd, LeavesOutWhatNobodyWants) {
  StatRegistry registry;
  StatsOptions options;
  options.exists = [](std::string_view name) { return name != "cluster.a.cx_total"; };
  set_stats_options(std::move(options));
  StatSampler sampler;
  auto scope = registry.scope("cluster.a.", kTable);
  StatBlock& block = scope->local(0);
  block.cell(0).add();
  block.cell(1).add();
  EXPECT_EQ(lines(sampler, registry), (std::vector<std::string>{"p.cluster.a.cx_active:1|g"}));
  set_stats_options({});
}

}  // namespace
}  // namespace outrider
