#include "server/symlink_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/log.h"

namespace outrider {

SymlinkWatch::SymlinkWatch(EpollPoller& poller, std::function<void()> moved)
    : poller_(poller), moved_(std::move(moved)) {}

SymlinkWatch::~SymlinkWatch() { watch({}); }

void SymlinkWatch::watch(const std::vector<std::string>& paths) {
  if (fd_ >= 0) {
    poller_.unwatch(fd_);
    close(fd_);
  }
  fd_ = -1;
  watched_.clear();
  if (paths.empty()) return;
  fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd_ < 0) return log(Logger::runtime, LogLevel::warning, "files of the runtime are not watched: no inotify");
  for (const std::string& path : paths) {
    std::filesystem::path at(path);
    std::string directory = at.parent_path().empty() ? "." : at.parent_path().string();
    int watch = inotify_add_watch(fd_, directory.c_str(), IN_MOVED_TO);
    if (watch >= 0) {
      watched_.emplace_back(watch, at.filename().string());
    } else {
      log(Logger::runtime, LogLevel::warning, "'" + path + "' is not watched: " + std::strerror(errno));
    }
  }
  poller_.watch(fd_, *this, EPOLLIN);
}

void SymlinkWatch::on_events(std::uint32_t) {
  alignas(inotify_event) char buffer[4096];
  bool moved = false;
  for (ssize_t size; (size = read(fd_, buffer, sizeof buffer)) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      moved |= event->len > 0 && std::ranges::count(watched_, std::pair(event->wd, std::string(event->name))) > 0;
    }
  }
  if (moved) moved_();
}

}  // namespace outrider
