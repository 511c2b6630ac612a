#include "upstream/cluster.h"

#include <algorithm>

namespace outrider {

Cluster::Cluster(ClusterOptions o, std::shared_ptr<StatScope> s, int slot_number, LocalStats retries)
    : options(std::move(o)),
      stats(std::move(s)),
      slot(slot_number),
      retry_codes(std::move(retries)),
      hosts_(std::make_shared<HostSet>()) {
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

EndpointPtr Cluster::make_endpoint(const ConfiguredHost& h, Address address, int workers) const {
  std::string name = h.hostname.empty() && by_dns() ? h.address : h.hostname;
  auto e = std::make_shared<Endpoint>(std::move(address), std::move(name), h.weight, h.priority, workers);
  e->health = h.health;
  e->told_to_drain = h.told_to_drain;
  e->region = h.region;
  e->zone = h.zone;
  e->sub_zone = h.sub_zone;
  e->set_metadata(h.metadata);
  e->check = h.check;
  if (h.check_port) e->check.address = e->check.address.value_or(e->address).with_port(h.check_port);
  // Until it has passed its first check.
  if (options.health_check && !h.check.disabled) e->flags.set(HealthFlag::failed_active_hc);
  if (options.outlier) e->outlier = std::make_unique<Outlier>(*options.outlier);
  return e;
}

void Cluster::set_hosts(std::vector<EndpointPtr> all, StatBlock& stats) {
  std::shared_ptr<HostSet> set = make_host_set(std::move(all), options.panic_percent, options.hash.get());
  if (options.subset) {
    set->subsets = make_subsets(*options.subset, set->all, options.panic_percent, options.hash.get());
    HostSetPtr before = hosts();
    const Subsets none, &old = before->subsets ? *before->subsets : none, &now = *set->subsets;
    auto missing = [](const Subsets& from, const Subsets& in) {
      return static_cast<std::uint64_t>(
          std::ranges::count_if(from.by_key, [&](const auto& each) { return !in.by_key.contains(each.first); }));
    };
    stats[ClusterStat::lb_subsets_created].add(missing(now, old));
    stats[ClusterStat::lb_subsets_removed].add(missing(old, now));
    stats[ClusterStat::lb_subsets_active].set(now.by_key.size());
  }
  show_places(*set);
  set_hosts(std::move(set), stats);
}

void Cluster::show_places(const HostSet& hosts) {
  PlacesPerHost places = hosts.hash ? hosts.hash->places() : PlacesPerHost{};
  if (places.size == 0 || !hash_stats) return;  // As in Envoy, what was there before is shown.
  StatBlock& shown = *hash_stats;
  shown[HashStat::min].set(places.min);
  shown[HashStat::max].set(places.max);
  if (options.hash->kind == HashOptions::Kind::ring) shown[HashStat::size].set(places.size);
}

HostSetPtr Cluster::hosts() const {
  std::lock_guard lock(mutex_);
  return hosts_;
}

void Cluster::show_breakers(StatBlock& stats) const {
  auto index = static_cast<std::size_t>(ClusterStat::default_cx_open);
  for (const Breakers& of : breakers) {
    for (const Breaker* b : {&of.connections, &of.pending_requests, &of.requests, &of.retries}) {
      Cell& shown = stats.cell(index++);
      bool open = b->open() && b->used() > 0;  // Where nothing is allowed, it opens with the first use.
      if (open != (shown.value() != 0)) shown.set(open);
    }
  }
}

StatBlock& Cluster::stats_below(const std::string& name, const StatTable& table, int worker) {
  std::lock_guard lock(mutex_);
  if (!below_) below_ = std::make_unique<std::map<std::string, std::shared_ptr<StatScope>>>();
  std::shared_ptr<StatScope>& scope = (*below_)[name];
  if (!scope) scope = stats->under(name, table);
  return scope->local(worker);
}

StatBlock& Cluster::copy_stats(CodeCopy copy, int worker) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<StatScope>& scope = copies_[static_cast<std::size_t>(copy)];
  if (!scope) scope = stats->under(prefix_of(copy), code_copy_stat_table());
  return scope->local(worker);
}

void Cluster::set_hosts(HostSetPtr hosts, StatBlock& stats) {
  auto count = [&](HostHealth health) {
    return static_cast<std::uint64_t>(std::count_if(hosts->all.begin(), hosts->all.end(),
                                                    [&](const EndpointPtr& e) { return e->health_now() == health; }));
  };
  stats[ClusterStat::membership_total].set(hosts->all.size());
  stats[ClusterStat::membership_healthy].set(count(HostHealth::healthy));
  stats[ClusterStat::membership_degraded].set(count(HostHealth::degraded));
  stats[ClusterStat::membership_excluded].set(static_cast<std::uint64_t>(
      std::ranges::count_if(hosts->all, [](const EndpointPtr& e) { return e->excluded(); })));
  std::lock_guard lock(mutex_);
  hosts_ = std::move(hosts);
}

// The gauges of several threads add up, so each counts its own changes.
EndpointPtr Cluster::add_host(const Address& address, int workers, StatBlock& stats) {
  std::lock_guard lock(mutex_);
  for (const EndpointPtr& each : hosts_->all) {
    if (each->address == address) return each;
  }
  EndpointPtr added = make_endpoint(ConfiguredHost{}, address, workers);
  std::vector<EndpointPtr> all = hosts_->all;
  all.push_back(added);
  hosts_ = make_host_set(std::move(all), options.panic_percent);
  stats[ClusterStat::membership_change].add();
  stats[ClusterStat::membership_total].add();
  stats[ClusterStat::membership_healthy].add();
  return added;
}

bool Cluster::remove_hosts(const std::function<bool(const Endpoint&)>& condition, StatBlock& stats) {
  std::lock_guard lock(mutex_);
  std::vector<EndpointPtr> all = hosts_->all;
  std::size_t gone = std::erase_if(all, [&](const EndpointPtr& each) { return condition(*each); });
  if (gone == 0) return false;
  hosts_ = make_host_set(std::move(all), options.panic_percent);
  stats[ClusterStat::membership_change].add();
  stats[ClusterStat::membership_total].sub(gone);
  stats[ClusterStat::membership_healthy].sub(gone);
  return true;
}

}  // namespace outrider
