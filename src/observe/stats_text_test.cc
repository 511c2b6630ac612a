#include "observe/stats_text.h"

#include <gmock/gmock.h>

#include <ranges>

#include "observe/prometheus.h"

namespace outrider {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

enum class Stat : std::uint16_t { zeta, rq_2xx, rq_5xx, active, time, count };
constexpr StatDefinition kDefinitions[] = {{"zeta", StatKind::counter},
                                           {"downstream_rq_2xx", StatKind::counter},
                                           {"downstream_rq_5xx", StatKind::counter},
                                           {"active", StatKind::gauge},
                                           {"time_ms", StatKind::histogram}};
const StatTable kTable{kDefinitions, ""};
constexpr StatDefinition kClusterDefinitions[] = {{"upstream_cx_total", StatKind::counter},
                                                  {"upstream_rq_active", StatKind::gauge},
                                                  {"upstream_rq_retry", StatKind::counter},
                                                  {"upstream_rq_time", StatKind::histogram}};
enum class ClusterStat : std::uint16_t { cx_total, rq_active, rq_retry, rq_time, count };
const StatTable kClusterTable{kClusterDefinitions, "upstream_rq_"};
constexpr StatDefinition kBreakerDefinitions[] = {{"cx_open", StatKind::gauge}};
const StatTable kBreakerTable{kBreakerDefinitions, ""};

class StatsTest : public testing::Test {
 public:
  static StatQuery query(std::initializer_list<QueryParameter> parameters) {
    std::vector<QueryParameter> list(parameters);
    auto parsed = StatQuery::parse(list);
    EXPECT_TRUE(parsed) << parsed.error();
    return parsed.value_or(StatQuery{});
  }
  std::string text(std::initializer_list<QueryParameter> parameters = {}) {
    return stats_text(registry_, query(parameters));
  }
  std::string prometheus(std::initializer_list<QueryParameter> parameters = {}) {
    return prometheus_text(registry_, query(parameters));
  }
  static std::string error(QueryParameter parameter) {
    auto parsed = StatQuery::parse({&parameter, 1});
    return parsed ? "" : parsed.error();
  }
  static std::vector<std::string> lines(std::string_view text) {
    std::vector<std::string> found;
    for (auto&& part : text | std::views::split('\n')) found.emplace_back(part.begin(), part.end());
    if (!found.empty() && found.back().empty()) found.pop_back();
    return found;
  }

