#include "observe/stats_options.h"

#include <algorithm>
#include <utility>

#include "observe/stat_query.h"

namespace outrider {
namespace {
StatsOptions& kept() {
  static StatsOptions options;
  return options;
}
}  // namespace

bool StatsOptions::finds_tags() const {
  return std::ranges::any_of(tags, [](const Tag& tag) { return tag.find != nullptr; });
}

std::span<const double> StatsOptions::bounds_of(std::string_view scope, std::string_view stat) const {
  if (buckets.empty()) return kHistogramBounds;
  std::string name(scope);
  name += stat;
  auto found = std::ranges::find_if(buckets, [&](const Buckets& each) { return each.match(name); });
  return found == buckets.end() ? std::span<const double>(kHistogramBounds) : found->bounds;
}

const StatsOptions& stats_options() { return kept(); }

void set_stats_options(StatsOptions options) { kept() = std::move(options); }

}  // namespace outrider
