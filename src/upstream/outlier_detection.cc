#include "upstream/outlier_detection.h"

#include <algorithm>
#include <cmath>

namespace outrider {
namespace {

using std::chrono::milliseconds;

// What a reason is counted and enforced by.
struct Named {
  OutlierStat detected, enforced;
  std::uint32_t OutlierOptions::* enforcing;
  const char* runtime_key;
};

const Named& named(EjectionReason reason) {
  using S = OutlierStat;
  using O = OutlierOptions;
  static constexpr Named kNamed[] = {
      {S::ejections_detected_consecutive_5xx, S::ejections_enforced_consecutive_5xx, &O::enforcing_consecutive_5xx,
       "outlier_detection.enforcing_consecutive_5xx"},
      {S::ejections_detected_consecutive_gateway_failure, S::ejections_enforced_consecutive_gateway_failure,
       &O::enforcing_consecutive_gateway_failure, "outlier_detection.enforcing_consecutive_gateway_failure"},
      {S::ejections_detected_consecutive_local_origin_failure, S::ejections_enforced_consecutive_local_origin_failure,
       &O::enforcing_consecutive_local_origin_failure, "outlier_detection.enforcing_consecutive_local_origin_failure"},
      {S::ejections_detected_success_rate, S::ejections_enforced_success_rate, &O::enforcing_success_rate,
       "outlier_detection.enforcing_success_rate"},
      {S::ejections_detected_local_origin_success_rate, S::ejections_enforced_local_origin_success_rate,
       &O::enforcing_local_origin_success_rate, "outlier_detection.enforcing_local_origin_success_rate"},
      {S::ejections_detected_failure_percentage, S::ejections_enforced_failure_percentage,
       &O::enforcing_failure_percentage, "outlier_detection.enforcing_failure_percentage"},
      {S::ejections_detected_local_origin_failure_percentage, S::ejections_enforced_local_origin_failure_percentage,
       &O::enforcing_failure_percentage_local_origin, "outlier_detection.enforcing_failure_percentage_local_origin"},
  };
  return kNamed[static_cast<std::size_t>(reason)];
}

std::uint64_t ejected(const HostSet& hosts) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      hosts.all, [](const EndpointPtr& e) { return e->flags.has(HealthFlag::failed_outlier_check); }));
}

}  // namespace

void OutlierDetection::follow(const ClusterPtr& cluster) {
  if (!cluster->options.outlier || watched_.contains(cluster.get())) return;
  auto w = std::make_shared<Watched>(*this, cluster, *cluster->options.outlier,
                                     cluster->outlier_stats->local(worker_.index()));
  watched_[cluster.get()] = w;
  w->stop = tasks_.spawn(look_now_and_then, w);
}

void OutlierDetection::forget(const Cluster& cluster) {
  auto at = watched_.find(&cluster);
  if (at == watched_.end()) return;
  if (at->second->stop) at->second->stop->request();
  watched_.erase(at);
}

Task<> OutlierDetection::look_now_and_then(std::shared_ptr<Watched> watched) {
  struct Ended {
    Watched& watched;
    ~Ended() { watched.stop = nullptr; }
  } ended{*watched};
  for (;;) {
    co_await sleep(watched->options.interval);
    watched->owner.look(*watched);
  }
}

void OutlierDetection::look(Watched& w) {
  HostSetPtr hosts = w.cluster->hosts();
  bool changed = false;
  for (const EndpointPtr& host : hosts->all) {
    if (host->outlier) changed = try_back(w, *host) || changed;
  }
  w.stats[OutlierStat::ejections_active].set(ejected(*hosts));
  if (changed) changed_(*w.cluster);
  look_at_rates(w, *hosts, false);
  look_at_rates(w, *hosts, true);
}

bool OutlierDetection::try_back(Watched& w, Endpoint& host) {
  Outlier& o = *host.outlier;
  if (!host.flags.has(HealthFlag::failed_outlier_check)) {
    if (o.ejections > 0) o.ejections--;
    return false;
  }
  milliseconds most = std::max(w.options.base_ejection_time, w.options.max_ejection_time);
  milliseconds length = std::min(w.options.base_ejection_time * o.ejections, most) + o.jitter;
  if (worker_.now() - o.ejected_at < length) return false;
  put_back(w, host);
  return true;
}

void OutlierDetection::put_back(Watched& w, Endpoint& host) {
  host.flags.clear(HealthFlag::failed_outlier_check);
  host.outlier->reset_rows();
  w.stats[OutlierStat::ejections_active].set(ejected(*w.cluster->hosts()));
}

void OutlierDetection::passed_check(const Cluster& cluster, const Endpoint& host) {
  auto at = watched_.find(&cluster);
  if (at == watched_.end() || !at->second->options.uneject_by_health_check) return;
  if (!host.flags.has(HealthFlag::failed_outlier_check)) return;
  HostSetPtr hosts = cluster.hosts();
  for (const EndpointPtr& each : hosts->all) {
    if (each.get() != &host) continue;
    put_back(*at->second, *each);
    changed_(*at->second->cluster);
    return;
  }
}

