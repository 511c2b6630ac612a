#include "observe/stats_options.h"

#include <utility>

namespace outrider {
namespace {
StatsOptions& kept() {
  static StatsOptions options;
  return options;
}
}  // namespace

const StatsOptions& stats_options() { return kept(); }

void set_stats_options(StatsOptions options) { kept() = std::move(options); }

}  // namespace outrider
