#include "net/poll.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace outrider {

// A socket whose owner has gone while the peer did not read.
class EpollPoller::Lingering final : public EventTarget {
 public:
  Lingering(int fd, std::string unsent, TimePoint until) : fd_(fd), unsent_(std::move(unsent)), until_(until) {}
  ~Lingering() { close(fd_); }
  bool done() const { return unsent_.empty(); }
  bool over(TimePoint now) const { return done() || now >= until_; }
  void on_events(std::uint32_t) override {
    while (!done()) {
      ssize_t n = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      unsent_.erase(0, n < 0 ? unsent_.size() : static_cast<std::size_t>(n));
    }
  }

 private:
  const int fd_;
  std::string unsent_;
  const TimePoint until_;
};

void EpollPoller::close_after(int fd, std::string unsent) {
  auto lingering = std::make_unique<Lingering>(fd, std::move(unsent), std::chrono::steady_clock::now() + linger_max_);
  if (lingering_.size() == kLingeringMax) return;
  rewatch(fd, *lingering, EPOLLOUT | EPOLLET);  // Told at once if there is room again.
  lingering_.push_back(std::move(lingering));
}

void EpollPoller::end_lingering() {
  TimePoint now = std::chrono::steady_clock::now();
  std::erase_if(lingering_, [now](auto& l) { return l->over(now); });
}

EpollPoller::EpollPoller(Duration linger_max)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), linger_max_(linger_max) {
  if (epoll_ < 0 || wake_ < 0) {
    std::perror("epoll");
    std::abort();
  }
  epoll_event event{};
  event.events = EPOLLIN;  // Level-triggered, and marked by a null target.
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
}

EpollPoller::~EpollPoller() {
  close(wake_);
  close(epoll_);
}

void EpollPoller::poll(std::optional<Duration> timeout) {
  int timeout_ms = -1;
  if (timeout) {
    // Rounded up: waking before the deadline would spin.
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
    timeout_ms = static_cast<int>(ms < 1'000'000 ? ms : 1'000'000);
  }
  outbox_.flush();
  if (!lingering_.empty()) end_lingering();
  int n = epoll_wait(epoll_, events_.data(), kEventsMax, timeout_ms);
  for (int i = 0; i < n; i++) {
    epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (auto* target = static_cast<EventTarget*>(event.data.ptr)) {
      target->on_events(event.events);
    } else {
      std::uint64_t count;
      [[maybe_unused]] ssize_t r = read(wake_, &count, sizeof count);
    }
  }
}

void EpollPoller::wake() {
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t r = write(wake_, &one, sizeof one);
}

void EpollPoller::watch(int fd, EventTarget& target, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    std::perror("epoll_ctl");  // Only ENOMEM or a limit of watches: nothing can work then.
    std::abort();
  }
}

void EpollPoller::rewatch(int fd, EventTarget& target, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void EpollPoller::unwatch(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

}  // namespace outrider
