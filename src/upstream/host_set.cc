#include "upstream/host_set.h"

#include <algorithm>
#include <numeric>

#include "upstream/balance.h"
#include "upstream/consistent_hash.h"

namespace outrider {
namespace {

using Hosts = std::vector<Endpoint*>;

// The hosts of one priority.
struct Level {
  Hosts all, healthy, degraded;
  std::size_t excluded = 0;

  std::size_t counted() const { return all.size() - excluded; }

  // In percent of what is needed.
  std::uint32_t availability(const Hosts& usable) const {
    if (counted() == 0) return 0;
    return static_cast<std::uint32_t>(std::min<std::size_t>(100, kOverprovisioningPercent * usable.size() / counted()));
  }
  bool panics(double percent) const {
    auto usable = static_cast<double>(healthy.size() + degraded.size());
    return counted() == 0 || 100 * usable < percent * static_cast<double>(counted());
  }
};

// Hosts of one priority that share so much of the requests.
struct Share {
  const Hosts* hosts;
  std::uint32_t percent;
  std::uint32_t priority;
};

std::vector<Level> levels_of(const std::vector<EndpointPtr>& all) {
  std::vector<Level> levels;
  for (const EndpointPtr& e : all) {
    if (e->priority >= levels.size()) levels.resize(e->priority + 1);
    Level& level = levels[e->priority];
    level.all.push_back(e.get());
    HostHealth health = e->health_now();
    if (health == HostHealth::healthy) level.healthy.push_back(e.get());
    if (health == HostHealth::degraded) level.degraded.push_back(e.get());
    level.excluded += e->excluded();
  }
  return levels;
}

std::uint32_t total_availability(const std::vector<Level>& levels) {
  std::uint32_t total = 0;
  for (const Level& l : levels) total += l.availability(l.healthy) + l.availability(l.degraded);
  return std::min(total, 100U);
}

// Nobody knows better: each priority by its number of hosts. What rounding has lost is the first one's.
std::vector<Share> shares_in_panic(const std::vector<Level>& levels, std::size_t hosts) {
  std::vector<Share> shares;
  std::uint32_t left = 100;
  for (std::uint32_t p = 0; p < levels.size(); p++) {
    auto percent = static_cast<std::uint32_t>(100 * levels[p].all.size() / hosts);
    left -= percent;
    if (!levels[p].all.empty()) shares.push_back({&levels[p].all, percent, p});
  }
  shares.front().percent += left;
  return shares;
}

// Healthy hosts first, by priority; then degraded ones for what is left.
std::vector<Share> shares_of(const std::vector<Level>& levels, const std::vector<bool>& panic) {
  std::uint32_t total = total_availability(levels);
  std::uint32_t left = 100;
  std::vector<Share> shares;
  if (total == 0) return shares;  // Nobody panics, and nobody is there.
  for (const Hosts Level::* usable : {&Level::healthy, &Level::degraded}) {
    for (std::uint32_t p = 0; p < levels.size(); p++) {
      const Level& l = levels[p];
      std::uint32_t percent = std::min(left, l.availability(l.*usable) * 100 / total);
      left -= percent;
      if (percent > 0) shares.push_back({panic[p] ? &l.all : &(l.*usable), percent, p});
    }
  }
  shares.front().percent += left;  // What rounding has lost.
  return shares;
}

std::uint64_t weight_of(const Hosts& hosts) {
  return std::accumulate(hosts.begin(), hosts.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const Endpoint* e) { return sum + e->weight; });
}

// Spreads the shares over their hosts, by weight.
Hosts rotation_of(const std::vector<Share>& shares) {
  constexpr std::uint64_t kScaleMax = 1 << 20;
  std::uint64_t scale = 1;  // Makes a whole number of each host's part, where that is possible.
  for (const Share& s : shares) {
    std::uint64_t sum = weight_of(*s.hosts);
    if (sum > 0 && scale < kScaleMax) scale = std::min(kScaleMax, scale / std::gcd(scale, sum) * sum);
  }
  Hosts hosts;
  std::vector<std::uint32_t> weights;
  for (const Share& s : shares) {
    if (s.percent == 0) continue;
    std::uint64_t sum = std::max<std::uint64_t>(1, weight_of(*s.hosts));
    for (Endpoint* e : *s.hosts) {
      hosts.push_back(e);
      std::uint64_t part = s.percent * e->weight * scale / sum;
      weights.push_back(static_cast<std::uint32_t>(std::max<std::uint64_t>(1, part)));
    }
  }
  Hosts rotation;
  for (std::uint32_t i : smooth_rotation(weights)) rotation.push_back(hosts[i]);
  return rotation;
}

// A priority that does not panic knows its healthy hosts only: who is sent to degraded ones finds nobody, as in Envoy.
std::shared_ptr<const ConsistentHash> hash_of(const HashOptions& options, const std::vector<Level>& levels,
                                              const std::vector<bool>& panic, const std::vector<Share>& shares) {
  auto hash = std::make_shared<ConsistentHash>();
  for (const Share& s : shares) hash->loads.push_back({s.percent, s.priority});
  for (std::size_t p = 0; p < levels.size(); p++) {
    hash->by_priority.emplace_back(options, panic[p] ? levels[p].all : levels[p].healthy);
  }
  return hash;
}

}  // namespace

std::shared_ptr<HostSet> make_host_set(std::vector<EndpointPtr> all, double panic_percent, const HashOptions* hash) {
  auto set = std::make_shared<HostSet>();
  set->all = std::move(all);
  if (set->all.empty()) return set;
  std::vector<Level> levels = levels_of(set->all);
  bool enough = total_availability(levels) == 100;
  bool everywhere = true;
  for (const Level& l : levels) {
    set->panic.push_back(!enough && l.panics(panic_percent));
    everywhere = everywhere && set->panic.back();
  }
  std::vector<Share> shares = everywhere ? shares_in_panic(levels, set->all.size()) : shares_of(levels, set->panic);
  set->eligible = rotation_of(shares);
  if (hash) set->hash = hash_of(*hash, levels, set->panic, shares);
  return set;
}

}  // namespace outrider
