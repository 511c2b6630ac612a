// Consistent hashing; private to compile*.cc.
#pragma once
#include <memory>

#include "config/compile_parts.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "upstream/consistent_hash.h"
#include "upstream/hash_policy.h"

namespace outrider::config {

// Null: there is none, or none that has an effect.
std::shared_ptr<const HashPolicy> compile_hash_policy(
    Compilation& c, const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction::HashPolicy>& list,
    const std::string& path);
// Null: the cluster's policy is another one.
std::shared_ptr<const HashOptions> compile_hashing(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster,
                                                   const std::string& path);

}  // namespace outrider::config
