#include "upstream/h2_upstream_connection.h"

#include <algorithm>
#include <utility>

#include "upstream/connecting.h"

namespace outrider {

using std::chrono::milliseconds;

H2UpstreamConnection::Use::Use(H2UpstreamConnection& connection) : connection_(connection) {
  H2UpstreamConnection& c = connection_;
  c.references_++;
  c.attached_++;
  c.base_->requests++;
  c.requests_++;
  std::uint32_t max = c.pool_->owner.cluster->options.max_requests_per_connection;
  if (max > 0 && c.requests_ >= max && !std::exchange(c.draining_, true)) {
    c.pool_->owner.stats[ClusterStat::upstream_cx_max_requests].add();
  }
  c.find_place();
  if (c.options_->keepalive.idle.count() == 0 || c.pings_->asked()) return;
  if (c.pool_->owner.worker.now() - c.session_->last_frame() < c.options_->keepalive.idle) return;
  c.pings_->ask();
  c.plan();
}

H2UpstreamConnection::Use::~Use() {
  leave();
  connection_.release();
}

void H2UpstreamConnection::Use::leave() {
  if (std::exchange(left_, true)) return;
  H2UpstreamConnection& c = connection_;
  c.attached_--;
  if (!c.pool_) return;
  c.idle_since_ = c.pool_->owner.worker.now();
  c.find_place();
  c.end_if_done();
  if (c.attached_ == 0) c.plan();
  c.pool_->h2.changed.notify_one();
}

std::optional<Acquired> H2UpstreamConnection::open(EndpointPool& pool, Breaker& breaker) {
  auto begun = begin_connecting(pool, breaker, UpstreamProtocol::http2);
  if (!begun) return begun.error();
  auto* c = new H2UpstreamConnection(pool, std::move(*begun));
  pool.owner.connections.spawn(run, *c);
  return std::nullopt;
}

H2UpstreamConnection::H2UpstreamConnection(EndpointPool& pool, std::unique_ptr<UpstreamConnection> base)
    : pool_(&pool),
      base_(std::move(base)),
      options_(pool.owner.cluster->options.h2),
      id_(base_->id),
      created_(base_->created) {
  alarm_.owner = this;
  alarm_.on_fire = [](Timer* t) { static_cast<Alarm*>(t)->owner->expire(); };
  H2Connections& all = pool.h2;
  older_ = all.newest;
  if (older_) older_->newer_ = this;
  all.newest = this;
  all.connecting++;
}

H2UpstreamConnection::~H2UpstreamConnection() = default;

void H2UpstreamConnection::release() {
  if (--references_ == 0) delete this;
}

Task<> H2UpstreamConnection::run(H2UpstreamConnection& c) {
  struct Ending {
    H2UpstreamConnection& connection;
    ~Ending() {
      connection.end();
      connection.release();
    }
  } ending{c};  // Also where it is stopped.
  Acquired stands = co_await finish_connecting(*c.base_);
  if (!stands.connection) {
    c.fail(stands);
    co_return;
  }
  c.stand();
  co_await c.session_->run(Inbox());
}

void H2UpstreamConnection::fail(const Acquired& failure) {
  H2Connections& all = pool_->h2;
  all.failures++;
  all.last_failure = failure;
}

void H2UpstreamConnection::stand() {
  Worker& worker = pool_->owner.worker;
  StatBlock& stats = pool_->owner.stats;
  pool_->h2.connecting--;
  connected_ = idle_since_ = worker.now();
  local_ = base_->transport->local();
  H2Session::Owner& self = *this;
  session_.emplace(h2::Side::client, options_->codec, worker, *base_->transport, self,
                   options_->stats->local(worker.index()), stats[ClusterStat::upstream_cx_rx_bytes_total],
                   stats[ClusterStat::upstream_cx_tx_bytes_total]);
  pings_.emplace(options_->keepalive, worker, *session_);
  find_place();
  end_if_done();
  plan();
  pool_->h2.changed.notify_all();
}

// Behind this nobody but streams that are over refers to it.
void H2UpstreamConnection::end() {
  StatBlock& stats = pool_->owner.stats;
  alarm_.cancel();
  if (in_ready_) leave_ready();
  if (!session_) pool_->h2.connecting--;
  (newer_ ? newer_->older_ : pool_->h2.newest) = older_;
  if (older_) older_->newer_ = newer_;
  bool failed = session_ && session_->connection().failed();
  if (failed) stats[ClusterStat::upstream_cx_protocol_error].add();
  base_->broken = failed;
  base_->closed_by_peer = session_ && !ended_by_us_ && !failed;
  if (attached_ > 0 && !failed) {
    stats[ClusterStat::upstream_cx_destroy_with_active_rq].add();
    stats[base_->closed_by_peer ? ClusterStat::upstream_cx_destroy_remote_with_active_rq
                                : ClusterStat::upstream_cx_destroy_local_with_active_rq]
        .add();
  }
  base_.reset();
  pool_->h2.changed.notify_all();
  pool_ = nullptr;
}

bool H2UpstreamConnection::has_room() const {
  if (!session_ || draining_ || base_->transport->hung_up() || !session_->may_open()) return false;
  return static_cast<std::uint32_t>(attached_) < options_->codec.settings.max_concurrent_streams;
}

void H2UpstreamConnection::find_place() {
  if (has_room() == in_ready_) return;
  if (in_ready_) return leave_ready();
  in_ready_ = true;
  ready_newer_ = nullptr;
  ready_older_ = std::exchange(pool_->h2.ready_newest, this);
  if (ready_older_) ready_older_->ready_newer_ = this;
}

void H2UpstreamConnection::leave_ready() {
  in_ready_ = false;
  (ready_newer_ ? ready_newer_->ready_older_ : pool_->h2.ready_newest) = ready_older_;
  if (ready_older_) ready_older_->ready_newer_ = ready_newer_;
}

H2UpstreamConnection* H2UpstreamConnection::with_room(H2Connections& all) {
  // The peer may have hung up in this very turn.
  while (all.ready_newest && !all.ready_newest->has_room()) all.ready_newest->leave_ready();
  return all.ready_newest;
}

void H2UpstreamConnection::open_stream(H2Stream& stream, bool end) {
  session_->open(stream, end);
  find_place();
}

void H2UpstreamConnection::drain() {
  draining_ = true;
  find_place();
  end_if_done();
}

void H2UpstreamConnection::end_if_done() {
  if (!session_ || session_->over() || attached_ > 0) return;
  bool pool_ends = (pool_->draining || pool_->owner.removed) && pool_->h2.waiting == 0;
  if (!draining_ && !told_to_go_ && !pool_ends) return;
  ended_by_us_ = true;
  session_->stop();
  find_place();
}

void H2UpstreamConnection::capacity_changed() {
  if (!session_) return;
  if (session_->connection().goaway_received() && !std::exchange(told_to_go_, true)) {
    pool_->owner.stats[ClusterStat::upstream_cx_close_notify].add();
  }
  find_place();
  end_if_done();
  pool_->h2.changed.notify_one();
}

// What has broken the rules of frames, not those of messages.
void H2UpstreamConnection::stream_failed(H2Stream&, const h2::Fault& fault) {
  if (session_->connection().failed() || !fault.detail.empty()) return;
  pool_->owner.stats[ClusterStat::upstream_cx_protocol_error].add();
}

void H2UpstreamConnection::ping_answered(std::uint64_t opaque) {
  pings_->answered(opaque);
  plan();
}

TimePoint H2UpstreamConnection::next_deadline() const {
  const ClusterOptions& o = pool_->owner.cluster->options;
  TimePoint at = pings_->next_deadline();
  if (o.max_connection_duration.count() > 0 && !draining_) at = std::min(at, connected_ + o.max_connection_duration);
  if (o.idle_timeout.count() > 0 && attached_ == 0) at = std::min(at, idle_since_ + o.idle_timeout);
  return at;
}

// The alarm may come too early, but not too late: a request that goes well does not touch it.
void H2UpstreamConnection::plan() {
  if (session_->over()) return;
  TimePoint at = next_deadline();
  if (at >= alarm_at_) return;
  alarm_at_ = at;
  pool_->owner.worker.timers().arm(alarm_, at);
}

void H2UpstreamConnection::expire() {
  const ClusterOptions& o = pool_->owner.cluster->options;
  StatBlock& stats = pool_->owner.stats;
  const TimePoint now = pool_->owner.worker.now();
  alarm_at_ = TimePoint::max();
  if (session_->over()) return;
  if (!pings_->expire(now)) {
    ended_by_us_ = true;
    return session_->stop();
  }
  if (o.max_connection_duration.count() > 0 && !draining_ && connected_ + o.max_connection_duration <= now) {
    stats[ClusterStat::upstream_cx_max_duration_reached].add();
    drain();
  } else if (o.idle_timeout.count() > 0 && attached_ == 0 && idle_since_ + o.idle_timeout <= now) {
    stats[ClusterStat::upstream_cx_idle_timeout].add();
    drain();
  }
  plan();
}

void H2Connections::drain() {
  for (H2UpstreamConnection* c = newest; c; c = c->older_) c->end_if_done();
}

namespace {

// One more of the requests that wait for a stream.
struct Waiting {
  explicit Waiting(H2Connections& c) : of(c) { of.waiting++; }
  Waiting(const Waiting&) = delete;
  // The next one looks, whatever has come of this one: there may be room for more.
  ~Waiting() {
    of.waiting--;
    of.changed.notify_one();
  }
  H2Connections& of;
};

// Whether there are fewer streams to come than requests that wait for one.
bool another_needed(const EndpointPool& pool) {
  const ClusterOptions& o = pool.owner.cluster->options;
  std::uint64_t of_each = o.h2->codec.settings.max_concurrent_streams;
  if (o.max_requests_per_connection > 0) of_each = std::min<std::uint64_t>(of_each, o.max_requests_per_connection);
  return pool.h2.waiting > pool.h2.connecting * of_each;
}

}  // namespace

Task<Acquired> acquire_h2(EndpointPool& pool, Breakers& breakers) {
  StatBlock& stats = pool.owner.stats;
  if (!breakers.pending_requests.try_take()) {
    stats[ClusterStat::upstream_rq_pending_overflow].add();
    co_return Acquired{.failure = Failure::overflow};
  }
  Pending pending(stats, *pool.endpoint, breakers.pending_requests);
  H2Connections& h2 = pool.h2;
  Waiting waiting(h2);
  const std::uint64_t failures = h2.failures;
  // Who has waited longer comes first.
  for (bool others_wait = h2.waiting > 1;; others_wait = false) {
    H2UpstreamConnection* ready = H2UpstreamConnection::with_room(h2);
    if (ready && !others_wait) co_return pending.end({.h2 = ready});
    if (h2.failures != failures) co_return pending.end(h2.last_failure);
    if (ready) {
      h2.changed.notify_one();
    } else if (another_needed(pool) && pool.take_connection(breakers.connections)) {
      if (auto failure = H2UpstreamConnection::open(pool, breakers.connections)) {
        h2.failures++;
        h2.last_failure = *failure;
        h2.changed.notify_all();
        co_return pending.end(*failure);
      }
      if (h2.failures != failures) continue;
    }
    co_await h2.changed.wait();
  }
}

}  // namespace outrider
