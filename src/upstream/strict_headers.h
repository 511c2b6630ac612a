// The router's strict_check_headers: fields of Envoy's own that must not come with a value that means nothing.
#pragma once
#include <optional>
#include <vector>

#include "http/exchange.h"

namespace outrider {

// The refusal of a request that has one of these fields with such a value; nothing: it has none.
std::optional<Response> check_strictly(Exchange& x, const std::vector<Known>& names);

}  // namespace outrider
