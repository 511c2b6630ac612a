#include "core/worker.h"

#include <gmock/gmock.h>

#include <thread>

#include "core/leaf.h"
#include "core/scope.h"
#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;

using WorkerTest = Simulated;

TEST_F(WorkerTest, IsTheCurrentOneOnlyWhileItRuns) {
  EXPECT_EQ(Worker::current(), nullptr);
  Worker* seen = nullptr;
  auto root = [](Worker*& seen) -> Task<> {
    seen = Worker::current();
    co_return;
  };
  EXPECT_TRUE(worker_.run(root(seen)));
  EXPECT_EQ(seen, &worker_);
  EXPECT_EQ(Worker::current(), nullptr);
}

TEST_F(WorkerTest, PostedFunctionsRunInOrderAfterTheTurn) {
  auto root = [](WorkerTest& t) -> Task<> {
    t.worker_.post([&] { t.note("first"); });
    t.worker_.post([&] {
      t.note("second");
      t.worker_.post([&] { t.note("third"); });
    });
    t.note("turn");
    co_await sleep(milliseconds(5));
  };
  EXPECT_TRUE(worker_.run(root(*this)));
  EXPECT_THAT(notes_, ElementsAre("turn", "first", "second", "third"));
}

TEST_F(WorkerTest, AFunctionPostedBeforeTheRunIsNotLost) {
  Signal signal;
  worker_.post([&] { signal.notify_all(); });
  auto root = [](Signal& s) -> Task<> { co_await s.wait(); };
  EXPECT_TRUE(worker_.run(root(signal)));
}

TEST_F(WorkerTest, EveryFunctionOfOtherThreadsRuns) {
  // Simulated time stands still for them: the root sleeps tick by tick until all have come.
  int ran = 0;
  constexpr int kThreads = 4, kEach = 1000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&] {
      for (int n = 0; n < kEach; n++) worker_.post([&] { ran++; });
    });
  }
  auto root = [](int& ran) -> Task<> {
    while (ran < kThreads * kEach) co_await turn();
  };
  EXPECT_TRUE(worker_.run(root(ran)));
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(ran, kThreads * kEach);
}

TEST_F(WorkerTest, TasksThatAreAlwaysReadyTakeTurns) {
  auto child = [](WorkerTest& t, int name) -> Task<> {
    for (int i = 0; i < 3; i++) {
      t.note(std::to_string(name));
      co_await turn();
    }
  };
  static Scope scope;
  auto body = [](auto child, WorkerTest& t) -> Task<> {
    scope.spawn(+child, t, 1);
    scope.spawn(+child, t, 2);
    while (scope.live()) co_await scope.idle().wait();
  };
  auto root = [](auto body, auto child, WorkerTest& t) -> Task<> { co_await scope.run(body(child, t)); };
  EXPECT_TRUE(worker_.run(root(body, child, *this)));
  EXPECT_THAT(notes_, ElementsAre("1", "2", "1", "2", "1", "2"));
}

TEST_F(WorkerTest, ABusyTaskDoesNotKeepTimersFromFiring) {
  struct State {
    WorkerTest& test;
    Scope scope;
    bool fired = false;
  } state{*this, {}};
  auto sleeper = [](State& s) -> Task<> {
    co_await sleep(milliseconds(1));
    s.fired = true;
  };
  auto body = [](auto sleeper, State& s) -> Task<> {
    s.scope.spawn(+sleeper, s);
    // Each turn takes time, as on a real clock.
    for (int i = 0; i < 100 && !s.fired; i++) {
      s.test.clock_.advance(std::chrono::microseconds(100));
      co_await turn();
    }
    EXPECT_TRUE(s.fired);
  };
  auto root = [](auto body, auto sleeper, State& s) -> Task<> { co_await s.scope.run(body(sleeper, s)); };
  EXPECT_TRUE(worker_.run(root(body, sleeper, state)));
}

TEST_F(WorkerTest, TheClockIsReadOnceATurn) {
  auto root = [](WorkerTest& t) -> Task<> {
    co_await turn();
    TimePoint before = t.worker_.now();
    t.clock_.advance(milliseconds(3));
    EXPECT_EQ(t.worker_.now(), before);
    co_await turn();
    EXPECT_EQ(t.worker_.now(), before + milliseconds(3));
  };
  EXPECT_TRUE(worker_.run(root(*this)));
}

TEST_F(WorkerTest, ASimulationWhoseEventsRanOutEndsUnfinished) {
  Signal never;
  auto root = [](Signal& s) -> Task<> { co_await s.wait(); };
  EXPECT_FALSE(worker_.run(root(never)));
}

TEST_F(WorkerTest, AWorkerRunsAgain) {
  auto root = [](WorkerTest& t) -> Task<> {
    co_await sleep(milliseconds(1));
    t.note("ran");
  };
  EXPECT_TRUE(worker_.run(root(*this)));
  EXPECT_TRUE(worker_.run(root(*this)));
  EXPECT_THAT(notes_, ElementsAre("ran", "ran"));
}

TEST_F(WorkerTest, TheSameSeedGivesTheSameNumbers) {
  Random a(7), b(7), c(8);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  for (int i = 0; i < 1000; i++) EXPECT_LT(a.below(10), 10u);
}

TEST_F(WorkerTest, ScheduledEventsComeBetweenTimersInTheOrderOfTime) {
  poller_.after(milliseconds(15), [&] { note("event at 15"); });
  poller_.after(milliseconds(5), [&] { note("event at 5"); });
  auto root = [](WorkerTest& t) -> Task<> {
    co_await sleep(milliseconds(10));
    t.note("timer at 10");
    co_await sleep(milliseconds(10));
    t.note("timer at 20");
  };
  EXPECT_TRUE(worker_.run(root(*this)));
  EXPECT_THAT(notes_, ElementsAre("event at 5", "timer at 10", "event at 15", "timer at 20"));
}

}  // namespace
}  // namespace outrider
