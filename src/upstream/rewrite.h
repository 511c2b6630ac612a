// What a route changes in a request, and the answers that it gives itself.
#pragma once
#include "http/exchange.h"
#include "upstream/route.h"

namespace outrider {

// Path and host as the route wants them upstream. `envoy_headers`: x-envoy-original-path and -host tell of it.
void rewrite_request(Exchange& x, const Route& route, bool envoy_headers);
void rewrite_host(Exchange& x, const HostRewrite& rewrite, std::string_view host, bool envoy_headers);
// "http://host/path?query" as the client asked for it.
std::string url_of(const Exchange& x);
// From here on the request has the path that the redirect leads to, if it changes a part of it; logs show it.
Response redirect(Exchange& x, const Route& route, bool envoy_headers);
// Where it leads: the `location` of the answer.
std::string redirect_location(const RequestHead& request, const Route& route);
// What the backend sees for this path, where no format decides; empty: the path itself.
std::string rewritten_path(const Route& route, std::string_view path);
// Whether an Upgrade request may pass: the route's word, else the connection manager's.
bool upgrade_allowed(const Exchange& x, const Route& route);

}  // namespace outrider
