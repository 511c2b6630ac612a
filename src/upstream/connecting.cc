#include "upstream/connecting.h"

#include <cstring>
#include <map>
#include <utility>

namespace outrider {
namespace {

using std::chrono::milliseconds;

Acquired connect_failed(EndpointPool& pool, Failure failure, int error) {
  StatBlock& stats = pool.owner.stats;
  stats[ClusterStat::upstream_cx_connect_fail].add();
  if (failure == Failure::connect_timeout) stats[ClusterStat::upstream_cx_connect_timeout].add();
  pool.endpoint->numbers.cx_connect_fail.fetch_add(1, std::memory_order_relaxed);
  return {.failure = failure, .reason = error ? strerrordesc_np(error) : ""};
}

// Lives as long as the thread: there are as many as sources are configured and reasons known.
std::string_view bind_failure(const Address& source, int error) {
  thread_local std::map<std::pair<Address, int>, std::string> texts;
  std::string& text = texts[{source, error}];
  if (text.empty()) text = "failed to bind to " + source.text() + ": " + strerrordesc_np(error);
  return text;
}

Task<int> wait_for(Transport& transport) { co_return co_await transport.connected(); }

}  // namespace

Pending::Pending(StatBlock& stats, Endpoint& endpoint, Breaker& taken)
    : stats_(stats), endpoint_(endpoint), taken_(taken), active_(stats[ClusterStat::upstream_rq_pending_active]) {
  stats_[ClusterStat::upstream_rq_pending_total].add();
  endpoint_.numbers.rq_pending_active.fetch_add(1, std::memory_order_relaxed);
}

Pending::~Pending() {
  if (!over_) stats_[ClusterStat::upstream_rq_cancelled].add();
  endpoint_.numbers.rq_pending_active.fetch_sub(1, std::memory_order_relaxed);
}

Acquired Pending::end(Acquired acquired) {
  over_ = true;
  if (acquired.failure != Failure::none) stats_[ClusterStat::upstream_rq_pending_failure_eject].add();
  return acquired;
}

std::expected<std::unique_ptr<UpstreamConnection>, Acquired> begin_connecting(EndpointPool& pool, Breaker& breaker,
                                                                              UpstreamProtocol protocol) {
  const ConnectOptions& options = pool.owner.cluster->options.connection();
  auto started = pool.owner.network.connect(pool.endpoint->address, options);
  if (started) return std::make_unique<UpstreamConnection>(pool, std::move(*started), breaker, protocol);
  breaker.give();
  auto [error, step] = started.error();
  if (step == ConnectError::Step::connect) {
    return std::unexpected(connect_failed(pool, Failure::connect_failed, error));
  }
  Acquired failed = connect_failed(pool, Failure::local_connect_failed, 0);
  if (step == ConnectError::Step::bind) {
    pool.owner.stats[ClusterStat::bind_errors].add();
    failed.reason = bind_failure(*options.source, error);
  }
  return std::unexpected(failed);
}

Task<Acquired> finish_connecting(UpstreamConnection& connection) {
  EndpointPool& pool = connection.pool;
  Worker& worker = pool.owner.worker;
  TimePoint began = worker.now();
  auto result = co_await within(pool.owner.cluster->options.connect_timeout, wait_for(*connection.transport));
  if (!result) co_return connect_failed(pool, Failure::connect_timeout, 0);
  if (*result != 0) co_return connect_failed(pool, Failure::connect_failed, *result);
  connection.connected = worker.now();
  pool.owner.stats.record(ClusterStat::upstream_cx_connect_ms,
                          static_cast<std::uint64_t>((worker.now() - began) / milliseconds(1)));
  co_return Acquired{.connection = &connection};
}

}  // namespace outrider
