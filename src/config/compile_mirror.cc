#include "config/route_scope.h"
#include "core/ascii.h"

namespace outrider::config {

std::shared_ptr<const MirrorPolicies> compile_mirrors(
    Compilation& c,
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction::RequestMirrorPolicy>& protos,
    const std::string& path, const RouteScope& wider) {
  if (protos.empty()) return wider.mirrors;
  auto policies = std::make_shared<MirrorPolicies>();
  for (int i = 0; i < protos.size(); i++) {
    const auto& proto = protos[i];
    std::string at = path + "[" + std::to_string(i) + "]";
    MirrorPolicy policy;
    policy.cluster = proto.cluster();
    policy.cluster_header = ascii_lower(proto.cluster_header());
    policy.keeps_host = proto.disable_shadow_host_suffix_append();
    if (proto.has_runtime_fraction()) policy.fraction = proto::to_runtime(proto.runtime_fraction());
    if (proto.has_trace_sampled()) policy.sampled = proto.trace_sampled().value();
    if (policy.cluster.empty() == policy.cluster_header.empty()) {
      c.fail(at, "one of cluster and cluster_header is needed");
    } else if (!policy.cluster.empty() && wider.validate_clusters) {
      check_cluster(c, policy.cluster, at + ".cluster");
    }
    policies->push_back(std::move(policy));
  }
  return policies;
}

}  // namespace outrider::config
