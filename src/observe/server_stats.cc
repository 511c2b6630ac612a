#include "observe/server_stats.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>

namespace outrider {
namespace {

#define COUNTER(name) {#name, StatKind::counter},
#define GAUGE(name) {#name, StatKind::gauge},
#define HISTOGRAM(name) {#name, StatKind::histogram},
constexpr StatDefinition kServer[] = {OUTRIDER_SERVER_STATS(COUNTER, GAUGE, HISTOGRAM)};
constexpr StatDefinition kListenerManager[] = {OUTRIDER_LISTENER_MANAGER_STATS(COUNTER, GAUGE)};
constexpr StatDefinition kClusterManager[] = {OUTRIDER_CLUSTER_MANAGER_STATS(COUNTER, GAUGE)};
constexpr StatDefinition kRuntime[] = {OUTRIDER_RUNTIME_STATS(COUNTER, GAUGE)};
constexpr StatDefinition kFilesystem[] = {OUTRIDER_FILESYSTEM_STATS(COUNTER, GAUGE)};
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM

std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file) return 0;
  unsigned long long total = 0, resident = 0;
  int fields = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

const StatTable& server_stat_table() {
  static const StatTable table{kServer, ""};
  return table;
}

const StatTable& listener_manager_stat_table() {
  static const StatTable table{kListenerManager, ""};
  return table;
}

const StatTable& cluster_manager_stat_table() {
  static const StatTable table{kClusterManager, ""};
  return table;
}

const StatTable& filesystem_stat_table() {
  static const StatTable table{kFilesystem, ""};
  return table;
}

const StatTable& runtime_stat_table() {
  static const StatTable table{kRuntime, ""};
  return table;
}

ProcessMemory process_memory() {
  struct mallinfo2 info = mallinfo2();
  return {info.uordblks + info.hblkhd, info.arena + info.hblkhd, resident_bytes()};
}

}  // namespace outrider
