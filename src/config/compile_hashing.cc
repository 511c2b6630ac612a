// Consistent hashing: what a route makes the key of, and how a cluster spreads keys over its hosts.
#include "config/compile_hashing.h"

#include "config/route_scope.h"
#include "core/ascii.h"
#include "envoy/config/cluster/v3/cluster.pb.h"

namespace outrider::config {
namespace {

using Policy = envoy::config::route::v3::RouteAction::HashPolicy;
using ClusterProto = envoy::config::cluster::v3::Cluster;

bool is_prime(std::uint64_t number) {
  if (number < 4) return number > 1;
  for (std::uint64_t i = 2; i * i <= number; i++) {
    if (number % i == 0) return false;
  }
  return true;
}

void compile_header(Compilation& c, const Policy::Header& header, const std::string& path, HashMethod& to) {
  to.name = ascii_lower(header.header_name());
  if (!header.has_regex_rewrite()) return;
  to.regex = compile_rewrite(c, header.regex_rewrite(), path + ".regex_rewrite");
  to.substitution = header.regex_rewrite().substitution();
}

void compile_cookie(const Policy::Cookie& cookie, HashMethod& to) {
  to.kind = HashMethod::Kind::cookie;
  to.name = cookie.name();
  if (cookie.has_ttl()) to.ttl = std::chrono::seconds(cookie.ttl().seconds());
  to.path = cookie.path();
  for (const auto& each : cookie.attributes()) to.attributes.emplace_back(each.name(), each.value());
}

// Nothing: it has no effect.
std::optional<HashMethod> compile_method(Compilation& c, const Policy& policy, const std::string& path) {
  HashMethod method;
  method.terminal = policy.terminal();
  switch (policy.policy_specifier_case()) {
    case Policy::kHeader:
      compile_header(c, policy.header(), path + ".header", method);
      return method;
    case Policy::kCookie:
      compile_cookie(policy.cookie(), method);
      return method;
    case Policy::kConnectionProperties:
      if (!policy.connection_properties().source_ip()) return std::nullopt;
      method.kind = HashMethod::Kind::source_ip;
      return method;
    case Policy::kQueryParameter:
      method.kind = HashMethod::Kind::query_parameter;
      method.name = policy.query_parameter().name();
      return method;
    default:
      return std::nullopt;
  }
}

void read_ring(Compilation& c, const ClusterProto::RingHashLbConfig& config, const std::string& path, HashOptions& o) {
  if (config.has_minimum_ring_size()) o.ring_size_min = config.minimum_ring_size().value();
  if (config.has_maximum_ring_size()) o.ring_size_max = config.maximum_ring_size().value();
  if (o.ring_size_min > o.ring_size_max) {
    c.fail(path + ".ring_hash_lb_config", "minimum_ring_size (" + std::to_string(o.ring_size_min) +
                                              ") is above maximum_ring_size (" + std::to_string(o.ring_size_max) + ")");
  }
  if (config.hash_function() == ClusterProto::RingHashLbConfig::MURMUR_HASH_2) {
    o.function = HashFunction::murmur_hash_2;
  }
}

}  // namespace

std::shared_ptr<const HashPolicy> compile_hash_policy(Compilation& c,
                                                      const google::protobuf::RepeatedPtrField<Policy>& list,
                                                      const std::string& path) {
  auto policy = std::make_shared<HashPolicy>();
  for (int i = 0; i < list.size(); i++) {
    auto method = compile_method(c, list[i], path + "[" + std::to_string(i) + "]");
    if (method) policy->push_back(std::move(*method));
  }
  return policy->empty() ? nullptr : policy;
}

std::shared_ptr<const HashOptions> compile_hashing(Compilation& c, const ClusterProto& cluster,
                                                   const std::string& path) {
  const auto& hashing = cluster.common_lb_config().consistent_hashing_lb_config();
  if (hashing.use_hostname_for_hashing() && cluster.type() != ClusterProto::STRICT_DNS &&
      !c.loaded.lacks(path + ".type")) {
    c.fail(path + ".common_lb_config.consistent_hashing_lb_config.use_hostname_for_hashing",
           "only the hosts of a STRICT_DNS cluster are hashed by name");
  }
  bool ring = cluster.lb_policy() == ClusterProto::RING_HASH;
  if (!ring && cluster.lb_policy() != ClusterProto::MAGLEV) return nullptr;
  auto o = std::make_shared<HashOptions>();
  if (ring) {
    read_ring(c, cluster.ring_hash_lb_config(), path, *o);
  } else {
    o->kind = HashOptions::Kind::maglev;
    const auto& config = cluster.maglev_lb_config();
    if (config.has_table_size()) o->maglev_table_size = config.table_size().value();
    if (!is_prime(o->maglev_table_size)) {
      c.fail(path + ".maglev_lb_config.table_size", "a prime number was expected");
    }
  }
  o->by_hostname = hashing.use_hostname_for_hashing();
  if (hashing.has_hash_balance_factor()) o->balance_factor = hashing.hash_balance_factor().value();
  return o;
}

}  // namespace outrider::config
