#include "upstream/consistent_hash.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "upstream/maglev.h"
#include "upstream/ring_hash.h"

namespace outrider {

std::string hash_key_of(const Endpoint& host, bool by_hostname) {
  const Value* said = host.metadata ? host.metadata->find(kLbMetadata, {"hash_key"}) : nullptr;
  const std::string* key = said ? said->text() : nullptr;
  if (key && !key->empty()) return *key;
  return by_hostname ? host.hostname : host.address.text();
}

HashedHosts::HashedHosts(const HashOptions& options, std::span<Endpoint* const> hosts)
    : balance_factor_(options.balance_factor) {
  if (hosts.empty()) return;
  std::uint64_t sum = 0;
  for (const Endpoint* each : hosts) sum += each->weight;
  for (Endpoint* each : hosts) hosts_.push_back({each, each->weight * 1.0 / static_cast<double>(sum)});
  if (options.kind == HashOptions::Kind::ring) {
    table_ = std::make_unique<HashRing>(options, hosts_);
  } else {
    table_ = std::make_unique<MaglevTable>(options, hosts_);
  }
}

Endpoint* HashedHosts::pick(std::uint64_t hash, std::uint32_t attempt, std::uint64_t active) const {
  if (!table_) return nullptr;
  std::size_t found = table_->find(hash, attempt);
  if (balance_factor_ == 0 || load(hosts_[found], active) <= 1) return hosts_[found].host;
  return pick_less_loaded(hash, found, active);
}

// Above 1, the host has more than its part of what is allowed. Envoy's numbers, with their rounding.
double HashedHosts::load(const HashedHost& host, std::uint64_t active) const {
  auto total = static_cast<double>(((active + 1) * balance_factor_ + 99) / 100);
  double slots = std::max(1.0, std::ceil(total * host.weight));
  return static_cast<double>(host.host->numbers.rq_active.load(std::memory_order_relaxed)) / slots;
}

// The others in an order that the hash decides, up to the first with room; else the least loaded one.
Endpoint* HashedHosts::pick_less_loaded(std::uint64_t hash, std::size_t full, std::uint64_t active) const {
  std::mt19937 random(static_cast<std::uint32_t>(hash));
  auto below = [&](std::uint32_t bound) {
    std::uint64_t drawn = bound;
    while (drawn >= bound) drawn = random() / ((std::uint64_t{random.max()} + 1) / bound);
    return static_cast<std::size_t>(drawn);
  };
  std::vector<std::size_t> order(hosts_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::size_t best = full;
  double least = load(hosts_[full], active);
  for (std::size_t i = 0; i < order.size(); i++) {
    std::swap(order[i], order[i + below(static_cast<std::uint32_t>(order.size() - i))]);
    if (order[i] == full) continue;
    double its = load(hosts_[order[i]], active);
    if (its <= 1) return hosts_[order[i]].host;
    if (its < least) {
      best = order[i];
      least = its;
    }
  }
  return hosts_[best].host;
}

std::uint32_t ConsistentHash::priority_of(std::uint64_t hash) const {
  std::uint64_t percent = hash % 100 + 1, sum = 0;
  for (const Load& each : loads) {
    sum += each.percent;
    if (percent <= sum) return each.priority;
  }
  return loads.empty() ? 0 : loads.front().priority;
}

PlacesPerHost ConsistentHash::places() const {
  PlacesPerHost last;
  for (const HashedHosts& each : by_priority) {
    if (each.places().size > 0) last = each.places();
  }
  return last;
}

}  // namespace outrider
