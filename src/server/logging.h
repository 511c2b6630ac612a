// The log of the process: what core/log.h hands over is queued, and one thread of its own formats and writes it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "server/flags.h"

namespace outrider {

struct LogOptions {
  std::string format{kLogFormatDefault};  // spdlog's pattern; see logging.cc for Envoy's additions
  bool escaped = false;                   // write control characters, quotes and backslashes of a line as C escapes
  std::string path;                       // appended to; empty: stderr
  std::size_t queue_max_messages = 8192;  // what does not fit is dropped and counted
  std::size_t queue_max_bytes = 1 << 20;  // text only
};

LogOptions log_options(const Flags& flags);
// --log-level, then --component-log-level.
void set_log_levels(const Flags& flags);

// Makes this process' log the sink of core/log.h. Call once, from the main thread, before other threads log.
// Whoever logs waits for no disk and no terminal: only for a moment of the queue's lock. A child process of fork()
// has no such thread and must not log. Fails, with the reason, if the file cannot be opened.
std::expected<void, std::string> install_logging(const LogOptions& options);

// Waits until everything logged so far is written.
void flush_logging();

// Closes the file of --log-path and opens it again (SIGUSR1, after a rotation). If that fails, it goes on with the old
// one.
std::expected<void, std::string> reopen_log();

// Writes what is queued and ends the thread; what is logged later is lost. No other thread may log meanwhile.
void uninstall_logging();

// Since install_logging: messages that found the queue full.
std::uint64_t log_messages_dropped();

}  // namespace outrider
