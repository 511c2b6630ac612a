#include "net/poll.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "core/leaf.h"
#include "net/loopback_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;

TEST(Poll, AnotherThreadWakesAWorkerThatWaitsForEver) {
  Loopback loopback;
  Signal woken;
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(20));
    loopback.worker.post([&] { woken.notify_all(); });
  });
  auto body = [](Signal& s) -> Task<> { co_await s.wait(); };
  EXPECT_TRUE(loopback.worker.run(body(woken)));
  other.join();
}

TEST(Poll, EveryPostOfManyThreadsRunsOnce) {
  Loopback loopback;
  struct State {
    Signal all;
    int count = 0;
  } state;
  constexpr int kThreads = 4, kEach = 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; j++) {
        loopback.worker.post([&] {
          if (++state.count == kThreads * kEach) state.all.notify_all();
        });
      }
    });
  }
  auto body = [](State& s) -> Task<> { co_await s.all.wait(); };
  EXPECT_TRUE(loopback.worker.run(body(state)));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(state.count, kThreads * kEach);
}

struct Counter final : EventTarget {
  int calls = 0;
  std::uint32_t last = 0;
  void on_events(std::uint32_t events) override {
    calls++;
    last = events;
  }
};

// What the reader of a full socket gets, whose writer has closed it with bytes left to send.
std::string read_after_close(EpollPoller& poller) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  Counter target;
  poller.watch(ends[0], target, EPOLLOUT | EPOLLET);
  while (send(ends[0], "..........", 10, 0) > 0) {
  }
  poller.close_after(ends[0], "last words");
  std::string text;
  char buffer[4096];
  for (ssize_t n = -1; n != 0; n = read(ends[1], buffer, sizeof buffer)) {
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
    poller.poll(Duration::zero());
  }
  close(ends[1]);
  return text;
}

TEST(Poll, AClosedSocketTakesWhatWasPromisedUnlessItsPeerReadsTooLate) {
  EpollPoller patient, impatient(Duration::zero());
  EXPECT_TRUE(read_after_close(patient).ends_with("last words"));
  EXPECT_TRUE(read_after_close(impatient).ends_with("....."));
}

TEST(Poll, AnEventThatWakesNobodyDoesNotEndTheWorker) {
  // No timer is armed, and the first event (the socket can be written to) finds nobody waiting.
  Loopback loopback;
  struct State {
    Signal done;
    Counter counter;
    int fds[2];
    Loopback* loopback;
  } state;
  state.loopback = &loopback;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, state.fds), 0);
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(20));
    loopback.worker.post([&] { state.done.notify_all(); });
  });
  auto body = [](State& s) -> Task<> {
    s.loopback->poller.watch(s.fds[0], s.counter, EPOLLIN | EPOLLOUT | EPOLLET);
    co_await s.done.wait();
  };
  EXPECT_TRUE(loopback.worker.run(body(state)));
  EXPECT_GE(state.counter.calls, 1);
  other.join();
  close(state.fds[0]);
  close(state.fds[1]);
}

TEST(Poll, EachChangeComesOnceAndTheTargetCanBeChanged) {
  EpollPoller poller;
  Counter first, second;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  poller.watch(fds[0], first, EPOLLIN | EPOLLRDHUP | EPOLLET);
  poller.poll(Duration::zero());
  EXPECT_EQ(first.calls, 0);
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  poller.poll(std::nullopt);
  poller.poll(Duration::zero());
  EXPECT_EQ(first.calls, 1);
  poller.rewatch(fds[0], second, EPOLLIN | EPOLLRDHUP | EPOLLET);
  close(fds[1]);
  poller.poll(std::nullopt);
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
  EXPECT_TRUE(second.last & EPOLLRDHUP);
  poller.unwatch(fds[0]);
  poller.poll(Duration::zero());
  EXPECT_EQ(second.calls, 1);
  close(fds[0]);
}

TEST(Poll, AWakeBeforeThePollIsKept) {
  EpollPoller poller;
  poller.wake();
  poller.wake();
  poller.poll(std::nullopt);  // Returns.
}

TEST(Poll, MoreEventsThanOneBatchAllArrive) {
  EpollPoller poller;
  constexpr int kPairs = EpollPoller::kEventsMax + 20;
  std::vector<Counter> counters(kPairs);
  std::vector<int> fds;
  for (Counter& counter : counters) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    fds.insert(fds.end(), {pair[0], pair[1]});
    poller.watch(pair[0], counter, EPOLLOUT | EPOLLET);
  }
  poller.poll(Duration::zero());
  poller.poll(Duration::zero());
  for (const Counter& counter : counters) EXPECT_EQ(counter.calls, 1);
  for (int fd : fds) close(fd);
}

}  // namespace
}  // namespace outrider
