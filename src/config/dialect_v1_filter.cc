// The keys of v1 of filters, as rules on the v3 messages that took their place.

#include <fmt/format.h>

#include "config/rules.h"
#include "config/scalar.h"

namespace outrider::config {
namespace {

constexpr std::string_view kRateLimitFilter = "envoy.extensions.filters.http.ratelimit.v3.RateLimit";
constexpr std::string_view kNetworkRateLimit = "envoy.extensions.filters.network.ratelimit.v3.RateLimit";
constexpr std::string_view kMongoProxy = "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy";
constexpr std::string_view kCidrRange = "envoy.config.core.v3.CidrRange";

// A list of {key, value} stood for a descriptor.
void descriptors(Upgrade& upgrade, Node& filter, Node& value, const Path&) {
  Node* list = upgrade.tree.set_sequence(filter, "descriptors", value.key_mark());
  for_each(upgrade, value, [&](Node& one) {
    if (!one.is_sequence()) return upgrade.tree.append(*list, one);
    Node* descriptor = upgrade.tree.make(Kind::mapping, one.value_mark());
    upgrade.tree.set(*descriptor, "entries", one);
    upgrade.tree.append(*list, *descriptor);
  });
}

// {fixed_delay: {percent, duration_ms}} → a delay.
void mongo_fault(Upgrade& upgrade, Node& filter, Node& value, const Path& path) {
  Node* delay = upgrade.tree.take(value, "fixed_delay");
  Node* percent = delay == nullptr ? nullptr : upgrade.tree.take(*delay, "percent");
  Node* duration = delay == nullptr ? nullptr : upgrade.tree.take(*delay, "duration_ms");
  if (percent == nullptr || duration == nullptr) {
    return upgrade.error(value.mark(), path.field("fault"),
                         "`fixed_delay` with `percent` and `duration_ms` was expected");
  }
  put(upgrade, filter, {"delay", "percentage", "numerator"}, *percent);
  if (to_duration(upgrade, *duration, path)) put(upgrade, filter, {"delay", "fixed_delay"}, *duration);
}

void redis_cluster(Upgrade& upgrade, Node& filter, Node& value, const Path&) {
  put(upgrade, filter, {"prefix_routes", "catch_all_route", "cluster"}, value);
}

void redis_pool(Upgrade& upgrade, Node& filter, Node& value, const Path&) {
  upgrade.tree.set(filter, "settings", value);
}

// {abort_percent, http_status}; {type: fixed, fixed_delay_percent, fixed_duration_ms}.
void fixed_duration(Upgrade& upgrade, Node& delay, Node& value, const Path& path) {
  if (to_duration(upgrade, value, path)) upgrade.tree.set(delay, "fixed_delay", value);
}

// "10.0.0.0/8" → {address_prefix, prefix_len}.
void cidr(Upgrade& upgrade, Node& node, Node&, const Path& path) {
  const std::string_view text = node.text;
  const size_t slash = text.rfind('/');
  uint64_t length = text.find(':') == std::string_view::npos ? 32 : 128;
  if (slash != std::string_view::npos && !to_unsigned(text.substr(slash + 1), length)) {
    upgrade.error(node.mark(), path, fmt::format("`{}` is no range of addresses", text), "such as 10.0.0.0/8");
  }
  const Mark mark = node.value_mark();
  node.kind = Kind::mapping;
  upgrade.tree.set_scalar(node, "address_prefix", text.substr(0, slash), false, mark);
  upgrade.tree.set_scalar(node, "prefix_len", fmt::format("{}", length), true, mark);
}

constexpr Rule kRules[] = {
    {kTcpProxyMessage, "route_config", tcp_routes},
    {kNetworkRateLimit, "timeout_ms", milliseconds},
    {kNetworkRateLimit, "descriptors", descriptors},
    {kMongoProxy, "fault", mongo_fault},
    {kRedisProxyMessage, "cluster_name", redis_cluster},
    {kRedisProxyMessage, "conn_pool", redis_pool},
    {"envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.ConnPoolSettings", "op_timeout_ms", milliseconds},
    {kCidrRange, "", cidr},

    {kBufferMessage, "max_request_time_s", max_request_time},
    {kHealthCheckFilterMessage, "endpoint", health_check_endpoint},
    {kHealthCheckFilterMessage, "cache_time_ms", milliseconds},
    {kRateLimitFilter, "timeout_ms", milliseconds},
    {kFaultAbortMessage, "abort_percent", percentage},
    {kFaultDelayMessage, "fixed_delay_percent", percentage},
    {kFaultDelayMessage, "fixed_duration_ms", fixed_duration},
};

}  // namespace

std::span<const Rule> v1_filter_rules() { return kRules; }

}  // namespace outrider::config
