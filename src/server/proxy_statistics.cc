// Proxy: the statistics of the process as a whole, and when all are flushed.
#include "observe/stats_options.h"
#include "server/proxy.h"

namespace outrider {

Task<> Proxy::keep_stats(Proxy& self) {
  for (;;) {
    self.set_server_stats();
    if (stats_options().flush_on_admin) {
      co_await self.stats_shown_.wait();
    } else {
      co_await sleep(stats_options().flush_interval);
      self.stats_.flush_histograms();
    }
    SnapshotPtr snapshot = self.snapshot_;
    co_await self.sinks_.flush(*snapshot);
  }
}

void Proxy::before_stats() {
  set_server_stats();
  if (!stats_options().flush_on_admin) return;
  stats_.flush_histograms();
  stats_shown_.notify_one();
}

void Proxy::set_server_stats() {
  StatBlock& s = server_stats_->local(main_.index());
  ProcessMemory memory = process_memory();
  std::uint64_t connections = 0;
  for (auto& w : workers_) connections += w->connections();
  s[ServerStat::uptime].set(static_cast<std::uint64_t>((clock_.now() - started_) / std::chrono::seconds(1)));
  s[ServerStat::state].set(static_cast<std::uint64_t>(state()));
  s[ServerStat::live].set(state() == ServerState::live);
  s[ServerStat::concurrency].set(flags_.concurrency);
  s[ServerStat::total_connections].set(connections);
  s[ServerStat::memory_allocated].set(memory.allocated);
  s[ServerStat::memory_heap_size].set(memory.heap_size);
  s[ServerStat::memory_physical_size].set(memory.physical_size);
  s[ServerStat::version].set(version_number());
  s[ServerStat::days_until_first_cert_expiring].set(UINT32_MAX);
  if (!snapshot_) return;
  for (const auto& [name, cluster] : snapshot_->clusters) {
    if (cluster->stats->used()) cluster->show_breakers(cluster->stats->local(main_.index()));
  }
}

}  // namespace outrider
