#include "server/watchdog.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

using std::chrono::milliseconds;

TEST(WatchedThread, IsStuckAsLongAsItsTurnLasts) {
  EpollPoller poller;
  WatchedPoller turns(poller);
  WatchedThread thread(turns);
  TimePoint begin{std::chrono::hours(1)};
  EXPECT_EQ(thread.stuck_for(begin), Duration::zero());
  EXPECT_EQ(thread.stuck_for(begin + milliseconds(5)), milliseconds(5));
  EXPECT_EQ(thread.stuck_for(begin + milliseconds(9)), milliseconds(9));
  turns.poll(Duration::zero());
  EXPECT_EQ(thread.stuck_for(begin + milliseconds(20)), Duration::zero());
  EXPECT_EQ(thread.stuck_for(begin + milliseconds(21)), milliseconds(1));
}

TEST(WatchedThread, IsNotStuckWhileItWaitsForEvents) {
  EpollPoller poller;
  WatchedPoller turns(poller);
  std::thread waiting([&] { turns.poll(std::nullopt); });
  while (turns.turn() % 2 == 0) std::this_thread::yield();
  WatchedThread thread(turns);
  TimePoint begin{std::chrono::hours(1)};
  EXPECT_EQ(thread.stuck_for(begin), Duration::zero());
  EXPECT_EQ(thread.stuck_for(begin + std::chrono::hours(1)), Duration::zero());
  turns.wake();
  waiting.join();
}

constexpr std::size_t kMegaMiss = 0, kMiss = 1;

std::uint64_t count_of(StatRegistry& stats, std::string_view scope, std::size_t index) {
  for (const auto& each : stats.all()) {
    if (each->name() == scope) return each->value(index);
  }
  return 0;
}

TEST(Watchdog, CountsOnceForATurnThatLasts) {
  RealClock clock;
  StatRegistry stats;
  EpollPoller stuck_poller;
  WatchedPoller stuck(stuck_poller);
  WatchdogOptions options{.miss = milliseconds(2), .megamiss = milliseconds(4)};
  Watchdog watchdog("workers", options, stats, clock, 1);
  watchdog.watch("worker_0", stuck);
  watchdog.start();
  while (count_of(stats, "server.worker_0.", kMegaMiss) == 0) std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(count_of(stats, "server.worker_0.", kMiss), 1);
  EXPECT_EQ(count_of(stats, "workers.", kMiss), 1);
  EXPECT_EQ(count_of(stats, "workers.", kMegaMiss), 1);
}

}  // namespace
}  // namespace outrider
