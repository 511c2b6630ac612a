#include "upstream/cluster_stats.h"

#include "upstream/virtual_cluster_stats.h"

namespace outrider {
namespace {

#define COUNTER(name) {#name, StatKind::counter},
#define GAUGE(name) {#name, StatKind::gauge},
#define HISTOGRAM(name) {#name, StatKind::histogram},
constexpr StatDefinition kCluster[] = {OUTRIDER_CLUSTER_STATS(COUNTER, GAUGE, HISTOGRAM)};
constexpr StatDefinition kVirtualCluster[] = {OUTRIDER_VIRTUAL_CLUSTER_STATS(COUNTER)};
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM

}  // namespace

const StatTable& cluster_stat_table() {
  static const StatTable table{kCluster, "upstream_rq_"};
  return table;
}

const StatTable& retry_stat_table() {
  static const StatTable table{{}, "upstream_rq_"};
  return table;
}

const StatTable& virtual_cluster_stat_table() {
  static const StatTable table{kVirtualCluster, "upstream_rq_"};
  return table;
}

}  // namespace outrider
