#include "http/span_ids.h"

#include <gtest/gtest.h>

#include "core/arena.h"

namespace outrider {
namespace {

constexpr std::string_view kLong = "80f198ee56343ba864fe8b2a57d3eff7", kSpan = "e457b5a2e4d86bd1";

struct Request {
  Arena arena;
  Headers headers{arena};
  Request(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (auto [name, value] : fields) headers.add(name, value);
  }
};

TEST(SpanIds, ReadsB3) {
  Request request{{"x-b3-traceid", kLong}, {"x-b3-spanid", kSpan}, {"x-b3-parentspanid", "1"}, {"x-b3-sampled", "0"}};
  ReceivedTrace read = read_b3(request.headers);
  ASSERT_TRUE(read.context);
  EXPECT_EQ(trace_id_of(*read.context), kLong);
  EXPECT_EQ(hex_of(read.context->span), kSpan);
  EXPECT_EQ(read.context->parent, 1u);
  EXPECT_EQ(read.sampled, false);
  EXPECT_FALSE(read.single);
}

TEST(SpanIds, ReadsTheSingleField) {
  std::string text = std::string(kLong) + "-" + std::string(kSpan) + "-d-05e3ac9a4f6e3b90";
  Request request{{"b3", text}};
  ReceivedTrace read = read_b3(request.headers);
  ASSERT_TRUE(read.context);
  EXPECT_EQ(hex_of(read.context->parent), "05e3ac9a4f6e3b90");
  EXPECT_EQ(read.sampled, true);
  Request decision{{"b3", "0"}};
  EXPECT_EQ(read_b3(decision.headers).sampled, false);
  EXPECT_FALSE(read_b3(decision.headers).context);
}

TEST(SpanIds, SamplingIsAskedForByOneAndTrueOnly) {
  for (auto [value, asked] : {std::pair("1", true), {"true", true}, {"0", false}, {"d", false}, {"x", false}}) {
    Request request{{"x-b3-sampled", value}};
    EXPECT_EQ(read_b3(request.headers).sampled, asked) << value;
  }
  Request debug{{"x-b3-flags", "1"}};
  EXPECT_FALSE(read_b3(debug.headers).sampled);
}

TEST(SpanIds, SaysWhatItCannotRead) {
  for (std::string_view bad : {"x", "1-", "zz-1", "0000000000000000-1", "1-0", "1-1-x", "1-1-1-y"}) {
    Request request{{"b3", bad}};
    EXPECT_TRUE(read_b3(request.headers).broken) << bad;
  }
  Request ids{{"x-b3-traceid", "1"}, {"x-b3-spanid", "11112222333344445"}};
  EXPECT_TRUE(read_b3(ids.headers).broken);
  for (std::string_view bad : {"00-0-0-0", "00", "zz-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01",
                               "01-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01-x"}) {
    Request request{{"traceparent", bad}};
    EXPECT_TRUE(read_traceparent(request.headers).broken) << bad;
  }
}

TEST(SpanIds, WritesWhatItReads) {
  SpanIds trace{0, 5, 6, 7, true};
  for (bool single : {false, true}) {
    Request request{};
    trace.single = single;
    write_b3(trace, request.headers);
    ReceivedTrace read = read_b3(request.headers);
    SpanIds got = read.context.value_or(SpanIds{});
    got.sampled = read.sampled.value_or(false);
    got.single = read.single;
    EXPECT_EQ(got, trace);
    EXPECT_EQ(read.single, single);
  }
  trace.trace_high = 4;
  trace.parent = 0;
  Request request{};
  write_traceparent(trace, request.headers);
  EXPECT_EQ(request.headers.value("traceparent"), "00-00000000000000040000000000000005-0000000000000006-01");
  ReceivedTrace read = read_traceparent(request.headers);
  ASSERT_TRUE(read.context);
  EXPECT_EQ(read.context->trace_high, 4u);
  EXPECT_EQ(read.sampled, true);
}

}  // namespace
}  // namespace outrider
