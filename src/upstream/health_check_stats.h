// The statistics of a cluster's health checks and of its outlier detection, under Envoy's names.
#pragma once
#include "observe/counters.h"

namespace outrider {

// cluster.<name>.health_check.*
#define OUTRIDER_HEALTH_CHECK_STATS(COUNTER, GAUGE) \
  COUNTER(attempt)                                  \
  COUNTER(failure)                                  \
  COUNTER(network_failure)                          \
  COUNTER(passive_failure)                          \
  COUNTER(success)                                  \
  COUNTER(verify_cluster)                           \
  GAUGE(degraded)                                   \
  GAUGE(healthy)

enum class HealthCheckStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_HEALTH_CHECK_STATS(X, X)
#undef X
      count
};

const StatTable& health_check_stat_table();

// cluster.<name>.outlier_detection.*
#define OUTRIDER_OUTLIER_STATS(COUNTER, GAUGE)                 \
  COUNTER(ejections_consecutive_5xx)                           \
  COUNTER(ejections_detected_consecutive_5xx)                  \
  COUNTER(ejections_detected_consecutive_gateway_failure)      \
  COUNTER(ejections_detected_consecutive_local_origin_failure) \
  COUNTER(ejections_detected_failure_percentage)               \
  COUNTER(ejections_detected_local_origin_failure_percentage)  \
  COUNTER(ejections_detected_local_origin_success_rate)        \
  COUNTER(ejections_detected_success_rate)                     \
  COUNTER(ejections_enforced_consecutive_5xx)                  \
  COUNTER(ejections_enforced_consecutive_gateway_failure)      \
  COUNTER(ejections_enforced_consecutive_local_origin_failure) \
  COUNTER(ejections_enforced_failure_percentage)               \
  COUNTER(ejections_enforced_local_origin_failure_percentage)  \
  COUNTER(ejections_enforced_local_origin_success_rate)        \
  COUNTER(ejections_enforced_success_rate)                     \
  COUNTER(ejections_enforced_total)                            \
  COUNTER(ejections_overflow)                                  \
  COUNTER(ejections_success_rate)                              \
  COUNTER(ejections_total)                                     \
  GAUGE(ejections_active)

enum class OutlierStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_OUTLIER_STATS(X, X)
#undef X
      count
};

const StatTable& outlier_stat_table();

}  // namespace outrider
