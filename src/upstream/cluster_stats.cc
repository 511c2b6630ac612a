#include "upstream/cluster_stats.h"

#include "upstream/virtual_cluster_stats.h"

namespace outrider {
namespace {

#define COUNTER(name) {#name, StatKind::counter},
#define GAUGE(name) {#name, StatKind::gauge},
#define BREAKER(priority, name) {"circuit_breakers." #priority "." #name, StatKind::gauge},
#define HISTOGRAM(name) {#name, StatKind::histogram},
constexpr StatDefinition kCluster[] = {OUTRIDER_CLUSTER_STATS(COUNTER, GAUGE, BREAKER, HISTOGRAM)};
constexpr StatDefinition kCodeCopy[] = {HISTOGRAM(upstream_rq_time)};
constexpr StatDefinition kRingHash[] = {GAUGE(min_hashes_per_host) GAUGE(max_hashes_per_host) GAUGE(size)};
constexpr StatDefinition kMaglev[] = {GAUGE(min_entries_per_host) GAUGE(max_entries_per_host)};
constexpr StatDefinition kVirtualCluster[] = {OUTRIDER_VIRTUAL_CLUSTER_STATS(COUNTER, HISTOGRAM)};
#undef COUNTER
#undef GAUGE
#undef BREAKER
#undef HISTOGRAM

}  // namespace

const StatTable& cluster_stat_table() {
  static const StatTable table{kCluster, "upstream_rq_"};
  return table;
}

const StatTable& eds_stat_table() {
  static constexpr StatDefinition kEds[] = {{"init_fetch_timeout", StatKind::counter},
                                            {"update_rejected", StatKind::counter},
                                            {"update_time", StatKind::gauge}};
  static const StatTable table{kEds, ""};
  return table;
}

const StatTable& retry_stat_table() {
  static const StatTable table{{}, "upstream_rq_"};
  return table;
}

const StatTable& ring_hash_stat_table() {
  static const StatTable table{kRingHash, ""};
  return table;
}

const StatTable& maglev_stat_table() {
  static const StatTable table{kMaglev, ""};
  return table;
}

std::string_view prefix_of(CodeCopy copy) {
  constexpr std::string_view kPrefixes[] = {"external.", "internal.", "canary."};
  return kPrefixes[static_cast<std::size_t>(copy)];
}

const StatTable& code_copy_stat_table() {
  static const StatTable table{kCodeCopy, "upstream_rq_"};
  return table;
}

const StatTable& virtual_cluster_stat_table() {
  static const StatTable table{kVirtualCluster, "upstream_rq_"};
  return table;
}

}  // namespace outrider