  StatRegistry registry_;
  std::shared_ptr<StatScope> backend_ = registry_.scope("cluster.backend.", kClusterTable);
  std::shared_ptr<StatScope> breaker_ = registry_.scope("cluster.backend.circuit_breakers.default.", kBreakerTable);
};

TEST_F(StatsTest, NumbersByName) {
  auto other = registry_.scope("cluster.back.", kClusterTable);
  backend_->local(0)[ClusterStat::cx_total].add(3);
  backend_->local(0).count_code(200);
  backend_->local(0).count_code(204);
  backend_->local(1).count_code(503);
  EXPECT_THAT(lines(text()),
              ElementsAre("cluster.back.upstream_cx_total: 0",   //
                          "cluster.back.upstream_rq_active: 0",  //
                          "cluster.back.upstream_rq_retry: 0",   //
                          "cluster.backend.circuit_breakers.default.cx_open: 0",
                          "cluster.backend.upstream_cx_total: 3",   //
                          "cluster.backend.upstream_rq_200: 1",     //
                          "cluster.backend.upstream_rq_204: 1",     //
                          "cluster.backend.upstream_rq_2xx: 2",     //
                          "cluster.backend.upstream_rq_503: 1",     //
                          "cluster.backend.upstream_rq_5xx: 1",     //
                          "cluster.backend.upstream_rq_active: 0",  //
                          "cluster.backend.upstream_rq_completed: 3", "cluster.backend.upstream_rq_retry: 0"))
      << "a time of responses is shown from the first on";
}

TEST_F(StatsTest, ARootScopeSurroundsAll) {
  auto root = registry_.scope("", kTable);
  EXPECT_THAT(lines(text({{"type", "Gauges"}})),
              ElementsAre("active: 0", "cluster.backend.circuit_breakers.default.cx_open: 0",
                          "cluster.backend.upstream_rq_active: 0"));
}

TEST_F(StatsTest, UsedOnlyShowsWhatWasWritten) {
  EXPECT_EQ(text({{"usedonly", ""}}), "");
  backend_->local(0)[ClusterStat::rq_active].set(0);
  backend_->local(0).record(ClusterStat::rq_time, 42);
  EXPECT_THAT(lines(text({{"usedonly", ""}})),
              ElementsAre("cluster.backend.upstream_rq_active: 0",
                          testing::StartsWith("cluster.backend.upstream_rq_time: P0(")));
}

TEST_F(StatsTest, AFilterIsARegexAnywhereInTheWholeName) {
  EXPECT_THAT(lines(text({{"filter", "end\\..*_(active|retry)$"}})),
              ElementsAre("cluster.backend.upstream_rq_active: 0", "cluster.backend.upstream_rq_retry: 0"));
  EXPECT_EQ(text({{"filter", "^upstream"}}), "");
}

TEST_F(StatsTest, HistogramsShowTheIntervalAndAll) {
  backend_->local(0).record(ClusterStat::rq_time, 42);
  EXPECT_EQ(text({{"type", "Histograms"}}),
            "cluster.backend.upstream_rq_time: P0(nan,42.5) P25(nan,42.5) P50(nan,42.5) P75(nan,42.5) P90(nan,42.5) "
            "P95(nan,42.5) P99(nan,42.5) P99.5(nan,42.5) P99.9(nan,42.5) P100(nan,42.5)\n");
  registry_.flush_histograms();
  backend_->local(0).record(ClusterStat::rq_time, 1'600'000);
  registry_.flush_histograms();
  EXPECT_EQ(
      text({{"type", "Histograms"}}),
      "cluster.backend.upstream_rq_time: P0(1650000,42.5) P25(1650000,42.5) P50(1650000,42.5) P75(1650000,1650000) "
      "P90(1650000,1650000) P95(1650000,1650000) P99(1650000,1650000) P99.5(1650000,1650000) P99.9(1650000,1650000) "
      "P100(1650000,1650000)\n");
}

TEST_F(StatsTest, HistogramsShowTheirBuckets) {
  for (std::uint64_t v : {0u, 1u, 1u, 42u, 43u}) backend_->local(0).record(ClusterStat::rq_time, v);
  EXPECT_EQ(
      text({{"type", "Histograms"}, {"histogram_buckets", "cumulative"}}),
      "cluster.backend.upstream_rq_time: B0.5(0,1) B1(0,3) B5(0,3) B10(0,3) B25(0,3) B50(0,5) B100(0,5) B250(0,5) "
      "B500(0,5) B1000(0,5) B2500(0,5) B5000(0,5) B10000(0,5) B30000(0,5) B60000(0,5) B300000(0,5) B600000(0,5) "
      "B1.8e+06(0,5) B3.6e+06(0,5)\n");
  EXPECT_THAT(text({{"type", "Histograms"}, {"histogram_buckets", "disjoint"}}),
              HasSubstr(" B0.5(0,1) B1(0,2) B5(0,0) B10(0,0) B25(0,0) B50(0,2) B100(0,0) "));
  EXPECT_THAT(lines(text({{"type", "Histograms"}, {"histogram_buckets", "detailed"}})),
              ElementsAre("cluster.backend.upstream_rq_time:", "  totals=0,0:1, 1,0.1:2, 42,1:1, 43,1:1",
                          "  intervals=", testing::StartsWith("  summary=P0(nan,0) P25(nan,1.0333333333333334) ")));
}

TEST_F(StatsTest, JsonHasNumbersAndHistograms) {
  backend_->local(0)[ClusterStat::cx_total].add(3);
  backend_->local(0).record(ClusterStat::rq_time, 300'000);
  EXPECT_EQ(text({{"format", "json"}, {"filter", "total"}}),
            R"({"stats":[{"name":"cluster.backend.upstream_cx_total","value":3}]})");
  std::string json = text({{"format", "json"}, {"usedonly", ""}});
  EXPECT_THAT(json,
              testing::StartsWith(
                  R"({"stats":[{"name":"cluster.backend.upstream_cx_total","value":3},{"histograms":{)"
                  R"("supported_quantiles":[0,25,50,75,90,95,99,99.5,99.9,100],"computed_quantiles":[{)"
                  R"("name":"cluster.backend.upstream_rq_time","values":[{"cumulative":305000,"interval":null},)"));
  EXPECT_THAT(json, testing::EndsWith("]}]}}]}"));
  EXPECT_EQ(text({{"format", "json"}, {"filter", "nothing"}}), R"({"stats":[]})");
  EXPECT_THAT(text({{"format", "json"}, {"filter", "rq_time"}, {"histogram_buckets", "cumulative"}}),
              HasSubstr(R"({"upper_bound":3e+05,"interval":0,"cumulative":1},)"));
  EXPECT_THAT(text({{"format", "json"}, {"filter", "rq_time"}, {"histogram_buckets", "detailed"}}),
              HasSubstr(R"("totals":[{"lower_bound":3e+05,"width":10000,"count":1}],"intervals":[],"percentiles":[)"));
}

TEST_F(StatsTest, JsonEscapesNames) {
  auto odd = registry_.scope("cluster.x\"y\\\n.", kBreakerTable);
  EXPECT_EQ(text({{"format", "json"}, {"filter", "cluster.x"}}),
            "{\"stats\":[{\"name\":\"cluster.x\\\"y\\\\\\u000a.cx_open\",\"value\":0}]}");
}

TEST_F(StatsTest, WhatIsSparseIsShownFromItsFirstCountOn) {
  constexpr StatDefinition kCalls[] = {
      {"called", StatKind::counter}, {"failed", StatKind::counter}, {"time", StatKind::histogram}};
  const StatTable table{.definitions = kCalls, .code_prefix = "", .sparse = true};
  auto scope = registry_.scope("sparse.", table);
  EXPECT_THAT(text(), Not(HasSubstr("sparse")));
  EXPECT_THAT(prometheus(), Not(HasSubstr("sparse")));
  scope->local(0).cell(0).add();
  EXPECT_THAT(text(), HasSubstr("sparse.called: 1\n"));
  EXPECT_THAT(text(), Not(HasSubstr("sparse.failed")));
  EXPECT_THAT(text(), Not(HasSubstr("sparse.time")));
  EXPECT_THAT(prometheus(), HasSubstr("envoy_sparse_called{} 1\n"));
  EXPECT_THAT(prometheus(), Not(HasSubstr("envoy_sparse_failed")));
  EXPECT_THAT(prometheus(), Not(HasSubstr("envoy_sparse_time")));
}

TEST_F(StatsTest, WrongParametersAreRefusedInEnvoysWords) {
  EXPECT_EQ(error({"filter", "("}), "Invalid re2 regex: missing ): (");
  EXPECT_THAT(error({"format", "xml"}), testing::StartsWith("usage: /stats?format="));
  EXPECT_EQ(error({"type", "Meters"}), "invalid &type= param");
  EXPECT_THAT(error({"histogram_buckets", "few"}), testing::StartsWith("usage: /stats?histogram_buckets="));
  EXPECT_EQ(error({"pretty", "1"}), "");
}

TEST_F(StatsTest, PiecesMakeTheWhole) {
  std::vector<std::shared_ptr<StatScope>> scopes;
  for (int i = 0; i < 300; i++) {
    scopes.push_back(registry_.scope("cluster.c" + std::to_string(i) + ".", kClusterTable));
    if (i % 3 == 0) scopes.back()->local(0).record(ClusterStat::rq_time, static_cast<std::uint64_t>(i));
  }
  auto in_pieces = [](auto&& rendering) {
    std::string all, piece;
    int pieces = 0;
    for (bool more = true; more; pieces++) {
      piece.clear();
      more = rendering.next(piece, 1000);
      EXPECT_LT(piece.size(), 4000u);
      all += piece;
    }
    EXPECT_GT(pieces, 10);
    return all;
  };
  EXPECT_EQ(in_pieces(StatsText(registry_, {})), text());
  EXPECT_EQ(in_pieces(StatsText(registry_, query({{"format", "json"}}))), text({{"format", "json"}}));
  EXPECT_EQ(in_pieces(PrometheusText(registry_, {})), prometheus());
}

TEST_F(StatsTest, PrometheusGroupsByNameAndLabels) {
  auto other = registry_.scope("cluster.other.", kClusterTable);
  auto http = registry_.scope("http.in.", kTable);
  auto manager = registry_.scope("cluster_manager.", kBreakerTable);
  backend_->local(0)[ClusterStat::cx_total].add(3);
  backend_->local(0).count_code(200);
  backend_->local(1).count_code(204);
  other->local(0).count_code(503);
  http->local(0)[Stat::rq_2xx].add(9);
  std::vector<std::string> found = lines(prometheus());
  std::erase_if(found, [](const std::string& l) { return l.find("_time") != l.npos; });
  EXPECT_THAT(
      found,
      ElementsAre("# TYPE envoy_cluster_upstream_cx_total counter",                      //
                  R"(envoy_cluster_upstream_cx_total{envoy_cluster_name="backend"} 3)",  //
                  R"(envoy_cluster_upstream_cx_total{envoy_cluster_name="other"} 0)",    //
                  "# TYPE envoy_cluster_upstream_rq counter",                            //
                  R"(envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="backend"} 1)",
                  R"(envoy_cluster_upstream_rq{envoy_response_code="204",envoy_cluster_name="backend"} 1)",
                  R"(envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="other"} 1)",
                  "# TYPE envoy_cluster_upstream_rq_completed counter",                      //
                  R"(envoy_cluster_upstream_rq_completed{envoy_cluster_name="backend"} 2)",  //
                  R"(envoy_cluster_upstream_rq_completed{envoy_cluster_name="other"} 1)",    //
                  "# TYPE envoy_cluster_upstream_rq_retry counter",                          //
                  R"(envoy_cluster_upstream_rq_retry{envoy_cluster_name="backend"} 0)",      //
                  R"(envoy_cluster_upstream_rq_retry{envoy_cluster_name="other"} 0)",        //
                  "# TYPE envoy_cluster_upstream_rq_xx counter",                             //
                  R"(envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="backend"} 2)",
                  R"(envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="other"} 1)",
                  "# TYPE envoy_http_downstream_rq_xx counter",
                  R"(envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="in"} 9)",
                  R"(envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="in"} 0)",
                  "# TYPE envoy_http_zeta counter",                                                     //
                  R"(envoy_http_zeta{envoy_http_conn_manager_prefix="in"} 0)",                          //
                  "# TYPE envoy_cluster_circuit_breakers_default_cx_open gauge",                        //
                  R"(envoy_cluster_circuit_breakers_default_cx_open{envoy_cluster_name="backend"} 0)",  //
                  "# TYPE envoy_cluster_upstream_rq_active gauge",                                      //
                  R"(envoy_cluster_upstream_rq_active{envoy_cluster_name="backend"} 0)",                //
                  R"(envoy_cluster_upstream_rq_active{envoy_cluster_name="other"} 0)",                  //
                  "# TYPE envoy_cluster_manager_cx_open gauge",                                         //
                  "envoy_cluster_manager_cx_open{} 0",                                                  //
                  "# TYPE envoy_http_active gauge",                                                     //
                  R"(envoy_http_active{envoy_http_conn_manager_prefix="in"} 0)"));
}

TEST_F(StatsTest, PrometheusHistogramsHaveBucketsSumAndCount) {
  auto server = registry_.scope("server.", kTable);
  for (std::uint64_t v : {0u, 1u, 7u, 260u}) backend_->local(0).record(ClusterStat::rq_time, v);
  std::vector<std::string> found = lines(prometheus({{"filter", "time"}}));
  ASSERT_EQ(found.size(), 2 * (1 + kHistogramBoundCount + 3));
  EXPECT_EQ(found[0], "# TYPE envoy_cluster_upstream_rq_time histogram");
  EXPECT_EQ(found[1], R"(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="backend",le="0.5"} 1)");
  EXPECT_EQ(found[2], R"(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="backend",le="1"} 2)");
  EXPECT_EQ(found[8], R"(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="backend",le="250"} 3)");
  EXPECT_EQ(found[19], R"(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="backend",le="3600000"} 4)");
  EXPECT_EQ(found[20], R"(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="backend",le="+Inf"} 4)");
  EXPECT_EQ(found[21], R"(envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="backend"} 268)");
  EXPECT_EQ(found[22], R"(envoy_cluster_upstream_rq_time_count{envoy_cluster_name="backend"} 4)");
  EXPECT_EQ(found[23], "# TYPE envoy_server_time_ms histogram");
  EXPECT_EQ(found[24], R"(envoy_server_time_ms_bucket{le="0.5"} 0)");
  EXPECT_EQ(found.back(), "envoy_server_time_ms_count{} 0");
}

TEST_F(StatsTest, PrometheusSummariesAreOfTheLastInterval) {
  backend_->local(0).record(ClusterStat::rq_time, 42);
  registry_.flush_histograms();
  std::vector<std::string> found = lines(prometheus({{"type", "Histograms"}, {"histogram_buckets", "summary"}}));
  ASSERT_EQ(found.size(), 1 + kHistogramQuantileCount + 2);
  EXPECT_EQ(found[0], "# TYPE envoy_cluster_upstream_rq_time summary");
  EXPECT_EQ(found[1], R"(envoy_cluster_upstream_rq_time{envoy_cluster_name="backend",quantile="0"} 42.5)");
  EXPECT_EQ(found[8], R"(envoy_cluster_upstream_rq_time{envoy_cluster_name="backend",quantile="0.995"} 42.5)");
  EXPECT_EQ(found[10], R"(envoy_cluster_upstream_rq_time{envoy_cluster_name="backend",quantile="1"} 42.5)");
  EXPECT_EQ(found[12], R"(envoy_cluster_upstream_rq_time_count{envoy_cluster_name="backend"} 1)");
}

TEST_F(StatsTest, PrometheusEscapesLabelsAndCleansNames) {
  auto odd = registry_.scope("cluster.out|80||x\"y\\z.a-b.", kBreakerTable);
  EXPECT_THAT(lines(prometheus({{"filter", "a-b"}})),
              ElementsAre("# TYPE envoy_cluster_a_b_cx_open gauge",
                          R"(envoy_cluster_a_b_cx_open{envoy_cluster_name="out|80||x\"y\\z"} 0)"));
}

TEST_F(StatsTest, TheTagsOfTheRegistryStandBeforeThoseOfTheName) {
  registry_.set_tags({{"zone", "a\"b"}, {"rack", "7"}});
  backend_->local(0).count_code(503);
  std::vector<std::string> found = lines(prometheus({{"type", "Counters"}}));
  const std::string tags = R"(zone="a\"b",rack="7",envoy_cluster_name="backend"} )";
  EXPECT_THAT(found, Contains("envoy_cluster_upstream_cx_total{" + tags + "0"));
  EXPECT_THAT(found, Contains("envoy_cluster_upstream_rq{envoy_response_code=\"503\"," + tags + "1"));
}

