// From the hosts of a cluster to those that requests go to: priorities, health and weights, as Envoy's load balancers
// take them ("Priority levels", "Degraded endpoints" and "Panic threshold" of its architecture overview).
#pragma once
#include <vector>

#include "upstream/endpoint.h"

namespace outrider {

// A priority is as good as full while healthy / all * this is 100 % or more; what it lacks goes to the next one.
inline constexpr std::uint32_t kOverprovisioningPercent = 140;
// Where all priorities together do not reach 100 %, one with fewer usable hosts than this takes all of its hosts.
inline constexpr double kPanicPercent = 50;

struct HashOptions;

// `hash`: how hosts are found by hashes; null: they are not.
std::shared_ptr<HostSet> make_host_set(std::vector<EndpointPtr> all, double panic_percent = kPanicPercent,
                                       const HashOptions* hash = nullptr);

}  // namespace outrider
