// The hosts of an ORIGINAL_DST cluster: each request says which one it wants.
#pragma once
#include "http/exchange.h"
#include "upstream/pool.h"

namespace outrider {

// What the field of the cluster's original_dst_lb_config names, else where the client's connection was going before the
// kernel led it here. Null: neither is known.
Endpoint* original_host(const Exchange& x, WorkerCluster& cluster);

}  // namespace outrider
