// A ring of hashes, many of each host: a request goes to the host of the first one that is not below its own (ketama).
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "upstream/consistent_hash.h"

namespace outrider {

// MurmurHash2 of 64 bits with the seed of libstdc++'s std::hash.
std::uint64_t murmur_hash_2(std::string_view text);

class HashRing final : public HashTable {
 public:
  // At least one host.
  HashRing(const HashOptions& options, std::span<const HashedHost> hosts);
  std::size_t find(std::uint64_t hash, std::uint32_t attempt) const override;

 private:
  struct Point {
    std::uint64_t hash;
    std::uint32_t host;
  };
  std::vector<Point> points_;  // By hash.
};

}  // namespace outrider
