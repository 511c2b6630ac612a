#include "core/task.h"

#include <gmock/gmock.h>

#include "core/leaf.h"
#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

using TaskTest = Simulated;

Task<int> ready(int value) { co_return value; }
Task<int> after(Duration d, int value) {
  co_await sleep(d);
  co_return value;
}

TEST_F(TaskTest, AValueComesBackThroughSeveralAwaits) {
  int result = 0;
  auto twice = [](int v) -> Task<int> { co_return co_await ready(v) + co_await after(milliseconds(3), v); };
  auto root = [](auto twice, int& result) -> Task<> { result = co_await twice(21); };
  EXPECT_TRUE(worker_.run(root(twice, result)));
  EXPECT_EQ(result, 42);
}

TEST_F(TaskTest, ATaskDoesNotBeginBeforeItIsAwaited) {
  auto child = [](Notes& notes) -> Task<> {
    notes.push_back("child");
    co_return;
  };
  auto root = [](auto child, Notes& notes) -> Task<> {
    {
      [[maybe_unused]] Task<> never = child(notes);
    }
    notes.push_back("root");
    co_await child(notes);
  };
  worker_.run(root(child, notes_));
  EXPECT_THAT(notes_, ElementsAre("root", "child"));
}

TEST_F(TaskTest, MoveOnlyValuesPassThrough) {
  auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  int result = 0;
  auto root = [](auto make, int& result) -> Task<> { result = *co_await make(); };
  worker_.run(root(make, result));
  EXPECT_EQ(result, 7);
}

