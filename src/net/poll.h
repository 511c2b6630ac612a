// The real event source: epoll. A socket is registered once, edge-triggered, for its whole life.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/worker.h"
#include "net/outbox.h"

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

  // How long a socket waits for a peer that does not read what was promised to be sent (close_after). Looked at
  // whenever the loop turns.
  static constexpr Duration kLingerMax = std::chrono::seconds(60);

  explicit EpollPoller(Duration linger_max = kLingerMax);
  EpollPoller(const EpollPoller&) = delete;
  ~EpollPoller() override;

  void poll(std::optional<Duration> timeout) override;
  void wake() override;

  // Closing the descriptor ends the watch. The target outlives it.
  void watch(int fd, EventTarget& target, std::uint32_t events);
  void rewatch(int fd, EventTarget& target, std::uint32_t events);
  void unwatch(int fd);

  Outbox& outbox() { return outbox_; }
  // Closes the watched socket when it has taken these bytes, which were promised to be sent.
  void close_after(int fd, std::string unsent);

 private:
  class Lingering;
  void end_lingering();
  static constexpr std::size_t kLingeringMax = 1024;  // More are closed at once, their bytes lost.

  int epoll_;
  int wake_;
  const Duration linger_max_;
  std::array<epoll_event, kEventsMax> events_;
  Outbox outbox_;
  std::vector<std::unique_ptr<Lingering>> lingering_;
};

}  // namespace outrider
