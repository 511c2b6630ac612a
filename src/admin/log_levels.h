// Levels by name, as `--log-level` and `/logging` write them.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "core/log.h"

namespace outrider {

inline constexpr std::string_view kLevelNames[] = {"trace", "debug", "info", "warning", "error", "critical", "off"};

inline std::expected<LogLevel, std::string> parse_level(std::string_view name) {
  if (name == "warn") name = "warning";
  for (std::size_t i = 0; i < std::size(kLevelNames); i++) {
    if (kLevelNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::unexpected("unknown log level '" + std::string(name) + "'");
}

// An empty logger name means all. Says what is wrong, or nothing.
inline std::string set_level(std::string_view logger, std::string_view level) {
  auto parsed = parse_level(level);
  if (!parsed) return parsed.error();
  bool found = logger.empty();
  for (std::size_t i = 0; i < kLoggerNames.size(); i++) {
    if (!logger.empty() && kLoggerNames[i] != logger) continue;
    log_state::levels[i].store(*parsed, std::memory_order_relaxed);
    found = true;
  }
  return found ? std::string() : "unknown logger '" + std::string(logger) + "'";
}

}  // namespace outrider
