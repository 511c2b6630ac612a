#include "server/logging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/log_levels.h"

namespace outrider {
namespace {

static_assert(static_cast<int>(LogLevel::off) == static_cast<int>(spdlog::level::off));

// --- the additions to spdlog's pattern language --------------------------------------------------------------------

// %_: the message on one line. %j: the message as it stands between the quotes of a JSON string. %+: the message, for
// outrider's messages carry no tags; %*: their tags, so nothing.
struct OneLine final : spdlog::custom_flag_formatter {
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    for (char c : message.payload) {
      if (c == '\n')
        out.append(std::string_view("\\n"));
      else
        out.push_back(c);
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<OneLine>(); }
};

struct JsonText final : spdlog::custom_flag_formatter {
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    for (char c : message.payload) append(c, out);
  }
  static void append(char c, spdlog::memory_buf_t& out) {
    switch (c) {
      case '"':
        return out.append(std::string_view("\\\""));
      case '\\':
        return out.append(std::string_view("\\\\"));
      case '\n':
        return out.append(std::string_view("\\n"));
      case '\r':
        return out.append(std::string_view("\\r"));
      case '\t':
        return out.append(std::string_view("\\t"));
      default:
        break;
    }
    if (static_cast<unsigned char>(c) >= 0x20) return out.push_back(c);
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonText>(); }
};

struct Plain final : spdlog::custom_flag_formatter {
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    out.append(std::string_view(message.payload.data(), message.payload.size()));
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Plain>(); }
};

struct Nothing final : spdlog::custom_flag_formatter {
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t&) override {}
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Nothing>(); }
};

// outrider's messages carry no place in the source, so the part of Envoy's default that shows it is left out.
std::string without_place(std::string pattern) {
  constexpr std::string_view kPlace = "[%g:%#] ";
  for (std::size_t at; (at = pattern.find(kPlace)) != pattern.npos;) pattern.erase(at, kPlace.size());
  return pattern;
}

std::unique_ptr<spdlog::pattern_formatter> formatter(const std::string& pattern) {
  auto made = std::make_unique<spdlog::pattern_formatter>();
  made->add_flag<OneLine>('_').add_flag<JsonText>('j').add_flag<Plain>('+').add_flag<Nothing>('*').set_pattern(
      without_place(pattern));
  return made;
}

// A line as --log-format-escaped writes it; its line break at the end stays.
void append_escaped(std::string_view line, std::string& out) {
  bool broken = line.ends_with('\n');
  if (broken) line.remove_suffix(1);
  for (char c : line) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\'':
        out += "\\'";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        if (c >= 0x20 && c < 0x7f)
          out += c;
        else
          fmt::format_to(std::back_inserter(out), "\\{:03o}", static_cast<unsigned char>(c));
    }
  }
  if (broken) out += '\n';
}

// --- the queue and its thread ---------------------------------------------------------------------------------------

struct Entry {
  Logger logger;
  LogLevel level;
  spdlog::log_clock::time_point time;
  std::size_t thread_id;
  std::size_t end;  // where its text ends in Batch::text; it begins where that of the entry before ends
};

// Keeps its memory when cleared, so that logging allocates nothing in the long run.
struct Batch {
  std::vector<Entry> entries;
  std::string text;
};

class Log {
 public:
  Log(const LogOptions& options, int fd) : options_(options), fd_(fd), formatter_(formatter(options.format)) {
    // The thread inherits the mask: a signal of the process must find the thread that waits for it, never this one.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_setname_np(thread_.native_handle(), "log");
  }

  ~Log() {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
    if (fd_ != STDERR_FILENO) ::close(fd_);
  }

  void push(Logger logger, LogLevel level, std::string_view message) {
    auto time = spdlog::details::os::now();
    std::size_t thread_id = spdlog::details::os::thread_id();
    {
      std::lock_guard lock(mutex_);
      if (filling_.entries.size() >= options_.queue_max_messages ||
          filling_.text.size() + message.size() > options_.queue_max_bytes) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      filling_.text += message;
      filling_.entries.push_back({logger, level, time, thread_id, filling_.text.size()});
      pushed_++;
    }
    wake_.notify_one();
  }

  void flush() {
    std::unique_lock lock(mutex_);
    written_all_.wait(lock, [this, goal = pushed_] { return written_ >= goal; });
  }

