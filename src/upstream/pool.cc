#include "upstream/pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "upstream/connecting.h"

namespace outrider {

EndpointPool::EndpointPool(WorkerCluster& o, EndpointPtr e) : owner(o), endpoint(std::move(e)) {
  sweep_.owner = this;
  sweep_.timer.on_fire = [](Timer* t) { reinterpret_cast<Sweep*>(t)->owner->sweep(); };
  endpoint->local[static_cast<std::size_t>(owner.worker.index())] = this;
}

EndpointPool::~EndpointPool() {
  close_idle();
  assert(connections == 0);
  EndpointPool*& local = endpoint->local[static_cast<std::size_t>(owner.worker.index())];
  if (local == this) local = nullptr;
}

namespace {

// Bytes that nobody asked for, or an end: whatever it is, it is no connection for a request.
bool quiet(Transport& transport) {
  if (transport.hung_up()) return false;
  char byte;
  return !transport.has_unread() || transport.try_read(&byte, 1).state == IoResult::State::would_block;
}

}  // namespace

UpstreamConnection* EndpointPool::take_idle() {
  while (UpstreamConnection* c = idle_newest) {
    c->leave_idle();
    if (!too_old(*c) && quiet(*c->transport)) return c;
    delete c;
  }
  return nullptr;
}

bool EndpointPool::too_old(const UpstreamConnection& c) {
  auto limit = owner.cluster->options.max_connection_duration;
  if (limit.count() == 0 || owner.worker.now() - c.connected < limit) return false;
  owner.stats[ClusterStat::upstream_cx_max_duration_reached].add();
  return true;
}

void EndpointPool::give_idle(UpstreamConnection& c) {
  std::uint32_t max = owner.cluster->options.max_requests_per_connection;
  bool spent = max && c.requests >= max;
  if (spent) owner.stats[ClusterStat::upstream_cx_max_requests].add();
  if (spent || draining || too_old(c) || owner.removed || !quiet(*c.transport)) {
    delete &c;
    return;
  }
  c.idle_ = true;
  c.idle_since = owner.worker.now();
  c.older_ = idle_newest;
  c.newer_ = nullptr;
  (idle_newest ? idle_newest->newer_ : idle_oldest) = &c;
  idle_newest = &c;
  c.transport->on_hangup(&c);
  auto limit = owner.cluster->options.idle_timeout;
  if (limit.count() > 0 && !sweep_.timer.armed()) owner.worker.arm(sweep_.timer, limit);
  freed.notify_one();
}

void EndpointPool::close_idle() {
  while (idle_newest) {
    UpstreamConnection* c = idle_newest;
    c->leave_idle();
    delete c;
  }
}

// A host without any connection gets one all the same, or nothing could ever wake those who wait for it.
bool EndpointPool::take_connection(Breaker& breaker) {
  if (breaker.try_take()) return true;
  owner.stats[ClusterStat::upstream_cx_overflow].add();
  if (connections > 0) return false;
  breaker.take();
  return true;
}

void EndpointPool::drain() {
  draining = true;
  close_idle();
  h2.drain();
}

void EndpointPool::sweep() {
  auto limit = owner.cluster->options.idle_timeout;
  while (UpstreamConnection* c = idle_oldest) {
    TimePoint due = c->idle_since + limit;
    if (due > owner.worker.now()) {
      owner.worker.timers().arm(sweep_.timer, due);
      return;
    }
    owner.stats[ClusterStat::upstream_cx_idle_timeout].add();
    c->leave_idle();
    delete c;
  }
}

namespace {
std::uint64_t next_connection_id() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}
}  // namespace

