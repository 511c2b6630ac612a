// Load balancing: pure functions from a list of hosts to one of them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "upstream/endpoint.h"

namespace outrider {

// consistent_hash: see consistent_hash.h; where it is not known how a request hashes, chance decides.
enum class LbPolicy : std::uint8_t { round_robin, least_request, random, consistent_hash };

// The rotation for those weights: host i occurs weight[i] times (divided by their common divisor), spread as evenly as
// can be ("smooth" weighted round robin). Where that would be more than kRotationMax, weights are scaled down, but each
// host occurs once at least.
inline constexpr std::size_t kRotationMax = 4096;
std::vector<std::uint32_t> smooth_rotation(std::span<const std::uint32_t> weights);

// The list is not empty. `turn` counts up with each choice, over all workers.
inline Endpoint* pick_round_robin(std::span<Endpoint* const> hosts, std::uint64_t turn) {
  return hosts[turn % hosts.size()];
}
inline Endpoint* pick_random(std::span<Endpoint* const> hosts, Random& random) {
  return hosts[random.below(hosts.size())];
}
// Of `choices` random ones that with the fewest requests in flight.
Endpoint* pick_least_request(std::span<Endpoint* const> hosts, Random& random, std::uint32_t choices);

}  // namespace outrider
