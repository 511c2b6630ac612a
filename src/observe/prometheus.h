// Envoy's `/stats/prometheus`, in pieces.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "observe/counters.h"
#include "observe/stat_query.h"
#include "observe/stat_tags.h"

namespace outrider {

// One rendering. Counters and gauges are read when it is made, histograms when they are reached. Metrics are grouped by
// name, so each `# TYPE` occurs once: counters, gauges, histograms, each by name.
class PrometheusText {
 public:
  // Of the query's histogram buckets `summary` gives quantiles of the last interval, anything else cumulative buckets.
  PrometheusText(const StatRegistry& registry, StatQuery query);
  PrometheusText(const PrometheusText&) = delete;
  ~PrometheusText();

  // Appends about that many bytes or more; false when nothing is left.
  bool next(std::string& out, std::size_t bytes);

 private:
  struct Scope;
  struct Metric;
  struct Plan;
  struct Family;
  struct Group;
  struct Stat;

  const Plan& plan(const StatTable& table);
  void add_scope(std::shared_ptr<StatScope> scope);
  void order_groups();
  static void prefetch(const Group& group, const std::vector<Scope>& scopes, std::size_t at);
  void begin_group(const Group& group);
  void head(std::string& out, std::string_view type);
  void scope_lines(const Group& group, const Scope& scope, std::string& out);
  void code_lines(const Metric& metric, const Scope& scope, std::string& out);
  void line(std::string& out, std::string_view label, std::string_view label_value, const Scope& scope,
            std::uint64_t value);
  void histogram_lines(const Metric& metric, const Scope& scope, std::string& out);
  void bucket_lines(const Scope& scope, const HistogramTotals& totals, std::span<const double> bounds,
                    std::string& out);
  // Where tags are found in whole names (StatsOptions::finds_tags) there are no groups: each statistic stands for
  // itself.
  void add_stats(const std::shared_ptr<StatScope>& scope);
  void order_stats();
  void stat_lines(const Stat& stat, std::string& out);
  void summary_lines(const Scope& scope, const HistogramTotals& totals, std::string& out);
  bool matches(const Scope& scope, std::string_view name);

  const StatQuery query_;
  std::string fixed_labels_;  // Of the registry's tags: zone="a"
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<std::unique_ptr<Family>> families_;
  std::vector<Group> groups_;
  bool by_stat_ = false;
  std::vector<Stat> stats_;
  std::size_t stat_ = 0;
  std::vector<std::uint64_t> counts_;
  std::size_t group_ = 0;
  std::size_t scope_ = 0;  // Of the current group's family.
  std::string metric_;     // The current group's name, as Prometheus takes it.
  std::string open_;       // The same and "{".
  std::string head_of_;    // The last metric whose head was written.
  std::string scratch_;
  HistogramTotals totals_;
};

// All at once.
std::string prometheus_text(const StatRegistry& registry, const StatQuery& query);

}  // namespace outrider