UpstreamConnection::UpstreamConnection(EndpointPool& p, std::unique_ptr<Transport> t, Breaker& breaker,
                                       UpstreamProtocol protocol)
    : pool(p), transport(std::move(t)), id(next_connection_id()), created(p.owner.worker.now()), breaker_(breaker) {
  pool.connections++;
  pool.owner.stats[ClusterStat::upstream_cx_total].add();
  if (protocol == UpstreamProtocol::http1) pool.owner.stats[ClusterStat::upstream_cx_http1_total].add();
  if (protocol == UpstreamProtocol::http2) pool.owner.stats[ClusterStat::upstream_cx_http2_total].add();
  pool.owner.stats[ClusterStat::upstream_cx_active].add();
  pool.endpoint->numbers.cx_total.fetch_add(1, std::memory_order_relaxed);
  pool.endpoint->numbers.cx_active.fetch_add(1, std::memory_order_relaxed);
  // An idle connection that the peer closes is taken out at once, and destroyed outside of the event loop.
  on_hangup = [](HangupHook* hook) {
    auto* c = static_cast<UpstreamConnection*>(hook);
    c->leave_idle();
    c->closed_by_peer = true;
    c->run = [](Runnable* r) { delete static_cast<UpstreamConnection*>(r); };
    c->pool.owner.worker.enqueue(*c);
  };
}

UpstreamConnection::~UpstreamConnection() {
  StatBlock& stats = pool.owner.stats;
  bool remote = closed_by_peer || (transport->hung_up() && !broken);
  stats[ClusterStat::upstream_cx_active].sub();
  stats[ClusterStat::upstream_cx_destroy].add();
  stats[remote ? ClusterStat::upstream_cx_destroy_remote : ClusterStat::upstream_cx_destroy_local].add();
  if (connected != TimePoint{}) stats.record(ClusterStat::upstream_rq_per_cx, requests);
  stats.record(ClusterStat::upstream_cx_length_ms,
               static_cast<std::uint64_t>((pool.owner.worker.now() - created) / std::chrono::milliseconds(1)));
  pool.endpoint->numbers.cx_active.fetch_sub(1, std::memory_order_relaxed);
  breaker_.give();
  pool.connections--;
  pool.freed.notify_one();
  pool.h2.changed.notify_one();
}

void UpstreamConnection::leave_idle() {
  assert(idle_);
  idle_ = false;
  transport->on_hangup(nullptr);
  (newer_ ? newer_->older_ : pool.idle_newest) = older_;
  (older_ ? older_->newer_ : pool.idle_oldest) = newer_;
}

Task<Acquired> acquire(EndpointPool& pool, Breakers& breakers, UpstreamProtocol protocol) {
  StatBlock& stats = pool.owner.stats;
  if (!breakers.pending_requests.try_take()) {
    stats[ClusterStat::upstream_rq_pending_overflow].add();
    co_return Acquired{.failure = Failure::overflow};
  }
  Pending pending(stats, *pool.endpoint, breakers.pending_requests);
  for (;;) {
    UpstreamConnection* idle = protocol == UpstreamProtocol::http1 ? pool.take_idle() : nullptr;
    if (idle) co_return pending.end({.connection = idle});
    if (pool.take_connection(breakers.connections)) break;
    co_await pool.freed.wait();
  }
  auto begun = begin_connecting(pool, breakers.connections, protocol);
  if (!begun) co_return pending.end(begun.error());
  Acquired acquired = pending.end(co_await finish_connecting(**begun));
  if (acquired.connection) (void)begun->release();
  co_return acquired;
}

WorkerCluster::WorkerCluster(Worker& w, Network& n, Scope& s, ClusterPtr c)
    : worker(w),
      network(n),
      connections(s),
      cluster(std::move(c)),
      stats(cluster->stats->local(w.index())),
      hosts_(cluster->hosts()) {}

WorkerCluster::~WorkerCluster() = default;

Endpoint* WorkerCluster::choose_by_hash(const HostSet& hosts, const HashChoice& by) {
  std::uint64_t active = 0;
  if (cluster->options.hash->balance_factor > 0) {
    for (const EndpointPtr& each : hosts_->all) active += each->numbers.rq_active.load(std::memory_order_relaxed);
  }
  std::uint64_t hash = by.hash ? *by.hash : worker.random().next();
  std::uint32_t priority = hosts.hash->priority_of(hash);
  if (hosts.panic[priority]) stats[ClusterStat::lb_healthy_panic].add();
  return hosts.hash->by_priority[priority].pick(hash, by.attempt, active);
}

