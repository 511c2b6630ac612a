#include "core/simulated_poller.h"

#include <gtest/gtest.h>

#include <string>

#include "core/leaf.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SimulatedPoller, RunsEventsInTheOrderOfTheirTimesAndThenOfTheirComing) {
  SimulatedClock clock;
  SimulatedPoller poller(clock);
  std::string order;
  TimePoint begin = clock.now();
  poller.after(milliseconds(2), [&] { order += "c"; });
  poller.after(milliseconds(1), [&] { order += "a"; });
  poller.after(milliseconds(1), [&] {
    order += "b";
    poller.after(Duration::zero(), [&] { order += "B"; });
  });
  poller.poll(milliseconds(0));
  EXPECT_EQ(order, "");
  poller.poll(std::nullopt);
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(clock.now() - begin, milliseconds(1));
  poller.poll(std::nullopt);
  EXPECT_EQ(order, "abB");
  poller.poll(seconds(1));
  EXPECT_EQ(order, "abBc");
  EXPECT_EQ(clock.now() - begin, milliseconds(2));
  EXPECT_TRUE(poller.exhausted());
  poller.poll(seconds(1));
  EXPECT_EQ(clock.now() - begin, milliseconds(1002));
}

TEST(SimulatedPoller, SleepsTakeNoTimeButMoveTheClock) {
  SimulatedClock clock;
  SimulatedPoller poller(clock);
  Worker worker(0, clock, poller, 1);
  TimePoint begin = clock.now();
  auto body = []() -> Task<> {
    for (int i = 0; i < 24; i++) co_await sleep(std::chrono::hours(1));
  };
  EXPECT_TRUE(worker.run(body()));
  EXPECT_EQ(clock.now() - begin, std::chrono::hours(24));
}

TEST(SimulatedPoller, AWorkerWhoseEventsRanOutComesToRest) {
  SimulatedClock clock;
  SimulatedPoller poller(clock);
  Worker worker(0, clock, poller, 1);
  Signal never;
  bool ran = false;
  auto body = [](Signal& signal) -> Task<> { co_await signal.wait(); };
  poller.after(seconds(1), [&] { ran = true; });
  EXPECT_FALSE(worker.run(body(never)));
  EXPECT_TRUE(ran);
}

TEST(SimulatedPoller, AWakeEndsThePollWithoutMovingTheClock) {
  SimulatedClock clock;
  SimulatedPoller poller(clock);
  TimePoint begin = clock.now();
  poller.wake();
  poller.poll(seconds(1));
  EXPECT_EQ(clock.now(), begin);
  poller.poll(seconds(1));
  EXPECT_EQ(clock.now() - begin, seconds(1));
}

}  // namespace
}  // namespace outrider
