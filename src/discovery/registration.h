// The answer of Envoy v1's service of discovery (SDS) to GET /v1/registration/<service>.
#pragma once
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "upstream/cluster.h"

namespace outrider {

// {"hosts": [{"ip_address": "10.0.0.1", "port": 80, "tags": {"az": "a", "canary": true, "load_balancing_weight": 2}}]};
// tags may be missing, other keys are not looked at. A host that stands twice is taken once. `name` is what problems
// call the text. On failure all that is wrong, by line and column.
std::expected<std::vector<ConfiguredHost>, std::vector<config::Problem>> read_registration(std::string_view name,
                                                                                           std::string_view text);

// The hosts of each service, as a file has them: {"users": [{"ip_address": ..., "port": ...}], ...}.
using Registry = std::map<std::string, std::vector<ConfiguredHost>, std::less<>>;
std::expected<Registry, std::vector<config::Problem>> read_registry(std::string_view name, std::string_view text);

// An entry of `hosts` alone.
std::expected<ConfiguredHost, std::vector<config::Problem>> read_registered_host(std::string_view name,
                                                                                 std::string_view text);

// The answer itself.
void append_registration(std::string_view service, const std::vector<ConfiguredHost>& hosts, std::string& out);

inline constexpr std::uint32_t kRegisteredWeightMax = 100;

}  // namespace outrider
