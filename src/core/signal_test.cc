#include <gmock/gmock.h>

#include "core/scope.h"
#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

class SignalTest : public Simulated {
 public:
  struct Waiter {
    Signal& signal;
    Notes& notes;
    std::string name;
    int times = 1;
  };
  static Task<> wait(Waiter& w) {
    for (int i = 0; i < w.times; i++) {
      co_await w.signal.wait();
      w.notes.push_back(w.name);
    }
  }

  Signal signal_;
  Scope scope_;
  Waiter a_{signal_, notes_, "a"};
  Waiter b_{signal_, notes_, "b"};
  Waiter c_{signal_, notes_, "c"};
  StopSource* stop_b_ = nullptr;

  static Task<> body(SignalTest& t) {
    t.scope_.spawn(wait, t.a_);
    t.stop_b_ = t.scope_.spawn(wait, t.b_);
    t.scope_.spawn(wait, t.c_);
    co_await sleep(milliseconds(10));
  }
  static Task<> root(SignalTest& t) { co_await t.scope_.run(body(t)); }
};

TEST_F(SignalTest, NotifyOneWakesTheOneThatWaitedLongest) {
  for (int i = 1; i <= 3; i++) poller_.after(milliseconds(i), [&] { signal_.notify_one(); });
  worker_.run(root(*this));
  EXPECT_THAT(notes_, ElementsAre("a", "b", "c"));
}

TEST_F(SignalTest, NotifyAllWakesAllInOrder) {
  poller_.after(milliseconds(1), [&] {
    signal_.notify_all();
    EXPECT_FALSE(signal_.has_waiters());
    EXPECT_TRUE(notes_.empty());  // They go on from the queue, not inside of the call.
  });
  worker_.run(root(*this));
  EXPECT_THAT(notes_, ElementsAre("a", "b", "c"));
}

TEST_F(SignalTest, AWaiterThatWaitsAgainAtOnceWaitsForTheNextNotification) {
  a_.times = b_.times = c_.times = 5;
  poller_.after(milliseconds(1), [&] { signal_.notify_all(); });
  poller_.after(milliseconds(2), [&] {
    EXPECT_EQ(notes_.size(), 3u);
    signal_.notify_all();
  });
  worker_.run(root(*this));
  EXPECT_THAT(notes_, ElementsAre("a", "b", "c", "a", "b", "c"));
}

TEST_F(SignalTest, AStoppedWaiterLeavesTheMiddleOfTheLine) {
  poller_.after(milliseconds(1), [&] {
    stop_b_->request();
    EXPECT_TRUE(signal_.notify_one());
    EXPECT_TRUE(signal_.notify_one());
    EXPECT_FALSE(signal_.notify_one());
  });
  worker_.run(root(*this));
  EXPECT_THAT(notes_, ElementsAre("a", "c"));
}

TEST_F(SignalTest, ANotificationWithoutAWaiterIsNotKept) {
  EXPECT_FALSE(signal_.notify_one());
  signal_.notify_all();
  worker_.run(root(*this));
  EXPECT_TRUE(notes_.empty());
}

}  // namespace
}  // namespace outrider
