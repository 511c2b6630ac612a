#include "upstream/health_check.h"

#include <algorithm>

#include "http/http_stats.h"
#include "upstream/health_check_connection.h"
#include "upstream/health_check_stats.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;

milliseconds part_of(Random& random, milliseconds most) {
  return most.count() > 0 ? milliseconds(random.below(static_cast<std::uint64_t>(most.count()))) : milliseconds(0);
}

}  // namespace

HealthChecks::Session::Session(std::shared_ptr<Followed> f, EndpointPtr e)
    : cluster(std::move(f)), endpoint(std::move(e)) {}
HealthChecks::Session::~Session() = default;

HealthChecks::HealthChecks(Worker& worker, Network& network, std::function<void(Cluster&)> changed,
                           std::function<void(const Cluster&, const Endpoint&)> passed)
    : worker_(worker),
      changed_(std::move(changed)),
      passed_(std::move(passed)),
      scope_("", http_stat_table()),
      connection_{worker, network, nullptr, nullptr, 0, nullptr, nullptr},
      network_(network) {
  options_.edge = false;
}

Task<> HealthChecks::run() {
  struct Forgetting {
    HealthChecks& checks;
    ~Forgetting() {  // A session and its cluster hold each other.
      for (auto& [cluster, followed] : checks.followed_) followed->sessions.clear();
    }
  } forgetting{*this};
  co_await tasks_.run(until_stopped());
}

void HealthChecks::follow(const ClusterPtr& cluster) {
  if (!cluster->options.health_check || followed_.contains(cluster.get())) return;
  followed_[cluster.get()] = std::make_shared<Followed>(*this, cluster, *cluster->options.health_check,
                                                        cluster->health_check_stats->local(worker_.index()));
  hosts_changed(*cluster);
}

void HealthChecks::end(Session& session) {
  if (session.stop) session.stop->request();
}

void HealthChecks::forget(const Cluster& cluster) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  for (auto& session : at->second->sessions) end(*session);
  at->second->sessions.clear();
  followed_.erase(at);
  asked_.notify_all();
}

void HealthChecks::hosts_changed(const Cluster& cluster) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  std::shared_ptr<Followed> f = at->second;
  HostSetPtr hosts = cluster.hosts();
  std::erase_if(f->sessions, [&](const auto& session) {
    if (std::ranges::find(hosts->all, session->endpoint) != hosts->all.end()) return false;
    end(*session);
    return true;
  });
  for (const EndpointPtr& host : hosts->all) {
    bool known = std::ranges::any_of(f->sessions, [&](const auto& s) { return s->endpoint == host; });
    if (known || host->check.disabled) continue;
    auto session = f->sessions.emplace_back(std::make_shared<Session>(f, host));
    session->stop = tasks_.spawn(keep_asking, session);
  }
  set_gauges(*f);
  asked_.notify_all();
}

Task<> HealthChecks::first_results() {
  auto all_asked = [](const auto& entry) {
    return std::ranges::none_of(entry.second->sessions, [](const auto& s) { return s->first; });
  };
  while (!std::ranges::all_of(followed_, all_asked)) co_await asked_.wait();
}

Task<> HealthChecks::keep_asking(std::shared_ptr<Session> session) {
  struct Ended {
    Session& session;
    ~Ended() { session.stop = nullptr; }
  } ended{*session};
  HealthChecks& self = session->cluster->owner;
  const HealthCheckOptions& o = session->cluster->options;
  if (o.initial_jitter.count() > 0) co_await sleep(part_of(self.worker_.random(), o.initial_jitter));
  for (;;) {
    session->cluster->stats[HealthCheckStat::attempt].add();
    std::optional<Result> result = co_await within(o.timeout, self.ask(*session));
    if (!result) session->connection.reset();
    milliseconds wait = self.take(*session, result.value_or(Result::timed_out));
    bool spent = session->connection && session->connection->spent;
    if (spent || !o.reuse_connection) session->connection.reset();
    co_await sleep(wait);
  }
}

