// From stats_config and stats_sinks to what the process does.
#pragma once
#include "config/compile_parts.h"
#include "observe/stats_options.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace outrider::config {

StatsOptions compile_stats(Compilation& c, const envoy::config::bootstrap::v3::Bootstrap& bootstrap);

}  // namespace outrider::config
