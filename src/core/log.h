// Logging as the lower layers see it: a level for each named logger and one sink.
#pragma once
#include <array>
#include <atomic>
#include <string_view>

namespace outrider {

enum class LogLevel : unsigned char { trace, debug, info, warning, error, critical, off };

// Envoy's logger names, as far as outrider has something to say under them.
enum class Logger : unsigned char {
  main,
  config,
  upstream,
  http,
  connection,
  admin,
  router,
  pool,
  dns,
  runtime,
  filter,
  lua,
  misc,
  count
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Logger::count)> kLoggerNames{
    "main", "config", "upstream", "http",   "connection", "admin", "router",
    "pool", "dns",    "runtime",  "filter", "lua",        "misc"};

using LogSink = void (*)(Logger, LogLevel, std::string_view message);

namespace log_state {
inline std::array<std::atomic<LogLevel>, static_cast<std::size_t>(Logger::count)> levels{
    LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info,
    LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info, LogLevel::info};
inline std::atomic<LogSink> sink{nullptr};
}  // namespace log_state

// Ask before a message is composed: a message that nobody reads costs one load.
inline bool log_enabled(Logger logger, LogLevel level) {
  return level >= log_state::levels[static_cast<std::size_t>(logger)].load(std::memory_order_relaxed);
}

// Never blocks. Thread-safe if the installed sink is.
inline void log(Logger logger, LogLevel level, std::string_view message) {
  if (!log_enabled(logger, level)) return;
  if (LogSink sink = log_state::sink.load(std::memory_order_acquire)) sink(logger, level, message);
}

}  // namespace outrider
