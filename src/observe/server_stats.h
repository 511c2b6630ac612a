// The statistics of the process as a whole, under Envoy's names: server.*, listener_manager.*, cluster_manager.*,
// filesystem.*
#pragma once
#include "observe/counters.h"

namespace outrider {

// server.state counts Envoy's lifecycle: 0 live, 1 draining, 2 before initialization, 3 initializing. Uptime in
// seconds, memory in bytes; days_until_first_cert_expiring is 2^32 - 1 without certificates; version is that of
// outrider, 1.2.3 as 1002003. config_reload_* count SIGHUP, which Envoy ignores: what came into force and what was
// refused.
#define OUTRIDER_SERVER_STATS(COUNTER, GAUGE, HISTOGRAM) \
  COUNTER(config_reload_failure)                         \
  COUNTER(config_reload_success)                         \
  COUNTER(dynamic_unknown_fields)                        \
  COUNTER(static_unknown_fields)                         \
  GAUGE(concurrency)                                     \
  GAUGE(days_until_first_cert_expiring)                  \
  GAUGE(hot_restart_epoch)                               \
  GAUGE(live)                                            \
  GAUGE(memory_allocated)                                \
  GAUGE(memory_heap_size)                                \
  GAUGE(memory_physical_size)                            \
  GAUGE(parent_connections)                              \
  GAUGE(state)                                           \
  GAUGE(total_connections)                               \
  GAUGE(uptime)                                          \
  GAUGE(version)                                         \
  HISTOGRAM(initialization_time_ms)

// total_listeners_* and total_filter_chains_draining are of now; workers_started is 1 once every worker runs.
#define OUTRIDER_LISTENER_MANAGER_STATS(COUNTER, GAUGE) \
  COUNTER(listener_added)                               \
  COUNTER(listener_create_failure)                      \
  COUNTER(listener_create_success)                      \
  COUNTER(listener_in_place_updated)                    \
  COUNTER(listener_modified)                            \
  COUNTER(listener_removed)                             \
  COUNTER(listener_stopped)                             \
  GAUGE(total_filter_chains_draining)                   \
  GAUGE(total_listeners_active)                         \
  GAUGE(total_listeners_draining)                       \
  GAUGE(total_listeners_warming)                        \
  GAUGE(workers_started)

#define OUTRIDER_CLUSTER_MANAGER_STATS(COUNTER, GAUGE) \
  COUNTER(cluster_added)                               \
  COUNTER(cluster_modified)                            \
  COUNTER(cluster_removed)                             \
  COUNTER(cluster_updated)                             \
  GAUGE(active_clusters)                               \
  GAUGE(warming_clusters)

// Of the access logs: writes into the buffer, writes to the disk, and the bytes that wait in between.
#define OUTRIDER_FILESYSTEM_STATS(COUNTER, GAUGE) \
  COUNTER(flushed_by_timer)                       \
  COUNTER(reopen_failed)                          \
  COUNTER(write_buffered)                         \
  COUNTER(write_completed)                        \
  COUNTER(write_failed)                           \
  GAUGE(write_total_buffered)

// Of the layers that operators may change while the proxy runs.
#define OUTRIDER_RUNTIME_STATS(COUNTER, GAUGE)       \
  COUNTER(deprecated_feature_use)                    \
  COUNTER(load_error)                                \
  COUNTER(load_success)                              \
  COUNTER(override_dir_exists)                       \
  COUNTER(override_dir_not_exists)                   \
  GAUGE(admin_overrides_active)                      \
  GAUGE(deprecated_feature_seen_since_process_start) \
  GAUGE(num_keys)                                    \
  GAUGE(num_layers)

#define X(name) name,
enum class ServerStat : std::uint16_t { OUTRIDER_SERVER_STATS(X, X, X) count };
enum class ListenerManagerStat : std::uint16_t { OUTRIDER_LISTENER_MANAGER_STATS(X, X) count };
enum class ClusterManagerStat : std::uint16_t { OUTRIDER_CLUSTER_MANAGER_STATS(X, X) count };
enum class RuntimeStat : std::uint16_t { OUTRIDER_RUNTIME_STATS(X, X) count };
enum class FilesystemStat : std::uint16_t { OUTRIDER_FILESYSTEM_STATS(X, X) count };
#undef X

// Scope names: "server.", "listener_manager.", "cluster_manager.", "filesystem.", "runtime.".
const StatTable& server_stat_table();
const StatTable& listener_manager_stat_table();
const StatTable& cluster_manager_stat_table();
const StatTable& filesystem_stat_table();
const StatTable& runtime_stat_table();

struct ProcessMemory {
  std::uint64_t allocated;      // Bytes handed out by the allocator.
  std::uint64_t heap_size;      // Bytes that it holds.
  std::uint64_t physical_size;  // Resident bytes of the whole process.
};
// Costs a system call or two.
ProcessMemory process_memory();

}  // namespace outrider
