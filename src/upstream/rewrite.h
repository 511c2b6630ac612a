// What a route changes in a request, and the answers that it gives itself.
#pragma once
#include "http/exchange.h"
#include "upstream/route.h"

namespace outrider {

// Path and host as the route wants them upstream.
void rewrite_request(Exchange& x, const Route& route, bool envoy_headers);
Response redirect(Exchange& x, const Route& route);
// Whether an Upgrade request may pass: the route's word, else the connection manager's.
bool upgrade_allowed(const Exchange& x, const Route& route);

}  // namespace outrider
