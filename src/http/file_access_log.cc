#include "http/file_access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/log.h"

namespace outrider {
namespace {

#define COUNTER(name) {#name, StatKind::counter},
#define GAUGE(name) {#name, StatKind::gauge},
constexpr StatDefinition kDefinitions[] = {OUTRIDER_FILE_STATS(COUNTER, GAUGE)};
#undef COUNTER
#undef GAUGE

constexpr std::chrono::milliseconds kStuckFileWait{1000};  // At the end, for a pipe whose reader is slow.

std::expected<int, std::string> open_file(const std::string& path) {
  int fd;
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    // Opening them by name fails where they are sockets.
    fd = fcntl(path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  } else {
    // Without waiting for a reader, if it is a named pipe.
    fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
  }
  if (fd < 0 && errno == ENXIO)
    return std::unexpected("cannot open '" + path + "' for writing: nobody reads this pipe");
  if (fd < 0) return std::unexpected("cannot open '" + path + "' for writing: " + std::strerror(errno));
  return fd;
}

// What of the bytes can be written without waiting; -1: none, see errno. A descriptor that came from outside may wait:
// it is asked first, and given no more than a pipe that says yes takes at once.
ssize_t write_now(int fd, bool waits, std::string_view bytes) {
  if (waits) {
    pollfd free{fd, POLLOUT, 0};
    if (poll(&free, 1, 0) == 0) {
      errno = EAGAIN;
      return -1;
    }
    bytes = bytes.substr(0, PIPE_BUF);
  }
  ssize_t n;
  do {
    n = ::write(fd, bytes.data(), bytes.size());
  } while (n < 0 && errno == EINTR);
  return n;
}

bool is_regular(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
}

void wake(int event_fd) {
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(event_fd, &one, sizeof one);
}

}  // namespace

const StatTable& file_stat_table() {
  static const StatTable table{kDefinitions, ""};
  return table;
}

// A chain of chunks that one worker fills and the writer empties; neither waits for the other.
class LogFile::Queue {
 public:
  Queue() = default;
  Queue(const Queue&) = delete;
  ~Queue() {
    Chunk* chunk = begun_ ? head_ : first_.load(std::memory_order_acquire);
    while (chunk) free_chunk(std::exchange(chunk, chunk->next.load(std::memory_order_acquire)));
  }

  // The worker's. Bytes queued before this line, or nullopt: it was dropped.
  std::optional<std::size_t> put(std::string_view line, std::size_t bytes_max) {
    std::uint64_t put = put_.load(std::memory_order_relaxed);
    auto queued = static_cast<std::size_t>(put - taken_.load(std::memory_order_acquire));
    if (queued + line.size() > bytes_max) return std::nullopt;
    if (!tail_ || tail_->size - filled_ < line.size()) add_chunk(line.size());
    std::memcpy(tail_->bytes() + filled_, line.data(), line.size());
    filled_ += line.size();
    tail_->filled.store(filled_, std::memory_order_release);
    put_.store(put + line.size(), std::memory_order_release);
    return queued;
  }
  StatBlock* stats = nullptr;  // The worker's.

