// The statistics of what is asked of services of discovery, under Envoy's names: cluster_manager.cds.*,
// listener_manager.lds.*, http.<stat prefix>.rds.<name>.*
#pragma once
#include "core/clock.h"
#include "observe/counters.h"

namespace outrider {

// Listeners have those before config_reload, clusters those before update_empty, routes all of them.
enum class SubscriptionStat : std::uint16_t {
  init_fetch_timeout,
  update_attempt,
  update_failure,
  update_rejected,
  update_success,
  update_time,
  version,
  config_reload,
  config_reload_time_ms,
  update_empty
};

const StatTable& lds_stat_table();
const StatTable& cds_stat_table();
const StatTable& rds_stat_table();

std::uint64_t milliseconds_since_epoch(WallTime time);

}  // namespace outrider
