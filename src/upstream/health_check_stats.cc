#include "upstream/health_check_stats.h"

namespace outrider {
namespace {

#define COUNTER(name) {#name, StatKind::counter},
#define GAUGE(name) {#name, StatKind::gauge},
constexpr StatDefinition kHealthCheck[] = {OUTRIDER_HEALTH_CHECK_STATS(COUNTER, GAUGE)};
constexpr StatDefinition kOutlier[] = {OUTRIDER_OUTLIER_STATS(COUNTER, GAUGE)};
#undef COUNTER
#undef GAUGE

}  // namespace

const StatTable& health_check_stat_table() {
  static const StatTable table{kHealthCheck, ""};
  return table;
}

const StatTable& outlier_stat_table() {
  static const StatTable table{kOutlier, ""};
  return table;
}

}  // namespace outrider