  // The writer's: what is in one chunk; empty when all is taken. Valid until take().
  std::string_view peek() {
    if (!begun_) {
      head_ = first_.load(std::memory_order_acquire);
      if (!head_) return {};
      begun_ = true;
    }
    for (;;) {
      Chunk* next = head_->next.load(std::memory_order_acquire);
      std::size_t filled = head_->filled.load(std::memory_order_acquire);
      if (filled > at_) return {head_->bytes() + at_, filled - at_};
      if (!next) return {};
      free_chunk(std::exchange(head_, next));
      at_ = 0;
    }
  }
  std::size_t waiting() const {
    return static_cast<std::size_t>(put_.load(std::memory_order_acquire) - taken_.load(std::memory_order_relaxed));
  }
  void take(std::size_t bytes) {
    at_ += bytes;
    taken_.store(taken_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  }

 private:
  static constexpr std::size_t kChunkBytes = 64 * 1024;
  struct Chunk {
    std::atomic<Chunk*> next{nullptr};
    std::atomic<std::size_t> filled{0};
    std::size_t size;
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
  };
  void add_chunk(std::size_t bytes) {
    std::size_t size = std::max(bytes, kChunkBytes - sizeof(Chunk));
    auto* chunk = new (std::malloc(sizeof(Chunk) + size)) Chunk;
    chunk->size = size;
    (tail_ ? tail_->next : first_).store(chunk, std::memory_order_release);
    tail_ = chunk;
    filled_ = 0;
  }
  static void free_chunk(Chunk* chunk) {
    chunk->~Chunk();
    std::free(chunk);
  }

  // The worker's.
  Chunk* tail_ = nullptr;
  std::size_t filled_ = 0;
  // Each written by one side, read by the other.
  std::atomic<Chunk*> first_{nullptr};
  std::atomic<std::uint64_t> put_{0};
  std::atomic<std::uint64_t> taken_{0};
  // The writer's.
  Chunk* head_ = nullptr;
  std::size_t at_ = 0;
  bool begun_ = false;
};

LogFile::LogFile(LogFiles::Options options, int wake_fd, std::string path, int fd)
    : options_(std::move(options)), wake_fd_(wake_fd), path_(std::move(path)), fd_(fd) {
  bool given = path_ == "/dev/stdout" || path_ == "/dev/stderr";
  waits_ = given && !is_regular(fd_);
  for (int i = 0; i < options_.workers; i++) queues_.push_back(std::make_unique<Queue>());
}

LogFile::~LogFile() { close(fd_); }

void LogFile::write(int worker, std::string_view line) {
  Queue& queue = *queues_[static_cast<std::size_t>(worker)];
  if (options_.stats && !queue.stats) queue.stats = &options_.stats->local(worker);
  auto before = queue.put(line, options_.queue_bytes_max);
  if (queue.stats) {
    StatBlock& stats = *queue.stats;
    stats[before ? FileStat::write_buffered : FileStat::write_dropped].add();
    if (before) stats[FileStat::write_total_buffered].add(line.size());
  }
  if (!before) return;
  // At each multiple, not at the first alone: the writer may be on its way already, with fewer bytes in mind.
  if (*before / options_.flush_bytes != (*before + line.size()) / options_.flush_bytes) wake(wake_fd_);
}

// A queue is begun again where it was left, so that a line that was cut goes on before another one begins.
bool LogFile::drain() {
  for (std::size_t seen = 0; seen < queues_.size(); seen++) {
    if (!drain(*queues_[at_])) return false;
    at_ = (at_ + 1) % queues_.size();
  }
  return true;
}

bool LogFile::drain(Queue& queue) {
  for (std::size_t left = queue.waiting(); left > 0;) {  // No more than that: the others have their turn.
    std::string_view piece = queue.peek().substr(0, left);
    ssize_t n = write_now(fd_, waits_, piece);
    if (n < 0 && errno == EAGAIN) return false;
    std::size_t done = n < 0 ? piece.size() : static_cast<std::size_t>(n);
    took(queue, done, n >= 0);
    left -= done;
  }
  return true;
}

void LogFile::took(Queue& queue, std::size_t bytes, bool written) {
  queue.take(bytes);
  if (!options_.stats) return;
  StatBlock& stats = options_.stats->local(options_.writer_stats_index);
  stats[written ? FileStat::write_completed : FileStat::write_failed].add();
  stats[FileStat::write_total_buffered].sub(bytes);
}

bool LogFile::drain_patiently() {
  auto deadline = std::chrono::steady_clock::now() + kStuckFileWait;
  while (!drain()) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd stuck{fd_, POLLOUT, 0};
    if (left.count() <= 0 || poll(&stuck, 1, static_cast<int>(left.count())) <= 0) return false;
  }
  return true;
}

void LogFile::give_up() {
  if (drain_patiently()) return;
  for (auto& queue : queues_) {
    for (std::string_view piece = queue->peek(); !piece.empty(); piece = queue->peek()) {
      took(*queue, piece.size(), false);
    }
  }
}

bool LogFile::reopen() {
  if (path_ == "/dev/stdout" || path_ == "/dev/stderr") return true;
  auto fd = open_file(path_);
  if (!fd) {
    log(Logger::main, LogLevel::warning, "access log: " + fd.error() + "; the old file stays in use");
    return false;
  }
  close(std::exchange(fd_, *fd));
  waits_ = false;
  return true;
}

// The thread and what it shares with those who ask it for something.
struct LogFiles::Writer {
  explicit Writer(Options o) : options(std::move(o)), event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    // The thread inherits the mask: a signal of the process must find the thread that waits for it, never this one.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Writer() {
    ask([this] { stopping = true; });
    thread.join();
    close(event);
  }

