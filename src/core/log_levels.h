// The levels of the loggers by name, as the command line and the admin's /logging speak of them.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "core/log.h"

namespace outrider {

inline constexpr std::array<std::string_view, 7> kLogLevelNames{"trace", "debug",    "info", "warning",
                                                                "error", "critical", "off"};

constexpr std::string_view name_of(LogLevel level) { return kLogLevelNames[static_cast<std::size_t>(level)]; }
constexpr std::string_view name_of(Logger logger) { return kLoggerNames[static_cast<std::size_t>(logger)]; }

// Lower-case names only, as Envoy; `warn` is `warning`.
std::optional<LogLevel> parse_log_level(std::string_view name);

// A logger of outrider's own; Envoy's other names (see known_component) have none.
std::optional<Logger> parse_logger(std::string_view name);

// Whether Envoy 1.40 has a logger of that name. Its level may be set even if outrider says nothing under it.
bool known_component(std::string_view name);

// Those names, sorted, with outrider's own among them.
std::span<const std::string_view> component_names();
// At any time, from any thread, after set_log_levels(); of an unknown name, info and nothing.
LogLevel component_level(std::string_view name);
void set_component_level(std::string_view name, LogLevel level);

inline LogLevel log_level(Logger logger) {
  return log_state::levels[static_cast<std::size_t>(logger)].load(std::memory_order_relaxed);
}

// At any time, from any thread.
inline void set_log_level(Logger logger, LogLevel level) {
  log_state::levels[static_cast<std::size_t>(logger)].store(level, std::memory_order_relaxed);
}
void set_log_levels(LogLevel level);

}  // namespace outrider