TEST_F(TaskTest, AMillionSynchronousAwaitsDoNotGrowTheStack) {
  // On a stack of 8 MiB a few bytes for each await would be too many.
  static char* lowest;
  static char* highest;
  lowest = highest = nullptr;
  auto leaf = [](int i) -> Task<int> {
    char here;
    char* volatile at = &here;
    if (!lowest || at < lowest) lowest = at;
    if (!highest || at > highest) highest = at;
    co_return i & 1;
  };
  long sum = 0;
  auto root = [](auto leaf, long& sum) -> Task<> {
    for (int i = 0; i < 1'000'000; i++) sum += co_await leaf(i);
  };
  worker_.run(root(leaf, sum));
  EXPECT_EQ(sum, 500'000);
#if OUTRIDER_POOLING
  // (AddressSanitizer keeps locals elsewhere.)
  EXPECT_LT(highest - lowest, 4096);
#endif
}

TEST_F(TaskTest, AMillionAsynchronousAwaitsDoNotGrowTheStack) {
  long count = 0;
  auto one = []() -> Task<int> {
    co_await turn();
    co_return 1;
  };
  auto root = [](auto one, long& count) -> Task<> {
    for (int i = 0; i < 1'000'000; i++) count += co_await one();
  };
  worker_.run(root(one, count));
  EXPECT_EQ(count, 1'000'000);
}

TEST_F(TaskTest, AnAwaitTakesOneFrameAndTheSecondTimeNoneFromTheSystem) {
  auto root = [](FramePool::Counts& during) -> Task<> {
    co_await ready(1);
    FramePool::Counts before = FramePool::counts();
    for (int i = 0; i < 100; i++) co_await ready(i);
    during.allocations = FramePool::counts().allocations - before.allocations;
    during.from_system = FramePool::counts().from_system - before.from_system;
  };
  FramePool::Counts during{};
  worker_.run(root(during));
  EXPECT_EQ(during.allocations, 100u);
#if OUTRIDER_POOLING
  EXPECT_EQ(during.from_system, 0u);
#endif
}

TEST_F(TaskTest, LeavesTakeNoFrame) {
  auto root = [](std::uint64_t& taken) -> Task<> {
    std::uint64_t before = FramePool::counts().allocations;
    co_await sleep(milliseconds(1));
    co_await turn();
    taken = FramePool::counts().allocations - before;
  };
  std::uint64_t taken = 1;
  worker_.run(root(taken));
  EXPECT_EQ(taken, 0u);
}

TEST_F(TaskTest, StopDuringASleepEndsTheTaskAtOnceAndRunsDestructorsFromTheInside) {
  auto inner = [](Notes& notes) -> Task<> {
    Witness w{notes, "inner"};
    co_await sleep(std::chrono::hours(1));
    notes.push_back("never");
  };
  auto outer = [](auto inner, Notes& notes) -> Task<> {
    Witness w{notes, "outer"};
    co_await inner(notes);
    notes.push_back("never");
  };
  poller_.after(milliseconds(20), [&] { worker_.stop(); });
  EXPECT_TRUE(worker_.run(outer(inner, notes_)));
  EXPECT_THAT(notes_, ElementsAre("inner", "outer"));
  EXPECT_EQ(elapsed(), milliseconds(20));
}

TEST_F(TaskTest, AStopThatCameFirstEndsTheTaskAtItsFirstWait) {
  auto root = [](Notes& notes) -> Task<> {
    Witness w{notes, "destroyed"};
    notes.push_back("began");
    co_await sleep(milliseconds(1));
    notes.push_back("never");
  };
  worker_.stop();
  EXPECT_TRUE(worker_.run(root(notes_)));
  EXPECT_THAT(notes_, ElementsAre("began", "destroyed"));
  EXPECT_EQ(elapsed(), Duration::zero());
}

TEST_F(TaskTest, AnEventThatCameBeforeTheStopIsDeliveredAndTheNextWaitEnds) {
  struct State {
    Signal signal;
    Notes& notes;
  } state{{}, notes_};
  auto root = [](State& s) -> Task<> {
    co_await s.signal.wait();
    s.notes.push_back("value");
    co_await turn();
    s.notes.push_back("never");
  };
  poller_.after(milliseconds(1), [&] {
    state.signal.notify_all();
    worker_.stop();
  });
  EXPECT_TRUE(worker_.run(root(state)));
  EXPECT_THAT(notes_, ElementsAre("value"));
}

TEST_F(TaskTest, AStopThatCameBeforeTheEventWins) {
  Signal signal;
  auto root = [](Signal& s, Notes& notes) -> Task<> {
    co_await s.wait();
    notes.push_back("never");
  };
  poller_.after(milliseconds(1), [&] {
    worker_.stop();
    EXPECT_FALSE(signal.notify_one());
  });
  EXPECT_TRUE(worker_.run(root(signal, notes_)));
  EXPECT_TRUE(notes_.empty());
}

TEST_F(TaskTest, StopAsksEachHookOnceAndForgetsThoseThatLeft) {
  struct Hook : StopHook {
    int calls = 0;
    Hook() {
      on_stop = [](StopHook* h) { static_cast<Hook*>(h)->calls++; };
    }
  };
  StopSource source;
  Hook a, b, c;
  source.add(a);
  source.add(b);
  source.add(c);
  b.unhook();
  b.unhook();
  EXPECT_FALSE(source.requested());
  source.request();
  source.request();
  EXPECT_TRUE(source.requested());
  EXPECT_EQ(a.calls, 1);
  EXPECT_EQ(b.calls, 0);
  EXPECT_EQ(c.calls, 1);
}

TEST_F(TaskTest, AHookMayTakeAnotherOutWhileTheStopIsUnderWay) {
  struct Hook : StopHook {
    Hook* other = nullptr;
    int calls = 0;
    Hook() {
      on_stop = [](StopHook* h) {
        auto* self = static_cast<Hook*>(h);
        self->calls++;
        self->other->unhook();
      };
    }
  };
  StopSource source;
  Hook a, b;
  a.other = &b;
  b.other = &a;
  source.add(a);
  source.add(b);
  source.request();
  EXPECT_EQ(a.calls + b.calls, 1);
}

}  // namespace
}  // namespace outrider
