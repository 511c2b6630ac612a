// Access logs in files: workers queue lines, one thread of the process writes them.
#pragma once
#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/access_log.h"
#include "http/json_format.h"
#include "observe/counters.h"

namespace outrider {

// Under Envoy's names: filesystem.*; write_dropped is ours.
#define OUTRIDER_FILE_STATS(COUNTER, GAUGE) \
  COUNTER(write_buffered)                   \
  COUNTER(write_completed)                  \
  COUNTER(write_failed)                     \
  COUNTER(write_dropped)                    \
  COUNTER(flushed_by_timer)                 \
  COUNTER(reopen_failed)                    \
  GAUGE(write_total_buffered)

enum class FileStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_FILE_STATS(X, X)
#undef X
      count
};
const StatTable& file_stat_table();

class LogFile;

// All access log files of the process. Thread-safe.
class LogFiles {
 public:
  struct Options {
    int workers = 1;                                   // Their indices are 0 … workers - 1.
    std::chrono::milliseconds flush_interval{10'000};  // A line waits at most this long.
    std::size_t flush_bytes = 64 * 1024;               // So much in one worker's queue wakes the writer.
    std::size_t queue_bytes_max = 1024 * 1024;         // Of each worker and file; lines beyond are dropped, counted.
    std::shared_ptr<StatScope> stats;                  // Null: nothing is counted.
    bool touches_files = true;                         // False: what is opened is not there, and lines are lost.
    int writer_stats_index = 0;                        // Whose block the writing thread counts in: no worker's.
  };

  explicit LogFiles(Options options);
  LogFiles(const LogFiles&) = delete;
  ~LogFiles();  // Writes what is queued. No worker may write any more.

  // Opens for appending, creates if need be (mode 0644); the same path gives the same file as long as somebody holds
  // it. /dev/stdout and /dev/stderr are the process' own. The error names the path and the reason. The files object
  // outlives the file.
  std::expected<std::shared_ptr<LogFile>, std::string> open(const std::string& path);

  // Closes every file and opens its path again, after a rotation. If that fails, the old file stays in use, and a
  // counter counts. Does not wait.
  void reopen();
  // Waits until every line queued before the call is written, but a second at most for a pipe that nobody reads.
  void flush();

 private:
  struct Writer;
  std::unique_ptr<Writer> writer_;
};

// One file. write() is for the workers' threads, each with its index; lines of one worker keep their order.
class LogFile {
 public:
  // Takes the line whole, or drops it; never waits.
  void write(int worker, std::string_view line);

  // What follows is for LogFiles.
  LogFile(LogFiles::Options options, int wake_fd, std::string path, int fd);
  LogFile(const LogFile&) = delete;
  ~LogFile();
  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  // Writes what is queued and never waits; what the file refuses is lost, and counted. False: a pipe is full, the rest
  // stays.
  bool drain();
  bool drain_patiently();  // Waits a second for a full pipe.
  void give_up();          // That, and what is left is lost, and counted.
  bool reopen();

 private:
  class Queue;
  bool drain(Queue& queue);
  void took(Queue& queue, std::size_t bytes, bool written);

  const LogFiles::Options options_;
  const int wake_fd_;
  const std::string path_;
  int fd_;                                      // This and what follows is the writer's.
  bool waits_ = false;                          // Writing may wait: it is not ours alone.
  std::size_t at_ = 0;                          // The queue whose turn it is.
  std::vector<std::unique_ptr<Queue>> queues_;  // By worker.
};

class FileAccessLog final : public AccessLog {
 public:
  FileAccessLog(std::shared_ptr<LogFile> file, AnyFormat format) : file_(std::move(file)), format_(std::move(format)) {}
  void write(const Exchange& x) override;

 private:
  const std::shared_ptr<LogFile> file_;
  const AnyFormat format_;
};

}  // namespace outrider
