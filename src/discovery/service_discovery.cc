#include "discovery/service_discovery.h"

#include <algorithm>

#include "config/problem.h"
#include "discovery/registration.h"
#include "discovery/rest_poll.h"
#include "http/query.h"

namespace outrider {
namespace {

RestPoll::Stats stats_of(StatBlock& cluster, StatBlock& eds) {
  return {cluster[ClusterStat::update_attempt], cluster[ClusterStat::update_success],
          cluster[ClusterStat::update_failure], eds[EdsStat::update_rejected],
          eds[EdsStat::init_fetch_timeout],     eds[EdsStat::update_time],
          cluster[ClusterStat::version]};
}

std::string stat_name(const Cluster& cluster) { return cluster.stats->name(); }

bool same(const Endpoint& a, const Endpoint& b) {
  return a.address == b.address && a.weight == b.weight && a.zone == b.zone && a.canary == b.canary;
}

}  // namespace

class ServiceDiscovery::Followed final : public RestPoll {
 public:
  Followed(ServiceDiscovery& owner, const ClusterPtr& cluster, std::shared_ptr<StatScope> eds)
      : RestPoll(owner.worker_, owner.client_, cluster->options.service->rest,
                 "/v1/registration/" + percent_encode(cluster->options.service->service),
                 stats_of(cluster->stats->local(owner.worker_.index()), eds->local(owner.worker_.index()))),
        owner_(owner),
        cluster_(cluster),
        stats_(cluster->stats->local(owner.worker_.index())),
        eds_(std::move(eds)) {}

  ServiceDiscovery& owner() { return owner_; }
  StopSource* stop = nullptr;

 private:
  Task<std::expected<void, std::string>> take(const std::string& text) override {
    auto hosts = read_registration(url(), text);
    if (!hosts) co_return std::unexpected(config::to_text(hosts.error()));
    if (hosts->empty()) stats_[ClusterStat::update_empty].add();
    set_hosts(*hosts);
    co_return {};
  }

  void unchanged() override { stats_[ClusterStat::update_no_rebuild].add(); }

  // Hosts that stay keep their place, their connections and their numbers; new ones come behind them.
  void set_hosts(const std::vector<ConfiguredHost>& wanted) {
    std::vector<EndpointPtr> fresh;
    for (const ConfiguredHost& h : wanted) {
      fresh.push_back(cluster_->make_endpoint(h, *Address::parse(h.address, h.port), owner_.workers_));
    }
    std::vector<EndpointPtr> all;
    bool changed = false;
    for (const EndpointPtr& before : cluster_->hosts()->all) {
      auto now = std::ranges::find_if(fresh, [&](const EndpointPtr& e) { return e->address == before->address; });
      const bool lost = now == fresh.end();
      if (lost && !outlives_discovery(*cluster_, *before)) {
        changed = true;
        continue;
      }
      before->flags.set(HealthFlag::pending_dynamic_removal, lost);
      const bool stays = lost || same(*before, **now);
      if (!stays && !before->flags.has(HealthFlag::failed_active_hc)) {
        (*now)->flags.clear(HealthFlag::failed_active_hc);
      }
      all.push_back(stays ? before : *now);
      changed |= !stays;
      if (!lost) fresh.erase(now);
    }
    changed |= !fresh.empty();
    all.insert(all.end(), fresh.begin(), fresh.end());
    if (!changed) return stats_[ClusterStat::update_no_rebuild].add();
    stats_[ClusterStat::membership_change].add();
    cluster_->set_hosts(std::move(all), stats_);
    owner_.changed_(*cluster_);
  }

  ServiceDiscovery& owner_;
  const ClusterPtr cluster_;
  StatBlock& stats_;
  const std::shared_ptr<StatScope> eds_;
};

ServiceDiscovery::ServiceDiscovery(Worker& worker, RestClient& client, Discovery& names, StatRegistry& stats,
                                   int workers, std::function<void(const Cluster&)> changed)
    : worker_(worker), client_(client), names_(names), stats_(stats), workers_(workers), changed_(std::move(changed)) {}

ServiceDiscovery::~ServiceDiscovery() = default;

Task<> ServiceDiscovery::run() { co_await scope_.run(until_stopped()); }

void ServiceDiscovery::follow(const ClusterPtr& cluster) {
  if (!cluster->options.service || followed_.contains(cluster.get())) return;
  auto added = std::make_shared<Followed>(*this, cluster, stats_.scope(stat_name(*cluster), eds_stat_table()));
  followed_.emplace(cluster.get(), added);
  added->stop = scope_.spawn(poll, added);
}

// It keeps what it polls for: forget() may come while it waits.
Task<> ServiceDiscovery::poll(std::shared_ptr<Followed> followed) {
  co_await followed->owner().names_.first_answers();
  co_await followed->run();
}

void ServiceDiscovery::forget(const Cluster& cluster) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  if (at->second->stop) at->second->stop->request();
  at->second->give_up();
  followed_.erase(at);
}

Task<> ServiceDiscovery::first_answers() {
  std::vector<std::shared_ptr<Followed>> waiting;
  for (const auto& [cluster, each] : followed_) waiting.push_back(each);
  for (const auto& each : waiting) {
    if (!each->answered()) co_await each->first_answer();
  }
}

}  // namespace outrider
