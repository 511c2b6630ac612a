// Statistics as lines of statsd, dogstatsd and graphite.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "observe/counters.h"
#include "observe/stat_tags.h"
#include "observe/stats_options.h"

namespace outrider {

struct StatSample {
  std::string scope, name;  // "cluster.a." and "upstream_rq_200".
  StatKind kind;
  std::uint64_t value;      // Of a counter: what came since the last time.
  std::uint64_t times = 1;  // Of a histogram: so many values like this one.
};

// Takes what has ever been written, as differences; histograms: the values since the registry's last but one flush.
class StatSampler {
 public:
  std::vector<StatSample> take(const StatRegistry& registry);

 private:
  void take_numbers(const StatScope& scope, std::vector<StatSample>& into);
  void take_histograms(const StatScope& scope, std::vector<StatSample>& into);
  std::uint64_t change(const std::string& name, std::uint64_t value);

  std::unordered_map<std::string, std::uint64_t> last_;  // By full name.
};

// Appends one line, without a line break. Values of a histogram that came several times are one line with a sample
// rate.
void append_statsd(const StatSample& sample, const StatsOptions& options, StatsdTags tags, std::string_view prefix,
                   std::string& out);

}  // namespace outrider
