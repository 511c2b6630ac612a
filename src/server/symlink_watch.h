// Tells when something is moved over one of several paths, as `mv -T new current` moves a symbolic link.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "net/poll.h"

namespace outrider {

class SymlinkWatch final : public EventTarget {
 public:
  // The poller outlives this.
  SymlinkWatch(EpollPoller& poller, std::function<void()> moved);
  SymlinkWatch(const SymlinkWatch&) = delete;
  ~SymlinkWatch();

  // Watches these instead of those before. A directory that does not exist is not watched.
  void watch(const std::vector<std::string>& paths);
  void on_events(std::uint32_t) override;

 private:
  EpollPoller& poller_;
  const std::function<void()> moved_;
  int fd_ = -1;
  std::vector<std::pair<int, std::string>> watched_;  // Of each path its directory's descriptor, and its last name.
};

}  // namespace outrider
