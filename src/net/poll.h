// The real event source: epoll. A socket is registered once, edge-triggered, for its whole life.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <cstdint>

#include "core/worker.h"

namespace outrider {

// Something with a file descriptor. Must not be destroyed inside on_events().
class EventTarget {
 public:
  virtual void on_events(std::uint32_t epoll_events) = 0;

 protected:
  ~EventTarget() = default;
};

class EpollPoller final : public Poller {
 public:
  static constexpr int kEventsMax = 256;  // Taken from the kernel at once.

  EpollPoller();
  EpollPoller(const EpollPoller&) = delete;
  ~EpollPoller() override;

  void poll(std::optional<Duration> timeout) override;
  void wake() override;

  // Closing the descriptor ends the watch. The target outlives it.
  void watch(int fd, EventTarget& target, std::uint32_t events);
  void rewatch(int fd, EventTarget& target, std::uint32_t events);
  void unwatch(int fd);

 private:
  int epoll_;
  int wake_;
  std::array<epoll_event, kEventsMax> events_;
};

}  // namespace outrider
