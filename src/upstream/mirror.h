// Mirrors: copies of requests for other clusters, whose answers nobody waits for. Envoy's document: "Traffic
// mirroring".
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/runtime.h"

namespace outrider {

struct Forwarding;

struct MirrorPolicy {
  std::string cluster;
  std::string cluster_header;               // The field that names it, where `cluster` is empty; lower case.
  std::optional<RuntimeFraction> fraction;  // Of all requests; none: all.
  bool keeps_host = false;                  // Else "-shadow" is added to the name of the host.
  std::optional<bool> sampled;              // Whether its trace is one that is reported; none: as the request's.
};

using MirrorPolicies = std::vector<MirrorPolicy>;

// Sends copies of the request where the route's policies want them, each when the whole request is here. A body that is
// longer than what may be kept of one is not mirrored.
void mirror(Forwarding& f);

}  // namespace outrider
