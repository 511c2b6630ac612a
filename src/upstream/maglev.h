// Maglev's table: every host has an order of its own over all places, and they take turns at the first free one.
// Google's paper "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4.
#pragma once
#include <span>
#include <vector>

#include "upstream/consistent_hash.h"

namespace outrider {

class MaglevTable final : public HashTable {
 public:
  // At least one host.
  MaglevTable(const HashOptions& options, std::span<const HashedHost> hosts);
  std::size_t find(std::uint64_t hash, std::uint32_t attempt) const override;

 private:
  std::vector<std::uint32_t> table_;
};

}  // namespace outrider
