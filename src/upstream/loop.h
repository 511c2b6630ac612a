// Loops: a request that comes back to the route that has sent it on. Each route leaves its mark in the field
// `cdn-loop`, as RFC 8586 has it for content delivery networks, and answers 508 where it finds the mark again.
#pragma once
#include "upstream/route.h"

namespace outrider {

// A request that this process has sent on so often, by whatever routes, goes round too: one whose path grows each time.
inline constexpr int kOwnHopsMax = 16;

// Leaves the mark of this process, route and request target. False: it is there already, or kOwnHopsMax are.
bool mark_hop(Exchange& x, const Route& route);
// The same for a call that is made for `cause`: its marks, and that of the cluster that is called and the target.
bool mark_call(RequestHead& call, const RequestHead& cause, const Cluster& cluster);

}  // namespace outrider
