// Which trace a request belongs to, by each tracer's rules.
#include "core/simulated_for_test.h"
#include "http/open_telemetry.h"
#include "http/zipkin.h"

namespace outrider {
namespace {

constexpr std::string_view kLong = "80f198ee56343ba864fe8b2a57d3eff7", kSpan = "e457b5a2e4d86bd1";
constexpr TraceManner kTraced{.traced = true, .egress = false, .spawns = false};

class Tracers : public Simulated {
 public:
  std::optional<SpanStart> begin(const Tracer& tracer,
                                 std::initializer_list<std::pair<std::string_view, std::string_view>> fields,
                                 TraceManner manner = kTraced) {
    headers_.clear();
    for (auto [name, value] : fields) headers_.add(name, value);
    return tracer.begin(worker_, headers_, manner);
  }
  // traceparent and tracestate, as the next hop gets them.
  std::string told(const Tracer& tracer, const SpanIds& ids) {
    headers_.clear();
    tracer.inject(ids, headers_);
    return std::string(headers_.value("traceparent")) + " " + std::string(headers_.value("tracestate"));
  }
  Arena arena_;
  Headers headers_{arena_};
};

ZipkinTracer zipkin(bool w3c = false) {
  ZipkinOptions options;
  options.w3c = w3c;
  return {std::move(options), {}};
}

OpenTelemetryTracer open_telemetry(TraceSampler sampler = {}) { return {{{}, sampler, nullptr}, {}}; }

std::string traceparent(bool sampled) {
  return "00-" + std::string(kLong) + "-" + std::string(kSpan) + (sampled ? "-01" : "-00");
}

TEST_F(Tracers, ZipkinSharesTheSpanOfACallerUnlessTheRequestGoesOut) {
  ZipkinTracer tracer = zipkin();
  for (bool egress : {false, true}) {
    auto start = begin(tracer, {{"x-b3-traceid", "1"}, {"x-b3-spanid", "2"}}, {true, egress, false});
    ASSERT_TRUE(start);
    EXPECT_EQ(start->client, egress);
    EXPECT_EQ(start->shared, !egress);
    EXPECT_EQ(start->ids.span == 2, !egress);
    EXPECT_EQ(start->ids.parent, egress ? 2u : 0u);
    EXPECT_TRUE(start->ids.sampled);
  }
}

TEST_F(Tracers, ZipkinGivesRequestsToHostsSpansOfTheirOwnWhereTheyAreClients) {
  ZipkinTracer tracer = zipkin();
  SpanStart above = *begin(tracer, {});
  EXPECT_EQ(tracer.begin_below(worker_, above, kTraced).ids.span, above.ids.span) << "it is served, like the one above";
  SpanStart below = tracer.begin_below(worker_, above, {true, false, true});
  EXPECT_NE(below.ids.span, above.ids.span);
  EXPECT_EQ(below.ids.parent, above.ids.span);
  EXPECT_TRUE(below.client);
}

TEST_F(Tracers, ZipkinReadsTheFieldsOfTheW3cWhereThereIsNoB3) {
  ZipkinTracer tracer = zipkin(true);
  auto start = begin(tracer, {{"traceparent", traceparent(true)}});
  EXPECT_EQ(trace_id_of(start->ids), kLong);
  EXPECT_EQ(told(tracer, start->ids), traceparent(true) + " ");
  EXPECT_TRUE(begin(tracer, {{"traceparent", "nonsense"}})) << "a trace begins";
  EXPECT_FALSE(begin(tracer, {{"b3", "nonsense"}}));
}

TEST_F(Tracers, OpenTelemetryGoesOnBelowTheCaller) {
  OpenTelemetryTracer tracer = open_telemetry();
  auto start = begin(tracer, {{"traceparent", traceparent(true)}, {"tracestate", "a=b"}, {"tracestate", "c=d"}});
  ASSERT_TRUE(start);
  EXPECT_EQ(long_trace_id_of(start->ids), kLong);
  EXPECT_EQ(hex_of(start->ids.parent), kSpan);
  EXPECT_TRUE(start->ids.remote_parent);
  EXPECT_EQ(told(tracer, start->ids), "00-" + std::string(kLong) + "-" + hex_of(start->ids.span) + "-01 a=b,c=d");
  SpanStart below = tracer.begin_below(worker_, *start, kTraced);
  EXPECT_EQ(below.ids.parent, start->ids.span);
  EXPECT_TRUE(below.client && !below.ids.remote_parent);
  EXPECT_FALSE(begin(tracer, {{"traceparent", "nonsense"}}));
}

TEST_F(Tracers, OpenTelemetryBeginsATraceWithoutAState) {
  OpenTelemetryTracer tracer = open_telemetry();
  auto start = begin(tracer, {{"tracestate", "a=b"}});
  EXPECT_NE(start->ids.trace_high, 0u);
  EXPECT_EQ(start->ids.parent, 0u);
  EXPECT_EQ(start->ids.state, "");
}

TEST_F(Tracers, SamplersDecideForNewTracesAndThoseOfCallers) {
  using enum TraceSampler::Kind;
  constexpr TraceSampler kNever{ratio, false, {0, 100}}, kAll{ratio, false, {100, 100}};
  struct {
    const char* what;
    TraceSampler sampler;
    bool fresh, of_sampled, of_unsampled;
  } rows[] = {{"as the caller", {}, true, true, false},
              {"always", {always_on, false, {}}, true, true, true},
              {"never", kNever, false, false, false},
              {"all", kAll, true, true, true},
              {"as the caller, or always", {always_on, true, {}}, true, true, false},
              {"as the caller, or never", {ratio, true, {0, 100}}, false, true, false}};
  for (const auto& row : rows) {
    OpenTelemetryTracer tracer = open_telemetry(row.sampler);
    EXPECT_EQ(begin(tracer, {})->ids.sampled, row.fresh) << row.what;
    EXPECT_EQ(begin(tracer, {{"traceparent", traceparent(true)}})->ids.sampled, row.of_sampled) << row.what;
    EXPECT_EQ(begin(tracer, {{"traceparent", traceparent(false)}})->ids.sampled, row.of_unsampled) << row.what;
    EXPECT_FALSE(begin(tracer, {}, {})->ids.sampled) << "the connection manager has said no: " << row.what;
  }
}

TEST_F(Tracers, TheRatioIsOneOfTheIdsFirstBytes) {
  SpanIds ids;
  ids.trace_high = 0x0af7651916cd43dd;
  for (auto [numerator, sampled] : {std::pair(5178u, false), {5179u, true}}) {
    TraceSampler sampler{TraceSampler::Kind::ratio, false, {numerator, 10'000}};
    EXPECT_EQ(sampler.samples(ids, std::nullopt), sampled) << numerator;
  }
}

TEST_F(Tracers, ZipkinWritesWhatASpanHas) {
  Span span;
  span.start = {{.trace_low = 1, .span = 2, .parent = 3}, true, false};
  span.name = "a \"name\"";
  span.begin = WallTime(std::chrono::microseconds(7));
  span.length = std::chrono::microseconds(5);
  span.tags = {{"tag", "value"}, {"empty", ""}};
  span.notes = {{"note", span.begin}};
  ZipkinOptions options;
  options.service = "s";
  options.machine_address = "10.0.0.1";
  EXPECT_EQ(zipkin_json(span, options),
            R"({"traceId":"0000000000000001","id":"0000000000000002","parentId":"0000000000000003",)"
            R"("name":"a \"name\"","kind":"CLIENT","timestamp":7,"duration":5,)"
            R"("localEndpoint":{"serviceName":"s","ipv4":"10.0.0.1","port":0},)"
            R"("annotations":[{"timestamp":7,"value":"note"},{"timestamp":12,"value":"cr"}],)"
            R"("tags":{"tag":"value"}})");
  span.start = {{.trace_low = 1, .span = 2}, false, true};
  EXPECT_TRUE(zipkin_json(span, {}).ends_with(R"("shared":true})"));
}

}  // namespace
}  // namespace outrider
