// The CORS filter's policy, for the fields that routes and virtual hosts had for it before filters had words of their
// own there.
#pragma once
#include "http/route_entry.h"
#include "proto/report.h"

namespace envoy::config::route::v3 {
class CorsPolicy;
}

namespace outrider::filters {

std::shared_ptr<const RouteFilterConfig> make_cors_policy(proto::Report& report,
                                                          const envoy::config::route::v3::CorsPolicy& policy,
                                                          const std::string& path);

}  // namespace outrider::filters
