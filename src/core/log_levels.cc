#include "core/log_levels.h"

#include <algorithm>
#include <array>
#include <atomic>

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

// Of the components under which nothing is said, so that a level that was set can be shown.
constinit std::array<std::atomic<LogLevel>, std::size(kComponents)> silent_levels{};  // trace until they are set.

std::atomic<LogLevel>* silent_level(std::string_view name) {
  const auto* found = std::ranges::lower_bound(kComponents, name);
  bool known = found != std::end(kComponents) && *found == name;
  return known ? &silent_levels[static_cast<std::size_t>(found - kComponents)] : nullptr;
}

}  // namespace

std::span<const std::string_view> component_names() { return kComponents; }

LogLevel component_level(std::string_view name) {
  if (auto logger = parse_logger(name)) return log_level(*logger);
  const std::atomic<LogLevel>* silent = silent_level(name);
  return silent ? silent->load(std::memory_order_relaxed) : LogLevel::info;
}

void set_component_level(std::string_view name, LogLevel level) {
  if (auto logger = parse_logger(name)) return set_log_level(*logger, level);
  if (std::atomic<LogLevel>* silent = silent_level(name)) silent->store(level, std::memory_order_relaxed);
}

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
  for (auto& each : silent_levels) each.store(level, std::memory_order_relaxed);
}

}  // namespace outrider
