#include "core/timer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/leaf.h"
#include "core/random.h"
#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ElementsAre;

constexpr TimePoint kStart = TimePoint(hours(1));

struct Probe : Timer {
  std::function<void()> act = [] {};
  int fired = 0;
  Probe() {
    on_fire = [](Timer* t) {
      auto* self = static_cast<Probe*>(t);
      self->fired++;
      self->act();
    };
  }
};

class TimerTest : public testing::Test {
 public:
  TimerWheel wheel_{kStart};
  Probe a_, b_, c_;
};

TEST_F(TimerTest, FiresOnceAndNeverEarly) {
  wheel_.arm(a_, kStart + microseconds(10'300));
  EXPECT_TRUE(a_.armed());
  wheel_.advance(kStart + microseconds(10'299));
  EXPECT_EQ(a_.fired, 0);
  wheel_.advance(kStart + microseconds(10'999));  // A tick is a millisecond: it fires at the next.
  EXPECT_EQ(a_.fired, 0);
  wheel_.advance(kStart + milliseconds(11));
  EXPECT_EQ(a_.fired, 1);
  EXPECT_FALSE(a_.armed());
  wheel_.advance(kStart + hours(1));
  EXPECT_EQ(a_.fired, 1);
}

TEST_F(TimerTest, WhatIsPastFiresAtTheNextTick) {
  wheel_.advance(kStart + milliseconds(100));
  wheel_.arm(a_, kStart - hours(1));
  wheel_.arm(b_, kStart + milliseconds(50));
  wheel_.advance(kStart + milliseconds(101));
  EXPECT_EQ(a_.fired, 1);
  EXPECT_EQ(b_.fired, 1);
}

TEST_F(TimerTest, ArmingAgainMovesIt) {
  wheel_.arm(a_, kStart + milliseconds(5));
  wheel_.arm(a_, kStart + milliseconds(500));
  wheel_.advance(kStart + milliseconds(499));
  EXPECT_EQ(a_.fired, 0);
  wheel_.advance(kStart + milliseconds(500));
  EXPECT_EQ(a_.fired, 1);
  EXPECT_EQ(wheel_.next(), std::nullopt);
}

TEST_F(TimerTest, ATimerMayCancelOrDestroyItsNeighboursOfTheSameTick) {
  auto d = std::make_unique<Probe>();
  for (Probe* p : {&a_, &b_, &c_, d.get()}) {
    p->act = [&] {
      a_.cancel();
      b_.cancel();
      c_.cancel();
      if (d->fired == 0) d.reset();
    };
    wheel_.arm(*p, kStart + milliseconds(70));
  }
  wheel_.advance(kStart + milliseconds(200));
  EXPECT_EQ(a_.fired + b_.fired + c_.fired + (d ? d->fired : 0), 1);
}

TEST_F(TimerTest, ATimerMayArmItselfWhileItFires) {
  a_.act = [&] {
    if (a_.fired < 5) wheel_.arm(a_, kStart + milliseconds(10 * (a_.fired + 1)));
  };
  wheel_.arm(a_, kStart + milliseconds(10));
  wheel_.advance(kStart + milliseconds(35));
  EXPECT_EQ(a_.fired, 3);
  wheel_.advance(kStart + hours(1));
  EXPECT_EQ(a_.fired, 5);
}

TEST_F(TimerTest, ATimerThatArmsItselfForThePastDoesNotHoldUpTheAdvance) {
  a_.act = [&] { wheel_.arm(a_, kStart); };
  wheel_.arm(a_, kStart);
  wheel_.advance(kStart + milliseconds(1000));
  EXPECT_EQ(a_.fired, 1000);  // Once in each tick.
}

TEST_F(TimerTest, ADestroyedTimerIsForgotten) {
  {
    Probe gone;
    wheel_.arm(gone, kStart + milliseconds(3));
    wheel_.arm(a_, kStart + milliseconds(3));
  }
  wheel_.advance(kStart + milliseconds(3));
  EXPECT_EQ(a_.fired, 1);
}

TEST_F(TimerTest, AWheelMayGoBeforeItsTimers) {
  {
    TimerWheel other(kStart);
    other.arm(a_, kStart + milliseconds(3));
    other.arm(b_, kStart + milliseconds(3));
  }
  EXPECT_FALSE(a_.armed());
  a_.cancel();
}

// Every level and both sides of its borders; armed at different distances from a border of the wheel.
TEST_F(TimerTest, EveryLevelCascadesToTheExactTick) {
  for (std::uint64_t offset : {0ull, 1ull, 63ull, 64ull, 4095ull, 4096ull, 262'143ull, (1ull << 36) - 700}) {
    TimerWheel wheel(kStart);
    wheel.advance(kStart + milliseconds(offset));
    for (int level = 0; level <= TimerWheel::kLevels; level++) {
      for (std::int64_t delta : {-1, 0, 1}) {
        std::int64_t ticks = (std::int64_t{1} << (TimerWheel::kBits * level)) + delta;
        if (ticks < 1) continue;
        Probe p;
        TimePoint due = kStart + milliseconds(offset) + milliseconds(ticks);
        wheel.arm(p, due);
        // To its moment through every stop that the wheel asks for.
        int steps = 0;
        while (p.fired == 0 && ++steps < 1000) {
          auto next = wheel.next();
          ASSERT_TRUE(next);
          ASSERT_LE(*next, due);
          wheel.advance(*next);
          offset = static_cast<std::uint64_t>((*next - kStart) / milliseconds(1));
        }
        ASSERT_EQ(p.fired, 1) << "level " << level << " delta " << delta;
        ASSERT_EQ(kStart + milliseconds(offset), due);
      }
    }
  }
}

TEST_F(TimerTest, ATimerAcrossTheEndOfTheLastLevelIsNotLate) {
  // 64^6 ms after the start, some two years.
  constexpr milliseconds kEnd = milliseconds(std::int64_t{1} << 36);
  wheel_.advance(kStart + kEnd - milliseconds(500));
  wheel_.arm(a_, kStart + kEnd + milliseconds(1000));
  wheel_.advance(kStart + kEnd + milliseconds(999));
  EXPECT_EQ(a_.fired, 0);
  wheel_.advance(kStart + kEnd + milliseconds(1000));
  EXPECT_EQ(a_.fired, 1);
}

TEST_F(TimerTest, ADecadeIsWaitedOut) {
  constexpr hours kDecade = hours(24 * 3653);
  wheel_.arm(a_, kStart + kDecade);
  wheel_.advance(kStart + kDecade - milliseconds(1));
  EXPECT_EQ(a_.fired, 0);
  wheel_.advance(kStart + kDecade);
  EXPECT_EQ(a_.fired, 1);
}

TEST_F(TimerTest, TimersFireInTheOrderOfTheirTicks) {
  std::vector<int> order;
  a_.act = [&] { order.push_back(1); };
  b_.act = [&] { order.push_back(2); };
  c_.act = [&] { order.push_back(3); };
  wheel_.arm(c_, kStart + milliseconds(5000));
  wheel_.arm(a_, kStart + milliseconds(3));
  wheel_.arm(b_, kStart + milliseconds(300));
  wheel_.advance(kStart + milliseconds(10'000));
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

// A sorted map says what has to fire when.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), timers_(200), due_(200) {
    for (std::size_t i = 0; i < timers_.size(); i++) {
      timers_[i].act = [this, i] {
        ASSERT_TRUE(due_[i]) << "fired though not armed";
        ASSERT_LE(*due_[i], now_) << "fired early";
        ASSERT_GE(now_, last_fired_);
        due_[i].reset();
        // Some arm themselves or a neighbour, or cancel one.
        std::uint64_t choice = random_.below(8);
        if (choice == 0) arm(i);
        if (choice == 1) arm(random_.below(timers_.size()));
        if (choice == 2) cancel(random_.below(timers_.size()));
      };
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); step++) {
      for (std::uint64_t n = random_.below(6); n-- > 0;) arm(random_.below(timers_.size()));
      if (random_.below(3) == 0) cancel(random_.below(timers_.size()));
      now_ += jump();
      wheel_.advance(now_);
      check();
    }
  }

 private:
  Duration jump() { return microseconds(random_.below(1ull << random_.below(34))); }
  void arm(std::size_t i) {
    TimePoint when = now_ + jump();
    due_[i] = when;
    wheel_.arm(timers_[i], when);
  }
  void cancel(std::size_t i) {
    due_[i].reset();
    timers_[i].cancel();
  }
  // What is due by a whole tick has fired; next() is not later than the first that has not.
  void check() {
    std::multimap<TimePoint, std::size_t> left;
    for (std::size_t i = 0; i < due_.size(); i++) {
      ASSERT_EQ(due_[i].has_value(), timers_[i].armed());
      if (due_[i]) left.emplace(*due_[i], i);
    }
    std::optional<TimePoint> next = wheel_.next();
    ASSERT_EQ(next.has_value(), !left.empty());
    if (left.empty()) return;
    // Armed while firing, it may be due already; then it fires within the next tick.
    ASSERT_GE(left.begin()->first + milliseconds(1), now_ - jump_slack_);
    ASSERT_LE(*next, std::max(left.begin()->first, now_) + milliseconds(1));
  }

  static constexpr Duration jump_slack_ = milliseconds(1);
  Random random_;
  TimePoint now_ = kStart;
  TimePoint last_fired_ = kStart;
  TimerWheel wheel_{kStart};
  std::vector<Probe> timers_;
  std::vector<std::optional<TimePoint>> due_;
};

TEST_F(TimerTest, RandomUseAgreesWithASortedMap) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFatalFailure(); seed++) {
    SCOPED_TRACE(seed);
    Model model(seed);
    model.run(1000);
  }
}

using SleepTest = Simulated;

TEST_F(SleepTest, SleepersOfOneWorkerWakeInOrderAndOnTime) {
  auto sleeper = [](SleepTest& t, int ms) -> Task<> {
    co_await sleep(milliseconds(ms));
    t.note(std::to_string(ms));
    EXPECT_EQ(t.elapsed(), milliseconds(ms));
  };
  auto root = [](auto sleeper, SleepTest& t) -> Task<> {
    co_await sleeper(t, 30);
    co_await sleep(Duration::zero());
    co_await sleep(-hours(1));
    EXPECT_LE(t.elapsed(), milliseconds(32));
  };
  EXPECT_TRUE(worker_.run(root(sleeper, *this)));
}

TEST_F(SleepTest, TheLongestDurationIsAsGoodAsForEver) {
  auto root = []() -> Task<> { co_await sleep(Duration::max()); };
  poller_.after(hours(24 * 365), [&] { worker_.stop(); });
  EXPECT_TRUE(worker_.run(root()));
  EXPECT_EQ(elapsed(), hours(24 * 365));
}

}  // namespace
}  // namespace outrider
