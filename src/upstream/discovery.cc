#include "upstream/discovery.h"

#include <algorithm>

#include "core/log.h"

namespace outrider {
namespace {

bool resolves(const Cluster& c) { return c.by_dns() || c.options.discovery == DiscoveryType::original_dst; }

}  // namespace

Task<> Discovery::run() { co_await scope_.run(until_stopped()); }

void Discovery::follow(const ClusterPtr& cluster) {
  if (!resolves(*cluster) || followed_.contains(cluster.get())) return;
  auto f = std::make_unique<Followed>(*this, cluster, cluster->stats->local(worker_.index()));
  for (const ConfiguredHost& host : cluster->options.hosts) f->names.push_back(std::make_unique<Name>(*f, host));
  Followed& added = *(followed_[cluster.get()] = std::move(f));
  for (auto& name : added.names) {
    added.running++;
    name->stop = scope_.spawn(follow_name, *name);
  }
  if (cluster->options.discovery != DiscoveryType::original_dst) return;
  added.running++;
  added.sweep = scope_.spawn(sweep_hosts, added);
}

void Discovery::forget(const Cluster& cluster) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  at->second->forgotten = true;
  for (auto& name : at->second->names) {
    if (name->stop) name->stop->request();
  }
  if (at->second->sweep) at->second->sweep->request();
  forgotten_.push_back(std::move(at->second));
  followed_.erase(at);
  answered_.notify_all();
}

Task<> Discovery::first_answers() {
  auto all_answered = [](const auto& entry) {
    return std::all_of(entry.second->names.begin(), entry.second->names.end(),
                       [](const auto& n) { return n->answered; });
  };
  while (!std::all_of(followed_.begin(), followed_.end(), all_answered)) co_await answered_.wait();
}

Discovery::Running::~Running() {
  Discovery& owner = followed.owner;
  if (--followed.running == 0 && followed.forgotten) {
    std::erase_if(owner.forgotten_, [&](const auto& each) { return each.get() == &followed; });
  }
}

Task<> Discovery::sweep_hosts(Followed& f) {
  Running running(f);
  auto uses = [](const Endpoint& e) {
    const Endpoint::Numbers& n = e.numbers;
    return n.rq_total.load(std::memory_order_relaxed) + n.cx_connect_fail.load(std::memory_order_relaxed);
  };
  for (;;) {
    co_await sleep(f.cluster->options.original_destination.cleanup_interval);
    auto unused = [&](const Endpoint& e) {
      auto before = f.uses.find(&e);
      return before != f.uses.end() && before->second == uses(e) && e.numbers.rq_active.load() == 0;
    };
    if (f.cluster->remove_hosts(unused, f.stats)) f.owner.changed_(*f.cluster);
    f.uses.clear();
    for (const EndpointPtr& each : f.cluster->hosts()->all) f.uses.emplace(each.get(), uses(*each));
  }
}

Task<> Discovery::follow_name(Name& name) {
  Discovery& d = name.cluster.owner;
  const ClusterOptions& o = name.cluster.cluster->options;
  Running running(name.cluster);
  for (;;) {
    name.cluster.stats[ClusterStat::update_attempt].add();
    auto answer = co_await d.resolver_.resolve(name.host.address, o.dns_family);
    std::chrono::milliseconds wait = answer ? d.take_answer(name, *answer) : d.take_failure(name, answer.error());
    if (!name.answered) {
      name.answered = true;
      d.answered_.notify_all();
    }
    if (o.dns_jitter.count() > 0) {
      wait += std::chrono::milliseconds(d.worker_.random().below(static_cast<std::uint64_t>(o.dns_jitter.count()) + 1));
    }
    co_await sleep(std::min(wait, std::chrono::floor<std::chrono::milliseconds>(Worker::kTimeoutMax)));
  }
}

std::chrono::milliseconds Discovery::take_answer(Name& name, const DnsAnswer& answer) {
  const ClusterOptions& o = name.cluster.cluster->options;
  name.cluster.stats[ClusterStat::update_success].add();
  name.failure_wait = {};
  std::vector<Address> addresses = answer.addresses;
  // A logical host is one host, whatever the number of its addresses.
  if (o.discovery == DiscoveryType::logical_dns && addresses.size() > 1) addresses.resize(1);
  set_addresses(name, addresses);
  if (o.respect_dns_ttl && answer.ttl.count() > 0) return answer.ttl;
  return o.dns_refresh_rate;
}

std::chrono::milliseconds Discovery::take_failure(Name& name, const DnsFailure& failure) {
  const ClusterOptions& o = name.cluster.cluster->options;
  log(Logger::dns, LogLevel::debug,
      "cluster '" + o.name + "': cannot resolve '" + name.host.address + "': " + failure.reason);
  if (failure.no_such_name && o.discovery == DiscoveryType::strict_dns) {
    // An answer: nobody is there. After an outage, in contrast, what was known last stays in use.
    name.cluster.stats[ClusterStat::update_success].add();
    name.cluster.stats[ClusterStat::update_empty].add();
    set_addresses(name, {});
    return o.dns_refresh_rate;
  }
  name.cluster.stats[ClusterStat::update_failure].add();
  name.failure_wait =
      name.failure_wait.count() ? std::min(name.failure_wait * 2, o.dns_failure_rate_max) : o.dns_failure_rate;
  return name.failure_wait;
}

bool outlives_discovery(const Cluster& cluster, const Endpoint& lost) {
  const ClusterOptions& o = cluster.options;
  return o.discovery != DiscoveryType::logical_dns && o.health_check && !o.ignore_health_on_removal &&
         !lost.flags.has(HealthFlag::failed_active_hc);
}

// Hosts that stay keep their place, their connections and their numbers; new ones come behind them.
void Discovery::set_addresses(Name& name, const std::vector<Address>& addresses) {
  std::vector<Address> wanted;
  for (const Address& a : addresses) wanted.push_back(a.with_port(name.host.port));
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::vector<EndpointPtr> endpoints;
  for (const EndpointPtr& e : name.endpoints) {
    auto at = std::find(wanted.begin(), wanted.end(), e->address);
    bool lost = at == wanted.end();
    if (lost && !outlives_discovery(*name.cluster.cluster, *e)) continue;
    e->flags.set(HealthFlag::pending_dynamic_removal, lost);
    endpoints.push_back(e);
    if (!lost) wanted.erase(at);
  }
  bool same = wanted.empty() && endpoints.size() == name.endpoints.size();
  if (same) {
    name.cluster.stats[ClusterStat::update_no_rebuild].add();
    return;
  }
  const ConfiguredHost& h = name.host;
  for (const Address& a : wanted) {
    endpoints.push_back(name.cluster.cluster->make_endpoint(h, a, workers_));
  }
  name.endpoints = std::move(endpoints);
  publish(name.cluster);
}

void Discovery::publish(Followed& f) {
  std::vector<EndpointPtr> all;
  for (const auto& name : f.names) all.insert(all.end(), name->endpoints.begin(), name->endpoints.end());
  f.stats[ClusterStat::membership_change].add();
  f.cluster->set_hosts(std::move(all), f.stats);
  changed_(*f.cluster);
}

}  // namespace outrider
