#include "upstream/cluster.h"

#include <algorithm>

namespace outrider {

Cluster::Cluster(ClusterOptions o, std::shared_ptr<StatScope> s, int slot_number, LocalStats retries)
    : options(std::move(o)), stats(std::move(s)), slot(slot_number), retry_codes(std::move(retries)), hosts_(std::make_shared<HostSet>()) {
  for (std::size_t i = 0; i < breakers.size(); i++) {
    breakers[i].connections.set_limit(options.thresholds[i].connections);
    breakers[i].pending_requests.set_limit(options.thresholds[i].pending_requests);
    breakers[i].requests.set_limit(options.thresholds[i].requests);
    breakers[i].retries.set_limit(options.thresholds[i].retries);
  }
}

Breaker& Cluster::retry_breaker(Priority priority) {
  auto i = static_cast<std::size_t>(priority);
  if (const auto& budget = options.thresholds[i].retry_budget) {
    auto share = static_cast<std::uint64_t>(budget->percent / 100 * static_cast<double>(breakers[i].requests.used()));
    breakers[i].retries.set_limit(std::max(budget->min, share));
  }
  return breakers[i].retries;
}

HostSetPtr Cluster::hosts() const {
  std::lock_guard lock(mutex_);
  return hosts_;
}

void Cluster::set_hosts(HostSetPtr hosts, StatBlock& stats) {
  auto count = [&](HostHealth health) {
    return static_cast<std::uint64_t>(
        std::count_if(hosts->all.begin(), hosts->all.end(), [&](const EndpointPtr& e) { return e->health == health; }));
  };
  stats[ClusterStat::membership_total].set(hosts->all.size());
  stats[ClusterStat::membership_healthy].set(count(HostHealth::healthy));
  stats[ClusterStat::membership_degraded].set(count(HostHealth::degraded));
  std::lock_guard lock(mutex_);
  hosts_ = std::move(hosts);
}

}  // namespace outrider