  template <class F>
  void ask(F&& change) {
    {
      std::lock_guard lock(mutex);
      change();
    }
    wake(event);
  }

  void run() {
    auto next = std::chrono::steady_clock::now() + options.flush_interval;
    for (bool last = false; !last;) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
      std::vector<pollfd> wait{{event, POLLIN, 0}};
      for (int fd : stuck) wait.push_back({fd, POLLOUT, 0});
      auto limit = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT32_MAX));
      bool timer = poll(wait.data(), wait.size(), limit) == 0;
      if (timer) next = std::chrono::steady_clock::now() + options.flush_interval;
      std::uint64_t count;
      [[maybe_unused]] ssize_t n = read(event, &count, sizeof count);
      last = work(timer);
    }
    for (auto& file : files) file->give_up();
  }

  // One round; true if it was the last.
  bool work(bool timer) {
    std::vector<std::shared_ptr<LogFile>> now;
    std::uint64_t asked;
    bool reopening, last, patiently;
    {
      std::lock_guard lock(mutex);
      now = files;
      asked = flushes_asked;
      patiently = asked != flushes_done;
      reopening = std::exchange(reopen_asked, false);
      last = stopping;
    }
    stuck.clear();
    for (auto& file : now) {
      bool empty = patiently ? file->drain_patiently() : file->drain();
      if (reopening && !file->reopen() && options.stats) count(FileStat::reopen_failed);
      if (!empty) stuck.push_back(file->fd());
    }
    if (timer && !now.empty() && options.stats) count(FileStat::flushed_by_timer);
    now.clear();
    std::lock_guard lock(mutex);
    drop_unused();
    flushes_done = asked;
    done.notify_all();
    return last;
  }

  void count(FileStat stat) { options.stats->local(options.writer_stats_index)[stat].add(); }

  // Those that nobody but us holds: no further line can come.
  void drop_unused() {
    std::erase_if(files, [this](const std::shared_ptr<LogFile>& file) {
      if (file.use_count() > 1) return false;
      std::erase(stuck, file->fd());
      file->give_up();
      return true;
    });
  }

  const Options options;
  const int event;
  std::mutex mutex;
  std::condition_variable done;
  std::vector<std::shared_ptr<LogFile>> files;
  std::uint64_t flushes_asked = 0;
  std::uint64_t flushes_done = 0;
  bool reopen_asked = false;
  bool stopping = false;
  std::vector<int> stuck;  // The thread's: files that take nothing more for now.
  std::thread thread;
};

LogFiles::LogFiles(Options options) : writer_(std::make_unique<Writer>(std::move(options))) {}
LogFiles::~LogFiles() = default;

std::expected<std::shared_ptr<LogFile>, std::string> LogFiles::open(const std::string& path) {
  std::lock_guard lock(writer_->mutex);
  for (const auto& file : writer_->files) {
    if (file->path() == path) return file;
  }
  auto fd = open_file(writer_->options.touches_files ? path : "/dev/null");
  if (!fd) return std::unexpected(std::move(fd.error()));
  writer_->files.push_back(std::make_shared<LogFile>(writer_->options, writer_->event, path, *fd));
  return writer_->files.back();
}

void LogFiles::reopen() {
  writer_->ask([this] { writer_->reopen_asked = true; });
}

void LogFiles::flush() {
  std::uint64_t ticket = 0;
  writer_->ask([&] { ticket = ++writer_->flushes_asked; });
  std::unique_lock lock(writer_->mutex);
  writer_->done.wait(lock, [&] { return writer_->flushes_done >= ticket; });
}

void FileAccessLog::write(const Exchange& x) {
  static thread_local std::string line;  // Keeps its memory.
  line.clear();
  std::visit([&](const auto& format) { format.append(x, line); }, format_);
  file_->write(x.worker.index(), line);
}

}  // namespace outrider
