#include "upstream/balance.h"

#include <algorithm>
#include <numeric>

namespace outrider {

std::vector<std::uint32_t> smooth_rotation(std::span<const std::uint32_t> weights) {
  std::vector<std::uint64_t> shares(weights.begin(), weights.end());
  std::uint64_t divisor = 0;
  for (std::uint64_t w : shares) divisor = std::gcd(divisor, w);
  std::uint64_t total = 0;
  for (std::uint64_t& w : shares) total += w = divisor ? w / divisor : 1;
  if (total > kRotationMax) {
    std::uint64_t before = total;
    total = 0;
    for (std::uint64_t& w : shares) total += w = std::max<std::uint64_t>(1, w * kRotationMax / before);
  }
  std::vector<std::uint32_t> rotation;
  rotation.reserve(total);
  if (total == shares.size()) {  // All alike.
    for (std::uint32_t i = 0; i < shares.size(); i++) rotation.push_back(i);
    return rotation;
  }
  std::vector<std::int64_t> credit(shares.size(), 0);
  for (std::uint64_t step = 0; step < total; step++) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < shares.size(); i++) {
      credit[i] += static_cast<std::int64_t>(shares[i]);
      if (credit[i] > credit[best]) best = i;
    }
    credit[best] -= static_cast<std::int64_t>(total);
    rotation.push_back(static_cast<std::uint32_t>(best));
  }
  return rotation;
}

Endpoint* pick_least_request(std::span<Endpoint* const> hosts, Random& random, std::uint32_t choices) {
  // So many miss none: more would only cost time.
  constexpr std::uint64_t kChoicesOfAHostMax = 16;
  std::uint64_t tries = std::min<std::uint64_t>(choices, kChoicesOfAHostMax * hosts.size());
  Endpoint* best = nullptr;
  std::uint64_t fewest = UINT64_MAX;
  for (std::uint64_t i = 0; i < tries; i++) {
    Endpoint* host = hosts[random.below(hosts.size())];
    std::uint64_t active = host->numbers.rq_active.load(std::memory_order_relaxed);
    if (active < fewest) {
      best = host;
      fewest = active;
    }
  }
  return best;
}

}  // namespace outrider