TEST_F(StatsTest, AnInvertedFilterLeavesOutWhatMatches) {
  backend_->local(0)[ClusterStat::cx_total].add();
  EXPECT_EQ(text({{"filter", "^cluster"}, {"invert_filter", ""}}), "");
  EXPECT_THAT(prometheus({{"filter", "."}, {"invert_filter", ""}}), "");
  EXPECT_EQ(StatQuery::parse(std::array{QueryParameter{"invert_filter", ""}}).error(),
            "invert_filter can only be used if filter is also provided");
}

TEST_F(StatsTest, PrometheusHasEachTypeLineOnceAndNoneWithoutLines) {
  std::vector<std::shared_ptr<StatScope>> scopes;
  for (int i = 0; i < 50; i++) {
    scopes.push_back(registry_.scope("cluster.a" + std::to_string(i) + ".dotted.", kClusterTable));
    scopes.push_back(registry_.scope("cluster.a" + std::to_string(i) + ".b" + std::to_string(i) + ".", kClusterTable));
  }
  std::vector<std::string> heads;
  for (std::string& l : lines(prometheus())) {
    if (l.starts_with("# TYPE")) heads.push_back(std::move(l));
  }
  std::size_t count = heads.size();
  std::ranges::sort(heads);
  heads.erase(std::unique(heads.begin(), heads.end()), heads.end());
  EXPECT_EQ(heads.size(), count);
  EXPECT_EQ(prometheus({{"usedonly", ""}}), "");
  backend_->local(0)[ClusterStat::cx_total].add();
  EXPECT_THAT(lines(prometheus({{"usedonly", ""}})),
              ElementsAre("# TYPE envoy_cluster_upstream_cx_total counter",
                          R"(envoy_cluster_upstream_cx_total{envoy_cluster_name="backend"} 1)"));
}

}  // namespace
}  // namespace outrider
