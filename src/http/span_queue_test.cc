#include "http/span_queue.h"

#include "core/simulated_for_test.h"

namespace outrider {
namespace {

// Spans are their names; what became of them is counted.
class NamesTracer final : public SendingTracer {
 public:
  using SendingTracer::SendingTracer;
  std::optional<SpanStart> begin(Worker&, const Headers&, TraceManner) const override { return std::nullopt; }
  SpanStart begin_below(Worker&, const SpanStart& above, TraceManner) const override { return above; }
  void inject(const SpanIds&, Headers&) const override {}
  std::string name_of(bool, std::string_view host) const override { return std::string(host); }
  std::string body(const std::vector<std::string>& spans) const override {
    std::string all;
    for (const std::string& span : spans) all += span;
    return all;
  }
  bool accepts(int status) const override { return status == 200; }
  void count(int, DeliveryEvent event, std::uint64_t times) const override {
    counts[static_cast<std::size_t>(event)] += times;
  }
  std::uint64_t counted(DeliveryEvent event) const { return counts[static_cast<std::size_t>(event)]; }
  mutable std::array<std::uint64_t, 7> counts{};

 protected:
  std::string encode(const Span& span) const override { return span.name; }
};

// A collector that takes a second to answer.
class SlowCollector final : public HttpCaller {
 public:
  Task<std::expected<HttpAnswer, CallFailure>> call(Arena& arena, HttpCall call) override {
    bodies.emplace_back(call.body);
    seen = std::string(call.request->authority) + std::string(call.request->path) + " " +
           std::string(call.request->headers.value("x-key"));
    co_await sleep(std::chrono::seconds(1));
    if (failure) co_return std::unexpected(*failure);
    HttpAnswer answer(arena);
    answer.head.status = status;
    co_return answer;
  }
  void start(HttpCall) override {}
  bool has_cluster(std::string_view) override { return true; }
  std::optional<Membership> membership(std::string_view) const override { return std::nullopt; }
  void count_reply(const Exchange&, int) override {}
  StatBlock* stats_of_cluster(const Exchange&, const std::string&, const StatTable&) override { return nullptr; }

  std::vector<std::string> bodies;
  std::string seen;
  std::optional<CallFailure> failure;
  std::uint16_t status = 200;
};

SpanDelivery delivery(std::size_t spans_max = 1000, bool sends_when_full = false) {
  SpanDelivery d;
  d.cluster = "c";
  d.authority = "host";
  d.path = "/spans";
  d.fields = {{"x-key", "value"}};
  d.runtime_prefix = "tracing.names.";
  d.spans_max = spans_max;
  d.sends_when_full = sends_when_full;
  return d;
}

class SpanQueueTest : public Simulated {
 public:
  void run(Task<> (*body)(SpanQueueTest&)) { EXPECT_TRUE(worker_.run(beside(*this, body))); }
  void report(const NamesTracer& tracer, std::string name) {
    Span span;
    span.name = std::move(name);
    tracer.report(worker_, span);
  }
  SlowCollector collector_;
  std::shared_ptr<NamesTracer> tracer_ = std::make_shared<NamesTracer>(delivery());

