// The statistics of a virtual cluster or a route, under Envoy's names: vhost.<host>.vcluster.<name>.* and
// vhost.<host>.route.<stat_prefix>.*
#pragma once
#include "observe/counters.h"

namespace outrider {

#define OUTRIDER_VIRTUAL_CLUSTER_STATS(COUNTER, HISTOGRAM) \
  COUNTER(upstream_rq_retry)                               \
  COUNTER(upstream_rq_retry_limit_exceeded)                \
  COUNTER(upstream_rq_retry_overflow)                      \
  COUNTER(upstream_rq_retry_success)                       \
  COUNTER(upstream_rq_timeout)                             \
  COUNTER(upstream_rq_total)                               \
  HISTOGRAM(upstream_rq_time)

enum class VirtualClusterStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_VIRTUAL_CLUSTER_STATS(X, X)
#undef X
      count
};

const StatTable& virtual_cluster_stat_table();

}  // namespace outrider
