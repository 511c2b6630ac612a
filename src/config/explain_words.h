// The words in which a request's way is told: what a rule asks for, and what it changes.
#pragma once
#include <string>

#include "http/matcher.h"
#include "upstream/route_query.h"

namespace outrider::config {

// The first condition that the request does not meet, chance apart; empty: it meets all.
std::string unmet_condition(const RouteConditions& conditions, RouteQuery& query);
// "prefix '/api'"
std::string path_rule(const Route& route);
// "route 3 'name'"
std::string numbered(const Route& route, std::size_t index);
// What the backend sees of the request, such as "path '/a', host 'b'"; empty: nothing is rewritten.
std::string rewriting(const Route& route, const RequestHead& request);

}  // namespace outrider::config
