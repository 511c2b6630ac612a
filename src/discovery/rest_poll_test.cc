#include "discovery/rest_poll.h"

#include <gmock/gmock.h>

#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Ge;
using testing::Lt;

struct Numbers {
  Cell attempt, success, failure, rejected, fetch_timeout, time, version;
  RestPoll::Stats stats() { return {attempt, success, failure, rejected, fetch_timeout, time, version}; }
};

class RestPollTest : public Simulated, public RestClient {
 public:
  using Answer = std::expected<std::string, std::string>;
  Task<Answer> get(const RestSource& source, const std::string& path) override {
    EXPECT_EQ(path, "/v1/registration/users");
    asked.push_back(elapsed());
    co_await sleep(delay);
    co_return answer;
  }

  class Poll final : public RestPoll {
   public:
    explicit Poll(RestPollTest& t)
        : RestPoll(t.worker_, t, t.source, "/v1/registration/users", t.numbers.stats()), t_(t) {}

   private:
    Task<std::expected<void, std::string>> take(const std::string& text) override {
      if (text == "bad") co_return std::unexpected("it is bad");
      t_.note(text);
      co_return {};
    }
    void unchanged() override { t_.note("unchanged"); }
    RestPollTest& t_;
  };

  void run(Task<> (*body)(RestPollTest&, Poll&)) {
    Poll poll(*this);
    EXPECT_TRUE(worker_.run(live(*this, poll, body)));
  }

  RestSource source{.cluster = "users-sds", .refresh_delay = seconds(10)};
  Numbers numbers;
  Answer answer{"one"};
  Duration delay = milliseconds(1);
  std::vector<Duration> asked;
  Scope scope;

 private:
  static Task<> ask(Poll& poll) { co_await poll.run(); }
  static Task<> beside(RestPollTest& t, Poll& poll, Task<> (*body)(RestPollTest&, Poll&)) {
    t.scope.spawn(ask, poll);
    co_await body(t, poll);
  }
  static Task<> live(RestPollTest& t, Poll& poll, Task<> (*body)(RestPollTest&, Poll&)) {
    co_await t.scope.run(beside(t, poll, body));
  }
};

TEST_F(RestPollTest, AsksAgainAfterTheDelayAndAtMostAsMuchMore) {
  run([](RestPollTest& t, Poll&) -> Task<> { co_await sleep(std::chrono::hours(1)); });
  ASSERT_GT(asked.size(), 100u);
  for (std::size_t i = 1; i < asked.size(); i++) {
    EXPECT_THAT(asked[i] - asked[i - 1], AllOf(Ge(seconds(10)), Lt(seconds(20) + milliseconds(1))));
  }
  EXPECT_THAT(asked.size(), AllOf(Ge(3600u / 17), Lt(3600u / 13))) << "the middle of both";
}

TEST_F(RestPollTest, TakesATextOnceAndCounts) {
  run([](RestPollTest& t, Poll&) -> Task<> {
    co_await sleep(seconds(1));
    EXPECT_EQ(t.notes_, Notes{"one"});
    const std::uint64_t version = t.numbers.version.value();
    EXPECT_NE(version, 0u);
    co_await sleep(seconds(20));
    EXPECT_EQ(t.notes_[1], "unchanged");
    EXPECT_EQ(t.numbers.version.value(), version);
    t.answer = "two";
    co_await sleep(seconds(20));
    EXPECT_EQ(t.notes_.back(), "two");
    EXPECT_NE(t.numbers.version.value(), version);
    EXPECT_EQ(t.numbers.success.value(), t.asked.size());
    EXPECT_EQ(t.numbers.attempt.value(), t.asked.size());
  });
}

TEST_F(RestPollTest, ARefusedAnswerIsAnAnswerAndAFailureIsNone) {
  answer = std::unexpected("nobody is there");
  run([](RestPollTest& t, Poll& poll) -> Task<> {
    co_await sleep(seconds(1));
    EXPECT_FALSE(poll.answered());
    EXPECT_EQ(t.numbers.failure.value(), 1u);
    t.answer = "bad";
    co_await poll.first_answer();
    EXPECT_LT(t.elapsed(), t.source.initial_fetch_timeout + seconds(6));
    co_await sleep(seconds(20));
    EXPECT_GE(t.numbers.rejected.value(), 1u);
    EXPECT_EQ(t.numbers.success.value(), 0u);
    EXPECT_TRUE(t.notes_.empty());
  });
}

TEST_F(RestPollTest, WaitsForTheFirstAnswerOnlySoLong) {
  answer = std::unexpected("nobody is there");
  run([](RestPollTest& t, Poll& poll) -> Task<> {
    co_await sleep(seconds(5));
    co_await poll.first_answer();
    EXPECT_EQ(t.elapsed(), t.source.initial_fetch_timeout);
    EXPECT_EQ(t.numbers.fetch_timeout.value(), 1u);
    co_await poll.first_answer();
    EXPECT_EQ(t.elapsed(), t.source.initial_fetch_timeout);
  });
}

TEST_F(RestPollTest, ZeroWaitsForEver) {
  answer = std::unexpected("nobody is there");
  source.initial_fetch_timeout = milliseconds(0);
  run([](RestPollTest& t, Poll& poll) -> Task<> {
    EXPECT_FALSE(co_await within(std::chrono::hours(1), poll.first_answer()));
    t.answer = "one";
    co_await poll.first_answer();
    EXPECT_EQ(t.notes_, Notes{"one"});
  });
}

TEST_F(RestPollTest, NobodyWaitsForOneThatIsGivenUp) {
  answer = std::unexpected("nobody is there");
  source.initial_fetch_timeout = milliseconds(0);
  run([](RestPollTest& t, Poll& poll) -> Task<> {
    co_await sleep(seconds(1));
    t.worker_.post([&poll] { poll.give_up(); });
    EXPECT_TRUE(co_await within(seconds(1), poll.first_answer()));
    EXPECT_EQ(t.numbers.fetch_timeout.value(), 0u);
  });
}

}  // namespace
}  // namespace outrider