  std::expected<void, std::string> reopen() {
    if (options_.path.empty()) return {};
    int fd = open(options_.path);
    if (fd < 0) return std::unexpected(fmt::format("cannot open {}: {}", options_.path, std::strerror(errno)));
    // dup2 swaps the file under the number that the thread writes to, between two of its writes.
    ::dup3(fd, fd_, O_CLOEXEC);
    ::close(fd);
    return {};
  }

  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  // -1 with errno. A named pipe that nobody reads is refused (ENXIO), not waited for.
  static int open(const std::string& path) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_APPEND);  // The thread may wait for a slow reader.
    return fd;
  }

 private:
  void run() {
    Batch batch;
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return ending_ || !filling_.entries.empty(); });
      if (filling_.entries.empty()) return;
      std::swap(batch, filling_);
      lock.unlock();
      write(batch);
      lock.lock();
      written_ += batch.entries.size();
      batch.entries.clear();
      batch.text.clear();
      written_all_.notify_all();
    }
  }

  void write(const Batch& batch) {
    out_.clear();
    std::size_t begin = 0;
    for (const Entry& entry : batch.entries) {
      append(entry, std::string_view(batch.text).substr(begin, entry.end - begin));
      begin = entry.end;
      if (out_.size() >= kWriteBytes) write_out();
    }
    if (std::uint64_t dropped = this->dropped(); dropped != reported_) {
      Entry note{Logger::main, LogLevel::warning, spdlog::details::os::now(), spdlog::details::os::thread_id(), 0};
      append(note, fmt::format("log queue full: {} messages dropped", dropped - std::exchange(reported_, dropped)));
    }
    write_out();
  }

  void append(const Entry& entry, std::string_view message) {
    std::string_view name = name_of(entry.logger);
    spdlog::details::log_msg line(entry.time, spdlog::source_loc{}, {name.data(), name.size()},
                                  static_cast<spdlog::level::level_enum>(entry.level),
                                  {message.data(), message.size()});
    line.thread_id = entry.thread_id;
    line_.clear();
    formatter_->format(line, line_);
    std::string_view text(line_.data(), line_.size());
    if (options_.escaped)
      append_escaped(text, out_);
    else
      out_ += text;
  }

  // A log that cannot be written (disk full, closed pipe) is lost; there is nowhere to say so.
  void write_out() {
    std::string_view rest = out_;
    while (!rest.empty()) {
      ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    out_.clear();
  }

  static constexpr std::size_t kWriteBytes = 64 << 10;

  const LogOptions options_;
  const int fd_;
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;  // guards the next block
  std::condition_variable wake_, written_all_;
  Batch filling_;
  std::uint64_t pushed_ = 0, written_ = 0;  // messages
  bool ending_ = false;

  // The thread's own.
  std::unique_ptr<spdlog::pattern_formatter> formatter_;
  spdlog::memory_buf_t line_;
  std::string out_;
  std::uint64_t reported_ = 0;
  std::thread thread_;
};

std::unique_ptr<Log> installed;

void push(Logger logger, LogLevel level, std::string_view message) { installed->push(logger, level, message); }

}  // namespace

LogOptions log_options(const Flags& flags) {
  return {.format = flags.log_format, .escaped = flags.log_format_escaped, .path = flags.log_path};
}

void set_log_levels(const Flags& flags) {
  set_log_levels(flags.log_level);
  for (const auto& [name, level] : flags.component_log_levels) {
    set_component_level(name, level);
  }
}

std::expected<void, std::string> install_logging(const LogOptions& options) {
  int fd = STDERR_FILENO;
  if (!options.path.empty()) {
    fd = Log::open(options.path);
    if (fd < 0) return std::unexpected(fmt::format("cannot open {}: {}", options.path, std::strerror(errno)));
  }
  uninstall_logging();
  installed = std::make_unique<Log>(options, fd);
  log_state::sink.store(push, std::memory_order_release);
  return {};
}

void flush_logging() {
  if (installed) installed->flush();
}

std::expected<void, std::string> reopen_log() {
  if (!installed) return {};
  return installed->reopen();
}

void uninstall_logging() {
  log_state::sink.store(nullptr, std::memory_order_release);
  installed.reset();
}

std::uint64_t log_messages_dropped() { return installed ? installed->dropped() : 0; }

}  // namespace outrider
