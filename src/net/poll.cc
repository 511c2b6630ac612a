#include "net/poll.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace outrider {

EpollPoller::EpollPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
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
