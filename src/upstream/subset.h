// Subsets: hosts of a cluster that carry the metadata that a request wants. Envoy's document: "Load balancer subsets".
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "upstream/endpoint.h"

namespace outrider {

struct Forwarding;
struct HashChoice;
struct HashOptions;

struct SubsetOptions {
  enum class Fallback : std::uint8_t { not_defined, none, any_endpoint, default_subset, keys_subset };
  struct Selector {
    std::vector<std::string> keys;  // Sorted, each once.
    Fallback fallback = Fallback::not_defined;
    std::vector<std::string> fallback_keys;  // Of keys_subset: some of the keys.
  };

  Fallback fallback = Fallback::none;  // Not keys_subset.
  Value::Struct default_subset;
  std::vector<Selector> selectors;
  bool panic_mode_any = false;
  bool list_as_any = false;
};

// What a request wants of a host: names and values of its metadata under envoy.lb.
struct SubsetCriteria {
  explicit SubsetCriteria(Value::Struct wanted);
  Value::Struct wanted;
  std::string key;  // The same as text: equal for equal criteria.
};

// Those of one set of hosts. Immutable.
struct Subsets {
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Map = std::unordered_map<std::string, HostSetPtr, Hash, std::equal_to<>>;

  Map by_key;                 // None of them is empty.
  HostSetPtr default_subset;  // Null: nobody falls back to it.
};

std::shared_ptr<const Subsets> make_subsets(const SubsetOptions& options, const std::vector<EndpointPtr>& all,
                                            double panic_percent, const HashOptions* hash = nullptr);

// The host for a request to a cluster with subsets; null: there is none.
Endpoint* pick_from_subset(const Forwarding& f, const HashChoice& by);

}  // namespace outrider
