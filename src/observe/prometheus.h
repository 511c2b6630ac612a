// Envoy's `/stats/prometheus`, in pieces.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "observe/counters.h"
#include "observe/prometheus_groups.h"
#include "observe/stat_format.h"
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
  struct Stat;

  void begin_metric(std::string_view family, std::string_view name);
  void head(std::string& out, std::string_view type);
  bool is_plain(const prometheus::Group& group) const;
  void plain_lines(const prometheus::Group& group, std::size_t begin, std::size_t end, std::string& out);
  void scope_lines(const prometheus::Group& group, std::size_t scope, std::string& out);
  void code_lines(const prometheus::Metric& metric, const prometheus::Scope& scope, prometheus::Labels labels,
                  std::string& out);
  void line(std::string& out, std::string_view label, std::string_view label_value, prometheus::Labels labels,
            std::uint64_t value);
  void histogram_lines(const StatScope& scope, std::size_t index, bool recorded, prometheus::Labels labels,
                       std::string& out);
  void bucket_lines(const HistogramTotals& totals, std::span<const double> bounds, prometheus::Labels labels,
                    std::string& out);
  void summary_lines(const HistogramTotals& totals, prometheus::Labels labels, std::string& out);
  // Where tags are found in whole names (StatsOptions::finds_tags) there are no groups: each statistic stands for
  // itself.
  void add_stats(const std::shared_ptr<StatScope>& scope);
  void order_stats();
  void stat_lines(const Stat& stat, std::string& out);
  bool matches(const StatScope& scope, std::string_view name);

  static constexpr std::size_t kLinesAtOnce = 16;

  const StatQuery query_;
  const bool takes_all_;      // No statistic is left out.
  std::string fixed_labels_;  // Of the registry's tags: zone="a"
  prometheus::Groups all_;
  std::vector<prometheus::Group> groups_;
  bool by_stat_ = false;
  std::vector<Stat> stats_;
  std::size_t stat_ = 0;
  std::vector<std::uint64_t> counts_;
  std::size_t group_ = 0;
  std::size_t scope_ = 0;           // Of the current group's family.
  std::string metric_;              // The current group's name, as Prometheus takes it.
  stat_format::PaddedText open_;    // The same and "{".
  stat_format::PaddedText bucket_;  // What all buckets of a histogram begin with.
  std::string head_of_;             // The last metric whose head was written.
  bool head_is_due_ = false;        // Of the current metric.
  stat_format::PaddedText tail_;    // Of one statistic that stands for itself.
  std::string scratch_;
  HistogramTotals totals_;
};

// All at once.
std::string prometheus_text(const StatRegistry& registry, const StatQuery& query);

}  // namespace outrider