 private:
  static Task<> run_body(SpanQueueTest& t, Task<> (*body)(SpanQueueTest&), Scope& scope) {
    scope.spawn(SpanQueue::run, t.worker_, static_cast<HttpCaller&>(t.collector_));
    co_await body(t);
  }
  static Task<> beside(SpanQueueTest& t, Task<> (*body)(SpanQueueTest&)) {
    Scope scope;
    co_await scope.run(run_body(t, body, scope));
  }
};

TEST_F(SpanQueueTest, FiveSpansAreSentAtOnceAndFewerLater) {
  run([](SpanQueueTest& t) -> Task<> {
    for (char name : {'a', 'b', 'c', 'd', 'e'}) t.report(*t.tracer_, std::string(1, name));
    t.report(*t.tracer_, "f");
    co_await sleep(std::chrono::seconds(2));
    EXPECT_EQ(t.collector_.bodies, (std::vector<std::string>{"abcdef"}));
    EXPECT_EQ(t.collector_.seen, "host/spans value");
    t.report(*t.tracer_, "g");
    co_await sleep(std::chrono::seconds(4));
    EXPECT_EQ(t.collector_.bodies.size(), 1u);
    co_await sleep(std::chrono::seconds(4));
    EXPECT_EQ(t.collector_.bodies.back(), "g");
    EXPECT_EQ(t.tracer_->counted(DeliveryEvent::span_sent), 7u);
    EXPECT_EQ(t.tracer_->counted(DeliveryEvent::accepted), 2u);
  });
}

TEST_F(SpanQueueTest, SpansThatWaitHoldNoMoreBytesThanTheyMay) {
  SpanDelivery small = delivery();
  small.bytes_max = 10;
  tracer_ = std::make_shared<NamesTracer>(small);
  run([](SpanQueueTest& t) -> Task<> {
    for (std::string_view span : {"aaaa", "bbbb", "cccc", "dd"}) t.report(*t.tracer_, std::string(span));
    co_await sleep(std::chrono::seconds(7));
    t.report(*t.tracer_, "eeee");
    co_await sleep(std::chrono::seconds(7));
    EXPECT_EQ(t.collector_.bodies, (std::vector<std::string>{"aaaabbbbdd", "eeee"}));
    EXPECT_EQ(t.tracer_->counted(DeliveryEvent::span_dropped), 1u);
  });
}

TEST_F(SpanQueueTest, WhatComesWhileACollectorIsSlowGoesTogether) {
  run([](SpanQueueTest& t) -> Task<> {
    for (int i = 0; i < 5; i++) t.report(*t.tracer_, "a");
    co_await sleep(std::chrono::milliseconds(500));
    for (int i = 0; i < 7; i++) t.report(*t.tracer_, "b");
    co_await sleep(std::chrono::seconds(2));
    EXPECT_EQ(t.collector_.bodies, (std::vector<std::string>{"aaaaa", "bbbbbbb"}));
  });
}

TEST_F(SpanQueueTest, SpansAboveTheLimitAreDroppedAndCounted) {
  tracer_ = std::make_shared<NamesTracer>(delivery(2, true));
  run([](SpanQueueTest& t) -> Task<> {
    for (char name : {'a', 'b', 'c'}) t.report(*t.tracer_, std::string(1, name));
    co_await turn();
    t.report(*t.tracer_, "d");
    co_await sleep(std::chrono::seconds(10));
    EXPECT_EQ(t.collector_.bodies, (std::vector<std::string>{"ab", "d"}));
    EXPECT_EQ(t.tracer_->counted(DeliveryEvent::span_dropped), 1u);
  });
}

TEST_F(SpanQueueTest, ATracerThatReportsNoMoreIsLetGo) {
  run([](SpanQueueTest& t) -> Task<> {
    t.report(*t.tracer_, "a");
    EXPECT_GT(t.tracer_.use_count(), 1);
    co_await sleep(std::chrono::seconds(20));
    EXPECT_EQ(t.tracer_.use_count(), 1);
    t.report(*t.tracer_, "b");
    co_await sleep(std::chrono::seconds(20));
    EXPECT_EQ(t.collector_.bodies, (std::vector<std::string>{"a", "b"}));
  });
}

TEST_F(SpanQueueTest, WhereNoneAreToBeWaitedForEachSpanIsSentAtOnce) {
  Runtime::Layer layer{"static", {{"tracing.names.min_flush_spans", "0"}}};
  worker_.set_runtime(std::make_shared<Runtime>(std::vector{layer}));
  run([](SpanQueueTest& t) -> Task<> {
    t.report(*t.tracer_, "a");
    co_await sleep(std::chrono::seconds(2));
    EXPECT_EQ(t.collector_.bodies, (std::vector<std::string>{"a"}));
  });
}

TEST_F(SpanQueueTest, EachEndOfARequestIsCounted) {
  run([](SpanQueueTest& t) -> Task<> {
    auto report_one = [&t] { t.report(*t.tracer_, "a"); };
    t.collector_.status = 500;
    report_one();
    co_await sleep(std::chrono::seconds(20));
    EXPECT_EQ(t.tracer_->counted(DeliveryEvent::refused), 1u);
    for (auto [failure, event] : {std::pair(CallFailure::no_cluster, DeliveryEvent::no_cluster),
                                  {CallFailure::reset, DeliveryEvent::refused},
                                  {CallFailure::too_large, DeliveryEvent::failed}}) {
      std::uint64_t before = t.tracer_->counted(event);
      t.collector_.failure = failure;
      report_one();
      co_await sleep(std::chrono::seconds(20));
      EXPECT_EQ(t.tracer_->counted(event), before + 1);
    }
  });
}

TEST_F(SpanQueueTest, SpansAreDroppedWhereNoQueueRuns) {
  report(*tracer_, "a");
  EXPECT_EQ(tracer_->counted(DeliveryEvent::span_sent), 0u);
}

}  // namespace
}  // namespace outrider
