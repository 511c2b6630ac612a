// Consistent hashing: the same key leads to the same host for as long as it is there, and to the same one as in Envoy.
// Envoy's document: "Supported load balancers", ring hash and maglev.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "upstream/endpoint.h"

namespace outrider {

enum class HashFunction : std::uint8_t { xx_hash, murmur_hash_2 };

struct HashOptions {
  enum class Kind : std::uint8_t { ring, maglev };
  Kind kind = Kind::ring;
  HashFunction function = HashFunction::xx_hash;  // Of a ring; maglev knows xxHash only.
  std::uint64_t ring_size_min = 1024;
  std::uint64_t ring_size_max = 8 * 1024 * 1024;
  std::uint64_t maglev_table_size = 65537;  // A prime.
  bool by_hostname = false;                 // A host's key is its name, not its address.
  // In percent of the average: a host with more requests in flight than that is passed over. 0: no limit.
  std::uint32_t balance_factor = 0;
};

// What a host's hashes are made of: metadata of envoy.lb, `hash_key`, else its address or name.
std::string hash_key_of(const Endpoint& host, bool by_hostname);

struct HashedHost {
  Endpoint* host;
  double weight;  // Its part of the weights of all, which are 1 together.
};

// How many places of a table lead to a host. All zero: there are none.
struct PlacesPerHost {
  std::uint64_t size = 0, min = 0, max = 0;
};

// From the hash of a request to one of some hosts, by its index.
class HashTable {
 public:
  virtual ~HashTable() = default;
  // `attempt`: how many choices for the same request have been declined. The table is not empty.
  virtual std::size_t find(std::uint64_t hash, std::uint32_t attempt) const = 0;
  PlacesPerHost places;
};

// Of the hosts of one priority.
class HashedHosts {
 public:
  HashedHosts(const HashOptions& options, std::span<Endpoint* const> hosts);
  // Null: there is no host. `active`: requests in flight to all hosts of the cluster.
  Endpoint* pick(std::uint64_t hash, std::uint32_t attempt, std::uint64_t active) const;
  PlacesPerHost places() const { return table_ ? table_->places : PlacesPerHost{}; }

 private:
  double load(const HashedHost& host, std::uint64_t active) const;
  Endpoint* pick_less_loaded(std::uint64_t hash, std::size_t full, std::uint64_t active) const;

  std::uint32_t balance_factor_;
  std::vector<HashedHost> hosts_;
  std::unique_ptr<HashTable> table_;  // Null: there are no hosts.
};

// Of a set of hosts. Immutable.
struct ConsistentHash {
  struct Load {
    std::uint32_t percent;
    std::uint32_t priority;
  };
  std::vector<Load> loads;  // Together 100 percent.
  std::vector<HashedHosts> by_priority;

  std::uint32_t priority_of(std::uint64_t hash) const;
  PlacesPerHost places() const;  // Of the last priority that has hosts.
};

}  // namespace outrider