void OutlierDetection::too_many_errors(const Cluster& cluster, const Endpoint& host, EjectionReason reason) {
  auto at = watched_.find(&cluster);
  if (at == watched_.end()) return;
  Watched& w = *at->second;
  HostSetPtr hosts = cluster.hosts();
  auto found = std::ranges::find(hosts->all, &host, &EndpointPtr::get);
  if (found == hosts->all.end() || host.flags.has(HealthFlag::failed_outlier_check)) return;
  w.stats[named(reason).detected].add();
  if (reason == EjectionReason::consecutive_5xx) w.stats[OutlierStat::ejections_consecutive_5xx].add();
  if (eject(w, **found, reason)) changed_(*w.cluster);
  (*found)->outlier->reset_row(reason);
}

bool OutlierDetection::enforces(const Watched& w, EjectionReason reason) const {
  const Named& n = named(reason);
  RuntimeFraction enforced{{std::min(100U, w.options.*n.enforcing), 100}, n.runtime_key};
  return enforced.sample(*worker_.runtime(), worker_.random());
}

bool OutlierDetection::eject(Watched& w, Endpoint& host, EjectionReason reason) {
  const OutlierOptions& o = w.options;
  std::size_t all = w.cluster->hosts()->all.size();
  std::uint64_t active = ejected(*w.cluster->hosts());
  auto most = std::min<std::uint64_t>(
      100, worker_.runtime()->integer("outlier_detection.max_ejection_percent", o.max_ejection_percent));
  bool allowed = 100 * (active + 1) <= most * all;
  if (active == 0 && o.always_eject_one_host) allowed = true;
  if (!allowed) {
    w.stats[OutlierStat::ejections_overflow].add();
    return false;
  }
  if (reason == EjectionReason::consecutive_5xx || reason == EjectionReason::success_rate) {
    w.stats[OutlierStat::ejections_total].add();
  }
  if (!enforces(w, reason)) return false;
  w.stats[named(reason).enforced].add();
  w.stats[OutlierStat::ejections_enforced_total].add();
  Outlier& outlier = *host.outlier;
  host.flags.set(HealthFlag::failed_outlier_check);
  w.stats[OutlierStat::ejections_active].set(active + 1);
  outlier.ejected_at = worker_.now();
  milliseconds longest = std::max(o.base_ejection_time, o.max_ejection_time) + o.base_ejection_time;
  if (o.base_ejection_time * outlier.ejections < longest) outlier.ejections++;
  auto jitter = static_cast<std::uint64_t>(o.max_ejection_time_jitter.count());
  outlier.jitter = milliseconds(jitter ? worker_.random().below(jitter + 1) : 0);
  return true;
}

struct OutlierDetection::Rates {
  struct Host {
    Endpoint* host;
    double percent;
  };
  std::vector<Host> for_success, for_failure;
  double sum = 0;

  // Below the threshold a host is an outlier: so many standard deviations under the mean.
  SuccessRates summed(double factor) const {
    auto count = static_cast<double>(for_success.size());
    double mean = sum / count, variance = 0;
    for (const Host& h : for_success) variance += (h.percent - mean) * (h.percent - mean);
    return {mean, mean - std::sqrt(variance / count) * factor};
  }
};

void OutlierDetection::look_at_rates(Watched& w, const HostSet& hosts, bool local_origin) {
  const OutlierOptions& o = w.options;
  Rates rates;
  for (const EndpointPtr& host : hosts.all) {
    if (!host->outlier) continue;
    Outlier::Rate& rate = local_origin ? host->outlier->local : host->outlier->external;
    std::uint64_t total = rate.total.exchange(0, std::memory_order_relaxed);
    std::uint64_t good = std::min(total, rate.good.exchange(0, std::memory_order_relaxed));
    rate.percent = -1;
    if (total == 0 || host->flags.has(HealthFlag::failed_outlier_check)) continue;
    double percent = 100.0 * static_cast<double>(good) / static_cast<double>(total);
    if (total >= std::min(o.success_rate_request_volume, o.failure_percentage_request_volume)) rate.percent = percent;
    if (total >= o.success_rate_request_volume) {
      rates.for_success.push_back({host.get(), percent});
      rates.sum += percent;
    }
    if (total >= o.failure_percentage_request_volume) rates.for_failure.push_back({host.get(), percent});
  }
  SuccessRates& shown = local_origin ? w.cluster->local_origin_success_rates : w.cluster->success_rates;
  shown = {};
  bool changed = false;
  auto detect = [&](Endpoint& host, EjectionReason reason) {
    w.stats[named(reason).detected].add();
    if (reason == EjectionReason::success_rate) w.stats[OutlierStat::ejections_success_rate].add();
    changed = eject(w, host, reason) || changed;
  };
  if (!rates.for_success.empty() && rates.for_success.size() >= o.success_rate_minimum_hosts) {
    shown = rates.summed(o.success_rate_stdev_factor / 1000.0);
    for (const auto& each : rates.for_success) {
      if (each.percent < shown.ejection_threshold) {
        detect(*each.host, local_origin ? EjectionReason::local_origin_success_rate : EjectionReason::success_rate);
      }
    }
  }
  if (!rates.for_failure.empty() && rates.for_failure.size() >= o.failure_percentage_minimum_hosts) {
    for (const auto& each : rates.for_failure) {
      if (100 - each.percent < o.failure_percentage_threshold) continue;
      detect(*each.host,
             local_origin ? EjectionReason::local_origin_failure_percentage : EjectionReason::failure_percentage);
    }
  }
  if (changed) changed_(*w.cluster);
}

}  // namespace outrider
