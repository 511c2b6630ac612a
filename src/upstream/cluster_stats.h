// The statistics of a cluster, under Envoy's names: cluster.<name>.*
#pragma once
#include "observe/counters.h"

namespace outrider {

#define OUTRIDER_CLUSTER_STATS(COUNTER, GAUGE, BREAKER, HISTOGRAM) \
  COUNTER(upstream_cx_total)                                       \
  COUNTER(upstream_cx_http1_total)                                 \
  COUNTER(upstream_cx_http2_total)                                 \
  COUNTER(upstream_cx_connect_fail)                                \
  COUNTER(upstream_cx_connect_timeout)                             \
  COUNTER(upstream_cx_idle_timeout)                                \
  COUNTER(upstream_cx_connect_attempts_exceeded)                   \
  COUNTER(upstream_cx_overflow)                                    \
  COUNTER(upstream_cx_destroy)                                     \
  COUNTER(upstream_cx_destroy_local)                               \
  COUNTER(upstream_cx_destroy_remote)                              \
  COUNTER(upstream_cx_destroy_with_active_rq)                      \
  COUNTER(upstream_cx_destroy_local_with_active_rq)                \
  COUNTER(upstream_cx_destroy_remote_with_active_rq)               \
  COUNTER(upstream_cx_close_notify)                                \
  COUNTER(upstream_cx_rx_bytes_total)                              \
  COUNTER(upstream_cx_tx_bytes_total)                              \
  COUNTER(upstream_cx_pool_overflow)                               \
  COUNTER(upstream_cx_protocol_error)                              \
  COUNTER(upstream_cx_max_requests)                                \
  COUNTER(upstream_cx_max_duration_reached)                        \
  COUNTER(upstream_cx_none_healthy)                                \
  COUNTER(upstream_rq_total)                                       \
  COUNTER(upstream_rq_pending_total)                               \
  COUNTER(upstream_rq_active_overflow)                             \
  COUNTER(upstream_rq_pending_overflow)                            \
  COUNTER(upstream_rq_pending_failure_eject)                       \
  COUNTER(upstream_rq_cancelled)                                   \
  COUNTER(upstream_rq_maintenance_mode)                            \
  COUNTER(upstream_rq_timeout)                                     \
  COUNTER(upstream_rq_max_duration_reached)                        \
  COUNTER(upstream_rq_per_try_timeout)                             \
  COUNTER(upstream_rq_rx_reset)                                    \
  COUNTER(upstream_rq_tx_reset)                                    \
  COUNTER(upstream_rq_per_try_idle_timeout)                        \
  COUNTER(upstream_rq_retry)                                       \
  COUNTER(upstream_rq_retry_backoff_exponential)                   \
  COUNTER(upstream_rq_retry_backoff_ratelimited)                   \
  COUNTER(upstream_rq_retry_limit_exceeded)                        \
  COUNTER(upstream_rq_retry_success)                               \
  COUNTER(upstream_rq_retry_overflow)                              \
  COUNTER(retry_or_shadow_abandoned)                               \
  COUNTER(upstream_flow_control_paused_reading_total)              \
  COUNTER(upstream_flow_control_resumed_reading_total)             \
  COUNTER(membership_change)                                       \
  COUNTER(update_attempt)                                          \
  COUNTER(update_success)                                          \
  COUNTER(update_failure)                                          \
  COUNTER(update_empty)                                            \
  COUNTER(update_no_rebuild)                                       \
  COUNTER(bind_errors)                                             \
  COUNTER(original_dst_host_invalid)                               \
  COUNTER(lb_healthy_panic)                                        \
  COUNTER(lb_subsets_created)                                      \
  COUNTER(lb_subsets_fallback)                                     \
  COUNTER(lb_subsets_fallback_panic)                               \
  COUNTER(lb_subsets_removed)                                      \
  COUNTER(lb_subsets_selected)                                     \
  GAUGE(lb_subsets_active)                                         \
  GAUGE(upstream_cx_active)                                        \
  GAUGE(upstream_rq_active)                                        \
  GAUGE(upstream_rq_pending_active)                                \
  GAUGE(membership_total)                                          \
  GAUGE(membership_healthy)                                        \
  GAUGE(membership_degraded)                                       \
  GAUGE(membership_excluded)                                       \
  GAUGE(max_host_weight)                                           \
  GAUGE(version)                                                   \
  BREAKER(default, cx_open)                                        \
  BREAKER(default, rq_pending_open)                                \
  BREAKER(default, rq_open)                                        \
  BREAKER(default, rq_retry_open)                                  \
  BREAKER(high, cx_open)                                           \
  BREAKER(high, rq_pending_open)                                   \
  BREAKER(high, rq_open)                                           \
  BREAKER(high, rq_retry_open)                                     \
  HISTOGRAM(upstream_cx_connect_ms)                                \
  HISTOGRAM(upstream_cx_length_ms)                                 \
  HISTOGRAM(upstream_rq_per_cx)                                    \
  HISTOGRAM(upstream_rq_time)

enum class ClusterStat : std::uint16_t {
#define X(name) name,
#define BREAKER(priority, name) priority##_##name,
  OUTRIDER_CLUSTER_STATS(X, X, BREAKER, X)
#undef BREAKER
#undef X
      count
};

const StatTable& cluster_stat_table();
// Of cluster.<name>.retry.: statuses only.
const StatTable& retry_stat_table();

// Of cluster.<name>.ring_hash_lb. and of maglev_lb., which have no `size`.
enum class HashStat : std::uint16_t { min, max, size };
const StatTable& ring_hash_stat_table();
const StatTable& maglev_stat_table();

// What only clusters of the type EDS have besides: cluster.<name>.*
enum class EdsStat : std::uint16_t { init_fetch_timeout, update_rejected, update_time };
const StatTable& eds_stat_table();

// Copies of a cluster's codes and times: of requests from outside and from inside, and of canaries' answers. Under
// Envoy's names: cluster.<name>.external.* and so on.
enum class CodeCopy : std::uint8_t { external, internal, canary, count };
std::string_view prefix_of(CodeCopy copy);  // "external."

enum class CodeCopyStat : std::uint16_t { upstream_rq_time, count };
const StatTable& code_copy_stat_table();

}  // namespace outrider