milliseconds HealthChecks::take(Session& session, Result result) {
  bool healthy = result == Result::healthy || result == Result::degraded;
  bool changed = healthy ? take_success(session, result == Result::degraded) : take_failure(session, result);
  Followed& f = *session.cluster;
  if (std::exchange(session.first, false)) asked_.notify_all();
  set_gauges(f);
  if (bool excluded_anew = std::exchange(session.excluded_anew, false); changed || excluded_anew) changed_(*f.cluster);
  if (healthy && passed_) passed_(*f.cluster, *session.endpoint);
  return interval(f, healthy, changed);
}

// Whether the host is another one now.
bool HealthChecks::take_success(Session& session, bool degraded) {
  HealthFlags& flags = session.endpoint->flags;
  session.unhealthy_in_a_row = 0;
  session.cluster->stats[HealthCheckStat::success].add();
  bool changed = false;
  bool enough = session.first || ++session.healthy_in_a_row >= session.cluster->options.healthy_threshold;
  if (flags.has(HealthFlag::failed_active_hc) && enough) {
    flags.clear(HealthFlag::active_hc_timeout);
    flags.clear(HealthFlag::failed_active_hc);
    changed = true;
  }
  if (degraded != flags.has(HealthFlag::degraded_active_hc)) {
    flags.set(HealthFlag::degraded_active_hc, degraded);
    changed = true;
  }
  return changed;
}

bool HealthChecks::take_failure(Session& session, Result result) {
  HealthFlags& flags = session.endpoint->flags;
  StatBlock& stats = session.cluster->stats;
  session.healthy_in_a_row = 0;
  stats[HealthCheckStat::failure].add();
  bool by_network = result == Result::unreachable || result == Result::timed_out;
  if (by_network) stats[HealthCheckStat::network_failure].add();
  if (result == Result::told) stats[HealthCheckStat::passive_failure].add();
  flags.set(HealthFlag::active_hc_timeout, result == Result::timed_out);
  if (flags.has(HealthFlag::failed_active_hc)) return false;
  bool may_be_chance = by_network || result == Result::failed_retriable;
  if (may_be_chance && ++session.unhealthy_in_a_row < session.cluster->options.unhealthy_threshold) return false;
  flags.set(HealthFlag::failed_active_hc);
  return true;
}

milliseconds HealthChecks::interval(const Followed& f, bool healthy, bool changed) const {
  const HealthCheckOptions& o = f.options;
  bool used = f.cluster->stats->value(static_cast<std::size_t>(ClusterStat::upstream_cx_total)) > 0;
  milliseconds base = o.interval;
  if (!used) {
    base = healthy ? o.no_traffic_healthy_interval.value_or(o.no_traffic_interval) : o.no_traffic_interval;
  } else if (healthy) {
    if (changed) base = o.healthy_edge_interval.value_or(o.interval);
  } else {
    base = o.unhealthy_interval.value_or(o.interval);
    if (changed) base = o.unhealthy_edge_interval.value_or(base);
  }
  Random& random = worker_.random();
  base += part_of(random, base * o.interval_jitter_percent / 100) + part_of(random, o.interval_jitter);
  const Runtime& runtime = *worker_.runtime();
  auto least = runtime.integer("health_check.min_interval", 1),
       most = runtime.integer("health_check.max_interval", INT64_MAX);
  auto ms = std::max(std::min(static_cast<std::uint64_t>(base.count()), most), std::max<std::uint64_t>(1, least));
  return milliseconds(ms);
}

void HealthChecks::set_gauges(Followed& f) {
  std::uint64_t healthy = 0, degraded = 0;
  for (const auto& session : f.sessions) {
    const HealthFlags& flags = session->endpoint->flags;
    healthy += !flags.has(HealthFlag::failed_active_hc);
    degraded += flags.has(HealthFlag::degraded_active_hc);
  }
  f.stats[HealthCheckStat::healthy].set(healthy);
  f.stats[HealthCheckStat::degraded].set(degraded);
}

void HealthChecks::fail_at_once(const Cluster& cluster, const Endpoint& host) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  for (const auto& session : at->second->sessions) {
    if (session->endpoint.get() != &host) continue;
    session->endpoint->flags.set(HealthFlag::excluded_via_immediate_hc_fail);
    bool changed = take_failure(*session, Result::told);
    set_gauges(*at->second);
    if (changed) changed_(*at->second->cluster);
    return;
  }
}

}  // namespace outrider
