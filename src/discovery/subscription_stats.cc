#include "discovery/subscription_stats.h"

namespace outrider {
namespace {

constexpr StatDefinition kAll[] = {
    {"init_fetch_timeout", StatKind::counter},
    {"update_attempt", StatKind::counter},
    {"update_failure", StatKind::counter},
    {"update_rejected", StatKind::counter},
    {"update_success", StatKind::counter},
    {"update_time", StatKind::gauge},
    {"version", StatKind::gauge},
    {"config_reload", StatKind::counter},
    {"config_reload_time_ms", StatKind::gauge},
    {"update_empty", StatKind::counter},
};

std::span<const StatDefinition> before(SubscriptionStat end) {
  return std::span(kAll).first(static_cast<std::size_t>(end));
}

}  // namespace

const StatTable& lds_stat_table() {
  static const StatTable table{before(SubscriptionStat::config_reload), ""};
  return table;
}

const StatTable& cds_stat_table() {
  static const StatTable table{before(SubscriptionStat::update_empty), ""};
  return table;
}

const StatTable& rds_stat_table() {
  static const StatTable table{kAll, ""};
  return table;
}

std::uint64_t milliseconds_since_epoch(WallTime time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

}  // namespace outrider
