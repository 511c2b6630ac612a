#include "discovery/resource_discovery.h"

#include "discovery/rest_poll.h"
#include "discovery/subscription_stats.h"

namespace outrider {
namespace {

RestPoll::Stats stats_of(StatBlock& s) {
  using S = SubscriptionStat;
  return {s[S::update_attempt],     s[S::update_success], s[S::update_failure], s[S::update_rejected],
          s[S::init_fetch_timeout], s[S::update_time],    s[S::version]};
}

const StatTable& table_of(config::Resources resources) {
  switch (resources) {
    case config::Resources::clusters:
      return cds_stat_table();
    case config::Resources::listeners:
      return lds_stat_table();
    default:
      return rds_stat_table();
  }
}

}  // namespace

class ResourceDiscovery::Poll final : public RestPoll {
 public:
  Poll(ResourceDiscovery& owner, config::Resources resources, const config::ResourceSource& source,
       std::shared_ptr<StatScope> stats)
      : RestPoll(owner.worker_, owner.client_, source.rest, source.path, stats_of(stats->local(owner.worker_.index()))),
        taker_(owner.taker_),
        resources_(resources),
        asked_(source),
        stats_(std::move(stats)) {}

  const config::ResourceSource& asked() const { return asked_; }
  StopSource* stop = nullptr;

 private:
  Task<std::expected<void, std::string>> take(const std::string& text) override {
    auto taken = co_await taker_.take(resources_, asked_, text);
    if (taken && resources_ != config::Resources::listeners) {
      StatBlock& s = stats_->local(worker_.index());
      s[SubscriptionStat::config_reload].add();
      s[SubscriptionStat::config_reload_time_ms].set(milliseconds_since_epoch(worker_.wall()));
    }
    co_return taken;
  }

  ResourceTaker& taker_;
  const config::Resources resources_;
  const config::ResourceSource asked_;
  const std::shared_ptr<StatScope> stats_;
};

ResourceDiscovery::~ResourceDiscovery() = default;

Task<> ResourceDiscovery::run() { co_await scope_.run(until_stopped()); }

ResourceDiscovery::Wanted ResourceDiscovery::wanted(const Snapshot& snapshot) const {
  Wanted out;
  auto add = [&](config::Resources resources, const config::ResourceSource& source) {
    if (begun_[static_cast<std::size_t>(resources)]) out.emplace(std::pair(resources, source.url()), &source);
  };
  if (snapshot.cds) add(config::Resources::clusters, *snapshot.cds);
  if (snapshot.lds) add(config::Resources::listeners, *snapshot.lds);
  for (const auto& [url, source] : snapshot.rds) add(config::Resources::routes, source);
  return out;
}

void ResourceDiscovery::follow(const Snapshot& snapshot) {
  const Wanted now = wanted(snapshot);
  std::erase_if(polls_, [&](const auto& each) {
    auto still = now.find(each.first);
    if (still != now.end() && *still->second == each.second->asked()) return false;
    if (each.second->stop) each.second->stop->request();
    each.second->give_up();
    return true;
  });
  for (const auto& [key, source] : now) {
    if (polls_.contains(key)) continue;
    auto added =
        std::make_shared<Poll>(*this, key.first, *source, stats_.scope(source->stat_prefix, table_of(key.first)));
    polls_.emplace(key, added);
    added->stop = scope_.spawn(poll, added);
  }
}

// It keeps what it polls for: follow() may drop it while it waits.
Task<> ResourceDiscovery::poll(std::shared_ptr<Poll> poll) { co_await poll->run(); }

Task<> ResourceDiscovery::begin(config::Resources resources, const Snapshot& snapshot) {
  begun_[static_cast<std::size_t>(resources)] = true;
  follow(snapshot);
  std::vector<std::shared_ptr<Poll>> waiting;
  for (const auto& [key, each] : polls_) {
    if (key.first == resources && !each->answered()) waiting.push_back(each);
  }
  for (const auto& each : waiting) co_await each->first_answer();
}

}  // namespace outrider
