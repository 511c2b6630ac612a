#include "core/log_levels.h"

#include <algorithm>

namespace outrider {
namespace {

// clang-format off
constexpr std::string_view kComponents[] = {
    "a2a", "admin", "ai_protocol_manager", "alternate_protocols_cache", "assert", "aws", "backtrace", "basic_auth",
    "cache_filter", "client", "compression", "config", "conn_handler", "connection", "credential_injector",
    "decompression", "dns", "dubbo", "dynamic_modules", "envoy_bug", "ext_authz", "ext_proc", "file", "filter",
    "forward_proxy", "geolocation", "golang", "grpc", "happy_eyeballs", "hc", "health_checker", "http", "http2",
    "hystrix", "init", "io", "ip_tagging", "json_rpc", "jwt", "kafka", "key_value_store", "local_rate_limit", "lua",
    "main", "matcher", "mcp", "misc", "mongo", "multi_connection", "notification", "oauth2", "pool", "quic",
    "quic_stream", "rate_limit_quota", "rbac", "rds", "redis", "rocketmq", "router", "runtime", "secret", "sse",
    "stats", "stats_sinks", "tap", "testing", "thrift", "tracing", "udp", "upstream", "wasm", "websocket",
};
// clang-format on
static_assert(std::ranges::is_sorted(kComponents));

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  if (name == "warn") return LogLevel::warning;
  auto found = std::ranges::find(kLogLevelNames, name);
  if (found == kLogLevelNames.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLogLevelNames.begin());
}

std::optional<Logger> parse_logger(std::string_view name) {
  auto found = std::ranges::find(kLoggerNames, name);
  if (found == kLoggerNames.end()) return std::nullopt;
  return static_cast<Logger>(found - kLoggerNames.begin());
}

bool known_component(std::string_view name) {
  return std::ranges::binary_search(kComponents, name) || parse_logger(name).has_value();
}

void set_log_levels(LogLevel level) {
  for (auto& each : log_state::levels) each.store(level, std::memory_order_relaxed);
}

}  // namespace outrider
