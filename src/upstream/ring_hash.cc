#include "upstream/ring_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace outrider {

std::uint64_t murmur_hash_2(std::string_view text) {
  // It is what std::hash is made of: the function and its seed are part of libstdc++'s binary interface.
  static_assert(__GLIBCXX__ && sizeof(std::size_t) == 8);
  return std::hash<std::string_view>()(text);
}

HashRing::HashRing(const HashOptions& options, std::span<const HashedHost> hosts) {
  double least = std::ranges::min(hosts, {}, &HashedHost::weight).weight;
  // The host with the least weight gets a whole number of points, where the ring may be so large.
  double scale = std::min(std::ceil(least * static_cast<double>(options.ring_size_min)) / least,
                          static_cast<double>(options.ring_size_max));
  places.size = places.min = static_cast<std::uint64_t>(std::ceil(scale));
  points_.reserve(places.size);
  double made = 0, wanted = 0;  // Running sums, so that parts of points add up over the hosts.
  for (std::uint32_t i = 0; i < hosts.size(); i++) {
    std::string key = hash_key_of(*hosts[i].host, options.by_hostname) + "_";
    const std::size_t length = key.size();
    wanted += scale * hosts[i].weight;
    std::uint64_t number = 0;
    for (; made < wanted; made++, number++) {
      key.resize(length);
      key += std::to_string(number);
      points_.push_back(
          {options.function == HashFunction::xx_hash ? XXH64(key.data(), key.size(), 0) : murmur_hash_2(key), i});
    }
    places.min = std::min(places.min, number);
    places.max = std::max(places.max, number);
  }
  std::ranges::sort(points_, {}, &Point::hash);
}

std::size_t HashRing::find(std::uint64_t hash, std::uint32_t attempt) const {
  auto at = static_cast<std::size_t>(std::ranges::lower_bound(points_, hash, {}, &Point::hash) - points_.begin());
  return points_[(at % points_.size() + attempt) % points_.size()].host;
}

}  // namespace outrider