Endpoint* WorkerCluster::pick(const HostSet& hosts, const HashChoice& by) {
  if (hosts.hash) return choose_by_hash(hosts, by);
  if (cluster->options.discovery == DiscoveryType::original_dst) return nullptr;  // See host_at().
  Endpoint* chosen = hosts.eligible.empty() ? nullptr : choose(hosts.eligible);
  if (!chosen || hosts.panic[chosen->priority]) stats[ClusterStat::lb_healthy_panic].add();
  return chosen;
}

Endpoint* WorkerCluster::choose(std::span<Endpoint* const> hosts) {
  if (hosts.size() == 1) return hosts[0];
  switch (cluster->options.policy) {
    case LbPolicy::round_robin:
      return pick_round_robin(hosts, cluster->turn.fetch_add(1, std::memory_order_relaxed));
    case LbPolicy::least_request:
      return pick_least_request(hosts, worker.random(), cluster->options.least_request_choices);
    case LbPolicy::random:
    case LbPolicy::consistent_hash:  // Of hosts that were chosen without it.
      return pick_random(hosts, worker.random());
  }
  return nullptr;
}

Endpoint* WorkerCluster::host_at(const Address& address) {
  for (;;) {
    for (const EndpointPtr& each : hosts_->all) {
      if (each->address == address) return each.get();
    }
    cluster->add_host(address, cluster->options.original_destination.workers, stats);
    refresh();  // Only in these hosts is a pool found: the main thread may just drop the host again.
  }
}

EndpointPool& WorkerCluster::make_pool(Endpoint& endpoint) {
  for (const EndpointPtr& e : hosts_->all) {
    if (e.get() == &endpoint) {
      pools_.push_back(std::make_unique<EndpointPool>(*this, e));
      return *pools_.back();
    }
  }
  std::abort();  // pick() chooses among the present hosts only, and is not followed by a wait.
}

void WorkerCluster::refresh() {
  hosts_ = cluster->hosts();
  for (auto& pool : pools_) {
    bool present = false;
    for (const EndpointPtr& e : hosts_->all) present = present || e == pool->endpoint;
    if (present || pool->draining) continue;
    pool->drain();
  }
  reap();
}

bool WorkerCluster::reap() {
  if (removed) {
    for (auto& pool : pools_) pool->drain();
  }
  std::erase_if(pools_, [](const auto& p) { return p->draining && p->connections == 0 && p->streams == 0; });
  return pools_.empty();
}

WorkerCluster& WorkerClusters::make(const ClusterPtr& cluster) {
  // A request that was there before a reload may still come to a cluster that is gone, and its slot may be another's.
  if (names_ && find(cluster->name()) != cluster) {
    auto at = std::ranges::find_if(removed_, [&](const auto& each) { return each->cluster == cluster; });
    if (at == removed_.end()) {
      at = removed_.insert(at, std::make_unique<WorkerCluster>(worker_, network_, connections_, cluster));
      (*at)->removed = true;
    }
    return **at;
  }
  auto slot = static_cast<std::size_t>(cluster->slot);
  if (slot >= table_.size()) table_.resize(slot + 1);
  if (table_[slot]) remove(cluster->slot);
  table_[slot] = std::make_unique<WorkerCluster>(worker_, network_, connections_, cluster);
  return *table_[slot];
}

void WorkerClusters::set_names(std::shared_ptr<const ClusterMap> names) {
  names_ = std::move(names);
  reap();
}

void WorkerClusters::refresh(int slot) {
  reap();
  auto index = static_cast<std::size_t>(slot);
  if (index < table_.size() && table_[index]) table_[index]->refresh();
}

void WorkerClusters::remove(int slot) {
  auto index = static_cast<std::size_t>(slot);
  if (index < table_.size() && table_[index]) {
    table_[index]->removed = true;
    removed_.push_back(std::move(table_[index]));
  }
  reap();
}

void WorkerClusters::reap() {
  std::erase_if(removed_, [](auto& c) { return c->reap() && c->users == 0; });
}

void WorkerClusters::clear() {
  for (auto& c : table_) {
    if (!c) continue;
    c->removed = true;
    removed_.push_back(std::move(c));
  }
  table_.clear();
  reap();
}

}  // namespace outrider
