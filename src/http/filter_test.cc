#include "http/filter.h"

#include <gtest/gtest.h>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

// Writes down what it sees, and answers itself where it is told to.
class Watching final : public Filter {
 public:
  Watching(std::string name, std::vector<std::string>& notes, bool replies = false)
      : name_(std::move(name)), notes_(notes), replies_(replies) {}

  Task<Response> handle(Exchange& x, Next next) const override {
    notes_.push_back(name_ + " asked");
    if (replies_) co_return x.reply(403, "no", "denied");
    Response response = co_await next(x);
    notes_.push_back(name_ + " answered");
    co_return response;
  }
  Task<Response> see_reply(Exchange& x, Response reply) const override {
    notes_.push_back(name_ + " shown");
    co_return reply;
  }
  bool sees_replies() const override { return true; }

 private:
  const std::string name_;
  std::vector<std::string>& notes_;
  const bool replies_;
};

struct Chain : testing::Test {
  std::vector<std::string> notes;
  FilterChain chain;

  void add(std::string name, bool replies = false) {
    chain.add(std::make_unique<Watching>(std::move(name), notes, replies));
  }
  // Runs the chain for one request.
  void run(bool from_outside = false) {
    static Chain* self;
    static bool outside;
    self = this;
    outside = from_outside;
    TestService server;
    server.run([](TestService& s) -> Task<> {
      HttpOptions options;
      StatScope scope("", http_stat_table());
      DownstreamConnection connection{s.worker, s.network, nullptr, nullptr, 0, nullptr, nullptr};
      Exchange x(connection, options, scope.local(0));
      if (outside) {
        co_await self->chain.show(x, x.reply(408, "", "late"));
      } else {
        co_await self->chain(x);
      }
    });
  }
};

TEST_F(Chain, AReplyIsShownToTheFiltersInsideTheOneThatMadeItAndToItself) {
  add("a");
  add("b", true);
  add("c");
  add("d", true);
  run();
  EXPECT_EQ(notes, (std::vector<std::string>{"a asked", "b asked", "d shown", "c shown", "b shown", "a answered"}));
}

TEST_F(Chain, AReplyOfTheLastFilterPassesTheOthersOnce) {
  add("a");
  add("b");
  add("c", true);
  run();
  EXPECT_EQ(notes, (std::vector<std::string>{"a asked", "b asked", "c asked", "c shown", "b answered", "a answered"}));
}

TEST_F(Chain, AReplyFromOutsideIsShownToAllFiltersTheInnermostFirst) {
  add("a");
  add("b", true);
  run(true);
  EXPECT_EQ(notes, (std::vector<std::string>{"b shown", "a shown"}));
}

}  // namespace
}  // namespace outrider
