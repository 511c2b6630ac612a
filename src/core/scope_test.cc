#include "core/scope.h"

#include <gmock/gmock.h>

#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;

class ScopeTest : public Simulated {
 public:
  struct Child {
    Notes& notes;
    std::string name;
    Duration lives;
  };
  static Task<> live(Child& c) {
    Witness w{c.notes, c.name + " destroyed"};
    co_await sleep(c.lives);
    c.notes.push_back(c.name + " done");
  }

  Scope scope_;
  Child short_{notes_, "short", milliseconds(5)};
  Child long_{notes_, "long", hours(1)};
};

TEST_F(ScopeTest, WhenTheBodyEndsTheChildrenAreStoppedAndJoined) {
  auto body = [](ScopeTest& t) -> Task<> {
    t.scope_.spawn(live, t.short_);
    t.scope_.spawn(live, t.long_);
    EXPECT_EQ(t.scope_.live(), 2);
    co_await sleep(milliseconds(10));
    t.note("body done");
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> {
    EXPECT_TRUE(co_await t.scope_.run(body(t)));
    t.note("after");
  };
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_THAT(notes_, ElementsAre("short done", "short destroyed", "body done", "long destroyed", "after"));
  EXPECT_EQ(elapsed(), milliseconds(10));
  EXPECT_EQ(scope_.live(), 0);
}

TEST_F(ScopeTest, WhenTheBodyIsStoppedItsDestructorsRunThenTheChildrensThenTheAwaiters) {
  auto body = [](ScopeTest& t) -> Task<> {
    Witness w{t.notes_, "body destroyed"};
    t.scope_.spawn(live, t.long_);
    co_await sleep(hours(2));
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> {
    Witness w{t.notes_, "root destroyed"};
    co_await t.scope_.run(body(t));
    t.note("never");
  };
  poller_.after(milliseconds(7), [&] { worker_.stop(); });
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_THAT(notes_, ElementsAre("body destroyed", "long destroyed", "root destroyed"));
  EXPECT_EQ(elapsed(), milliseconds(7));
}

TEST_F(ScopeTest, StopEndsTheBodyAndTheAwaiterGoesOn) {
  auto body = [](ScopeTest& t) -> Task<> {
    t.scope_.spawn(live, t.long_);
    co_await sleep(hours(2));
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> {
    EXPECT_FALSE(co_await t.scope_.run(body(t)));
    t.note("after");
  };
  poller_.after(milliseconds(7), [&] { scope_.stop(); });
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_THAT(notes_, ElementsAre("long destroyed", "after"));
}

TEST_F(ScopeTest, ABodyThatNeverWaitsStillJoinsItsChildren) {
  auto body = [](ScopeTest& t) -> Task<> {
    t.scope_.spawn(live, t.long_);
    co_return;
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> {
    co_await t.scope_.run(body(t));
    t.note("after");
  };
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_THAT(notes_, ElementsAre("long destroyed", "after"));
  EXPECT_EQ(elapsed(), Duration::zero());
}

TEST_F(ScopeTest, AChildThatNeverWaitsIsGoneWhenSpawnReturns) {
  auto child = [](ScopeTest& t) -> Task<> {
    t.note("child");
    co_return;
  };
  auto body = [](auto child, ScopeTest& t) -> Task<> {
    EXPECT_EQ(t.scope_.spawn(+child, t), nullptr);
    EXPECT_EQ(t.scope_.live(), 0);
    co_return;
  };
  auto root = [](auto body, auto child, ScopeTest& t) -> Task<> { co_await t.scope_.run(body(child, t)); };
  EXPECT_TRUE(worker_.run(root(body, child, *this)));
  EXPECT_THAT(notes_, ElementsAre("child"));
}

TEST_F(ScopeTest, OneChildIsStoppedThroughItsHandle) {
  auto body = [](ScopeTest& t) -> Task<> {
    StopSource* stop = t.scope_.spawn(live, t.long_);
    t.scope_.spawn(live, t.short_);
    stop->request();
    co_await sleep(milliseconds(20));
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> { co_await t.scope_.run(body(t)); };
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_THAT(notes_, ElementsAre("long destroyed", "short done", "short destroyed"));
}

TEST_F(ScopeTest, IdleIsSignalledWhenTheLastChildEnds) {
  auto body = [](ScopeTest& t) -> Task<> {
    t.scope_.spawn(live, t.short_);
    while (t.scope_.live()) co_await t.scope_.idle().wait();
    t.note("idle");
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> { co_await t.scope_.run(body(t)); };
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_THAT(notes_, ElementsAre("short done", "short destroyed", "idle"));
}

TEST_F(ScopeTest, AChildThatSpawnsWhileTheScopeJoinsDelaysItNot) {
  // Woken by a value in the very turn in which the body ends, so it still runs once more.
  struct State {
    ScopeTest& test;
    Signal signal;
  } state{*this, {}};
  auto spawner = [](State& s) -> Task<> {
    co_await s.signal.wait();
    s.test.note("spawns");
    s.test.scope_.spawn(live, s.test.long_);
  };
  auto body = [](auto spawner, State& s) -> Task<> {
    s.test.scope_.spawn(+spawner, s);
    co_await sleep(milliseconds(1));
    s.signal.notify_all();
  };
  auto root = [](auto body, auto spawner, State& s) -> Task<> {
    co_await s.test.scope_.run(body(spawner, s));
    s.test.note("after");
  };
  EXPECT_TRUE(worker_.run(root(body, spawner, state)));
  EXPECT_THAT(notes_, ElementsAre("spawns", "long destroyed", "after"));
  EXPECT_EQ(elapsed(), milliseconds(1));
}

TEST_F(ScopeTest, ScopesNest) {
  struct State {
    ScopeTest& test;
    Scope inner;
  } state{*this, {}};
  auto inner_body = [](State& s) -> Task<> {
    s.test.scope_.spawn(live, s.test.short_);
    s.inner.spawn(live, s.test.long_);
    co_await sleep(milliseconds(1));
  };
  auto outer_body = [](auto inner_body, State& s) -> Task<> {
    co_await s.inner.run(inner_body(s));
    s.test.note("inner joined");
    co_await sleep(milliseconds(9));
  };
  auto root = [](auto outer_body, auto inner_body, State& s) -> Task<> {
    co_await s.test.scope_.run(outer_body(inner_body, s));
  };
  EXPECT_TRUE(worker_.run(root(outer_body, inner_body, state)));
  EXPECT_THAT(notes_, ElementsAre("long destroyed", "inner joined", "short done", "short destroyed"));
}

TEST_F(ScopeTest, TenThousandChildrenAreJoined) {
  auto body = [](ScopeTest& t) -> Task<> {
    for (int i = 0; i < 10'000; i++) {
      t.scope_.spawn(+[](int i) -> Task<> { co_await sleep(milliseconds(i % 97)); }, i);
    }
    co_await sleep(milliseconds(50));
    EXPECT_GT(t.scope_.live(), 0);
    EXPECT_LT(t.scope_.live(), 10'000);
  };
  auto root = [](auto body, ScopeTest& t) -> Task<> { co_await t.scope_.run(body(t)); };
  EXPECT_TRUE(worker_.run(root(body, *this)));
  EXPECT_EQ(scope_.live(), 0);
}

// within

using WithinTest = Simulated;

Task<int> value_after(Duration d, int value) {
  co_await sleep(d);
  co_return value;
}

TEST_F(WithinTest, AValueInTimeComesThrough) {
  auto root = [](std::optional<int>& result) -> Task<> {
    result = co_await within(milliseconds(50), value_after(milliseconds(20), 5));
  };
  std::optional<int> result;
  EXPECT_TRUE(worker_.run(root(result)));
  EXPECT_EQ(result, 5);
  EXPECT_EQ(elapsed(), milliseconds(20));
}

TEST_F(WithinTest, AfterTheDeadlineTheTaskIsGoneBeforeTheAwaiterGoesOn) {
  auto slow = [](Notes& notes) -> Task<> {
    Witness w{notes, "destroyed"};
    co_await sleep(hours(1));
  };
  auto root = [](auto slow, Notes& notes) -> Task<> {
    auto result = co_await within(milliseconds(50), slow(notes));
    notes.push_back(result ? "value" : "timeout");
  };
  EXPECT_TRUE(worker_.run(root(slow, notes_)));
  EXPECT_THAT(notes_, ElementsAre("destroyed", "timeout"));
  EXPECT_EQ(elapsed(), milliseconds(50));
}

TEST_F(WithinTest, ASynchronousValueNeedsNoTimer) {
  auto root = [](std::optional<int>& result) -> Task<> {
    result = co_await within(hours(1), []() -> Task<int> { co_return 3; }());
  };
  std::optional<int> result;
  EXPECT_TRUE(worker_.run(root(result)));
  EXPECT_EQ(result, 3);
  EXPECT_EQ(elapsed(), Duration::zero());
}

TEST_F(WithinTest, AStopEndsTheAwaiterAndIsNotATimeout) {
  auto root = [](Notes& notes) -> Task<> {
    Witness w{notes, "root destroyed"};
    co_await within(hours(2), value_after(hours(1), 5));
    notes.push_back("never");
  };
  poller_.after(milliseconds(3), [&] { worker_.stop(); });
  EXPECT_TRUE(worker_.run(root(notes_)));
  EXPECT_THAT(notes_, ElementsAre("root destroyed"));
}

TEST_F(WithinTest, AStopReachesThroughNestedDeadlines) {
  auto inner = [](Notes& notes) -> Task<> {
    Witness w{notes, "inner destroyed"};
    co_await within(hours(1), value_after(hours(3), 5));
    notes.push_back("never");
  };
  auto root = [](auto inner, Notes& notes) -> Task<> {
    Witness w{notes, "root destroyed"};
    co_await within(hours(2), inner(notes));
    notes.push_back("never");
  };
  poller_.after(milliseconds(3), [&] { worker_.stop(); });
  EXPECT_TRUE(worker_.run(root(inner, notes_)));
  EXPECT_THAT(notes_, ElementsAre("inner destroyed", "root destroyed"));
  EXPECT_EQ(elapsed(), milliseconds(3));
}

TEST_F(WithinTest, OfNestedDeadlinesEachEndsItsOwnTask) {
  auto inner = [](Duration limit) -> Task<std::string> {
    auto v = co_await within(limit, value_after(hours(3), 5));
    co_return v ? "value" : "inner timeout";
  };
  auto root = [](auto inner, Notes& notes) -> Task<> {
    notes.push_back((co_await within(milliseconds(20), inner(milliseconds(10)))).value_or("outer timeout"));
    notes.push_back((co_await within(milliseconds(10), inner(milliseconds(20)))).value_or("outer timeout"));
  };
  EXPECT_TRUE(worker_.run(root(inner, notes_)));
  EXPECT_THAT(notes_, ElementsAre("inner timeout", "outer timeout"));
  EXPECT_EQ(elapsed(), milliseconds(20));
}

TEST_F(WithinTest, AValueAndADeadlineInTheSameTickGiveOneOfBothAndLeaveNothingBehind) {
  // The order of two timers of one tick is not promised; that exactly one outcome is seen is.
  auto root = [](Notes& notes) -> Task<> {
    auto v = co_await within(milliseconds(10), value_after(milliseconds(10), 5));
    notes.push_back(v ? "value" : "timeout");
  };
  EXPECT_TRUE(worker_.run(root(notes_)));
  EXPECT_THAT(notes_, testing::AnyOf(ElementsAre("value"), ElementsAre("timeout")));
  EXPECT_EQ(elapsed(), milliseconds(10));
}

TEST_F(WithinTest, AValueThatIsOnItsWayWhenTheDeadlineComesIsTaken) {
  struct State {
    Signal signal;
    Notes& notes;
  } state{{}, notes_};
  auto waits = [](State& s) -> Task<int> {
    co_await s.signal.wait();
    co_return 5;
  };
  auto root = [](auto waits, State& s) -> Task<> {
    auto v = co_await within(milliseconds(10), waits(s));
    s.notes.push_back(v ? "value" : "timeout");
  };
  // The poller's events of a moment come before the timers of the same moment.
  poller_.after(milliseconds(10), [&] { state.signal.notify_all(); });
  EXPECT_TRUE(worker_.run(root(waits, state)));
  EXPECT_THAT(notes_, ElementsAre("value"));
}

TEST_F(WithinTest, ATaskThatStillWaitsAfterTheDeadlineIsStoppedAtThatWait) {
  struct State {
    Signal signal;
    Notes& notes;
  } state{{}, notes_};
  auto waits = [](State& s) -> Task<int> {
    co_await s.signal.wait();
    s.notes.push_back("woken");
    co_await turn();
    co_return 5;
  };
  auto root = [](auto waits, State& s) -> Task<> {
    auto v = co_await within(milliseconds(10), waits(s));
    s.notes.push_back(v ? "value" : "timeout");
  };
  poller_.after(milliseconds(10), [&] { state.signal.notify_all(); });
  EXPECT_TRUE(worker_.run(root(waits, state)));
  EXPECT_THAT(notes_, ElementsAre("woken", "timeout"));
}

TEST_F(WithinTest, AStopAndADeadlineInTheSameTickEndTheAwaiter) {
  auto root = [](Notes& notes) -> Task<> {
    Witness w{notes, "root destroyed"};
    co_await within(milliseconds(10), value_after(hours(1), 5));
    notes.push_back("never");
  };
  poller_.after(milliseconds(10), [&] { worker_.stop(); });
  EXPECT_TRUE(worker_.run(root(notes_)));
  EXPECT_THAT(notes_, ElementsAre("root destroyed"));
}

TEST_F(WithinTest, ALimitSetDuringTheWaitEndsIt) {
  Limit limit;
  auto root = [](Limit& limit, Notes& notes) -> Task<> {
    notes.push_back(co_await within(limit, value_after(hours(1), 5)) ? "value" : "timeout");
  };
  poller_.after(milliseconds(5), [&] { limit.start(milliseconds(10)); });
  EXPECT_TRUE(worker_.run(root(limit, notes_)));
  EXPECT_THAT(notes_, ElementsAre("timeout"));
  EXPECT_TRUE(limit.expired());
  EXPECT_GE(elapsed(), milliseconds(10));
}

TEST_F(WithinTest, ALimitThatHasPassedEndsEveryLaterWait) {
  Limit limit;
  auto root = [](Limit& limit, Notes& notes) -> Task<> {
    limit.start(milliseconds(10));
    notes.push_back(co_await within(limit, value_after(milliseconds(5), 5)) ? "value" : "timeout");
    notes.push_back(co_await within(limit, value_after(milliseconds(20), 5)) ? "value" : "timeout");
    notes.push_back(co_await within(limit, value_after(milliseconds(1), 5)) ? "value" : "timeout");
  };
  EXPECT_TRUE(worker_.run(root(limit, notes_)));
  EXPECT_THAT(notes_, ElementsAre("value", "timeout", "timeout"));
  EXPECT_EQ(elapsed(), milliseconds(10));
}

TEST_F(WithinTest, ACancelledLimitNeverPasses) {
  Limit limit;
  auto root = [](Limit& limit, Notes& notes) -> Task<> {
    limit.start(milliseconds(10));
    limit.cancel();
    notes.push_back(co_await within(limit, value_after(milliseconds(20), 5)) ? "value" : "timeout");
  };
  EXPECT_TRUE(worker_.run(root(limit, notes_)));
  EXPECT_THAT(notes_, ElementsAre("value"));
}

}  // namespace
}  // namespace outrider
