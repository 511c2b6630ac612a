#include "core/race.h"

#include <gmock/gmock.h>

#include "core/scope.h"
#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;

class RaceTest : public Simulated {
 public:
  struct Runner {
    Notes& notes;
    std::string name;
    Duration needs;
    int result;
  };
  static Task<int> go(Runner& r) {
    Witness w{r.notes, r.name + " gone"};
    if (r.needs > Duration::zero()) co_await sleep(r.needs);
    r.notes.push_back(r.name + " arrives");
    co_return r.result;
  }
  static bool positive(const int& v) { return v > 0; }
  static Task<> root(RaceTest& t) {
    Witness w{t.notes_, "root gone"};
    int result = co_await race(positive, go(t.a_), go(t.b_));
    t.note("result " + std::to_string(result));
  }
  void run() { EXPECT_TRUE(worker_.run(root(*this))); }

  Runner a_{notes_, "a", milliseconds(10), 1};
  Runner b_{notes_, "b", milliseconds(20), 2};
};

TEST_F(RaceTest, TheFirstGoodResultWinsAndTheLoserIsGoneBeforeTheAwaiterGoesOn) {
  run();
  EXPECT_THAT(notes_, ElementsAre("a arrives", "a gone", "b gone", "result 1", "root gone"));
  EXPECT_EQ(elapsed(), milliseconds(10));
}

TEST_F(RaceTest, TheSecondMayWin) {
  b_.needs = milliseconds(5);
  run();
  EXPECT_THAT(notes_, ElementsAre("b arrives", "b gone", "a gone", "result 2", "root gone"));
  EXPECT_EQ(elapsed(), milliseconds(5));
}

TEST_F(RaceTest, ABadResultWaitsForTheOther) {
  a_.result = -1;
  run();
  EXPECT_THAT(notes_, ElementsAre("a arrives", "a gone", "b arrives", "b gone", "result 2", "root gone"));
  EXPECT_EQ(elapsed(), milliseconds(20));
}

TEST_F(RaceTest, OfTwoBadResultsTheLastIsGiven) {
  a_.result = -1;
  b_.result = -2;
  run();
  EXPECT_THAT(notes_, testing::Contains("result -2"));
}

TEST_F(RaceTest, AGoodResultAtOnceNeverStartsTheSecond) {
  a_.needs = Duration::zero();
  run();
  EXPECT_THAT(notes_, ElementsAre("a arrives", "a gone", "result 1", "root gone"));
}

TEST_F(RaceTest, ABadResultAtOnceStillStartsTheSecond) {
  a_.needs = Duration::zero();
  a_.result = -1;
  run();
  EXPECT_THAT(notes_, ElementsAre("a arrives", "a gone", "b arrives", "b gone", "result 2", "root gone"));
}

TEST_F(RaceTest, ASecondThatIsReadyAtOnceStopsTheFirst) {
  b_.needs = Duration::zero();
  run();
  EXPECT_THAT(notes_, ElementsAre("b arrives", "b gone", "a gone", "result 2", "root gone"));
  EXPECT_EQ(elapsed(), Duration::zero());
}

TEST_F(RaceTest, TwoBadResultsAtOnceGiveTheSecond) {
  a_.needs = b_.needs = Duration::zero();
  a_.result = b_.result = -3;
  run();
  EXPECT_THAT(notes_, ElementsAre("a arrives", "a gone", "b arrives", "b gone", "result -3", "root gone"));
}

TEST_F(RaceTest, ALoserThatArrivesInTheSameTurnIsDropped) {
  struct State {
    RaceTest& test;
    Signal signal;
  } state{*this, {}};
  auto go = [](State& s, int result) -> Task<int> {
    co_await s.signal.wait();
    co_return result;
  };
  auto root = [](auto go, State& s) -> Task<> {
    s.test.note("result " + std::to_string(co_await race(positive, go(s, 1), go(s, 2))));
  };
  poller_.after(milliseconds(1), [&] { state.signal.notify_all(); });
  EXPECT_TRUE(worker_.run(root(go, state)));
  EXPECT_THAT(notes_, ElementsAre("result 1"));
}

TEST_F(RaceTest, AStopEndsBothAndTheAwaiter) {
  poller_.after(milliseconds(3), [&] { worker_.stop(); });
  run();
  EXPECT_THAT(notes_, testing::UnorderedElementsAre("a gone", "b gone", "root gone"));
  EXPECT_EQ(notes_.back(), "root gone");
  EXPECT_EQ(elapsed(), milliseconds(3));
}

TEST_F(RaceTest, AStopThatCameFirstEndsBothAtTheirFirstWait) {
  worker_.stop();
  run();
  EXPECT_EQ(notes_.back(), "root gone");
  EXPECT_EQ(notes_.size(), 3u);
}

TEST_F(RaceTest, AStopAfterOneBadResultEndsTheAwaiter) {
  a_.result = -1;
  poller_.after(milliseconds(15), [&] { worker_.stop(); });
  run();
  EXPECT_THAT(notes_, ElementsAre("a arrives", "a gone", "b gone", "root gone"));
}

TEST_F(RaceTest, ADeadlineAroundARaceEndsBoth) {
  auto both = [](RaceTest& t) -> Task<int> { co_return co_await race(positive, go(t.a_), go(t.b_)); };
  auto root = [](auto both, RaceTest& t) -> Task<> {
    t.note(co_await within(milliseconds(5), both(t)) ? "value" : "timeout");
  };
  EXPECT_TRUE(worker_.run(root(both, *this)));
  EXPECT_THAT(notes_, testing::UnorderedElementsAre("a gone", "b gone", "timeout"));
  EXPECT_EQ(notes_.back(), "timeout");
}

TEST_F(RaceTest, ADeadlineWithinARaceIsJustABadResult) {
  auto tried = [](RaceTest& t, Runner& r, Duration limit) -> Task<int> {
    co_return (co_await within(limit, go(r))).value_or(-1);
  };
  auto root = [](auto tried, RaceTest& t) -> Task<> {
    int v = co_await race(positive, tried(t, t.a_, milliseconds(2)), tried(t, t.b_, hours(1)));
    t.note("result " + std::to_string(v));
  };
  EXPECT_TRUE(worker_.run(root(tried, *this)));
  EXPECT_THAT(notes_, ElementsAre("a gone", "b arrives", "b gone", "result 2"));
}

TEST_F(RaceTest, MoveOnlyResultsPass) {
  auto make = [](Duration d, int v) -> Task<std::unique_ptr<int>> {
    co_await sleep(d);
    co_return std::make_unique<int>(v);
  };
  auto root = [](auto make, RaceTest& t) -> Task<> {
    auto good = [](const std::unique_ptr<int>& p) { return *p != 1; };
    auto v = co_await race(good, make(milliseconds(1), 1), make(milliseconds(2), 2));
    t.note(std::to_string(*v));
  };
  EXPECT_TRUE(worker_.run(root(make, *this)));
  EXPECT_THAT(notes_, ElementsAre("2"));
}

}  // namespace
}  // namespace outrider
