#include "upstream/maglev.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <tuple>

namespace outrider {
namespace {

struct Turn {
  std::string key;
  std::uint32_t host;
  double weight;
  std::uint64_t offset, skip;
  double target = 0;  // It has a turn when rounds * weight has come so far.
  std::uint64_t next = 0, taken = 0;
};

std::vector<Turn> turns_of(const HashOptions& options, std::span<const HashedHost> hosts) {
  std::vector<Turn> turns;
  const std::uint64_t size = options.maglev_table_size;
  for (std::uint32_t i = 0; i < hosts.size(); i++) {
    std::string key = hash_key_of(*hosts[i].host, options.by_hostname);
    std::uint64_t offset = XXH64(key.data(), key.size(), 0) % size;
    std::uint64_t skip = size > 1 ? XXH64(key.data(), key.size(), 1) % (size - 1) + 1 : 1;
    turns.push_back({std::move(key), i, hosts[i].weight, offset, skip});
  }
  // Whatever the order of the hosts, the table is the same.
  std::ranges::sort(turns, {}, [](const Turn& turn) { return std::tie(turn.key, turn.host); });
  return turns;
}

}  // namespace

MaglevTable::MaglevTable(const HashOptions& options, std::span<const HashedHost> hosts) {
  if (hosts.size() == 1) {  // As in Envoy.
    table_ = {0};
    places = {1, 1, 1};
    return;
  }
  constexpr std::uint32_t kFree = UINT32_MAX;
  const std::uint64_t size = options.maglev_table_size;
  table_.assign(size, kFree);
  std::vector<Turn> turns = turns_of(options, hosts);
  double most = std::ranges::max(hosts, {}, &HashedHost::weight).weight;
  std::uint64_t filled = 0;
  for (std::uint32_t round = 1; filled < size; round++) {
    for (Turn& each : turns) {
      if (filled == size) break;
      if (round * each.weight < each.target) continue;
      each.target += most;
      while (table_[(each.offset + each.skip * each.next) % size] != kFree) each.next++;
      table_[(each.offset + each.skip * each.next++) % size] = each.host;
      each.taken++;
      filled++;
    }
  }
  places = {size, size, 0};
  for (const Turn& each : turns) {
    places.min = std::min(places.min, each.taken);
    places.max = std::max(places.max, each.taken);
  }
}

std::size_t MaglevTable::find(std::uint64_t hash, std::uint32_t attempt) const {
  if (attempt > 0) hash ^= ~std::uint64_t{0} - attempt + 1;
  return table_[hash % table_.size()];
}

}  // namespace outrider
