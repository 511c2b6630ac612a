#include <gmock/gmock.h>

#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType health_check;
}
namespace {

using envoy::extensions::filters::http::health_check::v3::HealthCheck;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kCheck = "GET /check HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kOther = "GET /other HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kMark = "x-envoy-immediate-health-check-fail: true\r\n";

HealthCheck config(bool passes) {
  HealthCheck c;
  c.mutable_pass_through_mode()->set_value(passes);
  auto* path = c.add_headers();
  path->set_name(":path");
  path->mutable_string_match()->set_exact("/check");
  return c;
}

// Answers with what the test says, and counts.
Task<Response> count_requests(TestService& s, Exchange& x) {
  s.seen += "*";
  co_return x.reply(s.seen.size() == 1 ? 503 : 200, "", "backend");
}

TEST(HealthCheck, KeepsAnAnswerForItsPeriod) {
  FilterService service;
  HealthCheck c = config(true);
  c.mutable_cache_time()->set_seconds(10);
  service.add(filters::health_check, c);
  service.handler = count_requests;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(kCheck, "\r\n\r\n"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(s.log.back(), "GET /check 503 - backend");
    EXPECT_THAT(co_await client.ask(kCheck, "\r\n\r\n"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(s.log.back(), "GET /check 503 LH health_check_cached");
    EXPECT_EQ(s.seen, "*");
    co_await sleep(seconds(10));
    EXPECT_THAT(co_await client.ask(kCheck, "\r\n\r\n"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(co_await client.ask(kOther, "\r\n\r\n"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(s.seen, "***");
  });
  EXPECT_EQ(service.count("http.test.health_check.", "cached_response"), 1u);
}

TEST(HealthCheck, IsAnsweredWhenTheRequestIsWhole) {
  FilterService service;
  service.add(filters::health_check, config(false));
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("POST /check HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nab");
    co_await sleep(seconds(1));
    EXPECT_TRUE(s.log.empty());
    EXPECT_THAT(co_await client.ask("cd", "\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("x-envoy-upstream-healthchecked-cluster: ours\r\n"),
                      Not(HasSubstr("connection: close"))));
    EXPECT_EQ(s.log.back(), "POST /check 200 - health_check_ok");
  });
}

TEST(HealthCheck, OfAFailingServerIsAFailureAndEveryResponseSaysSo) {
  FilterService service;
  static ServerHealth health;
  health.set_failing(true);
  service.options->health = &health;
  service.add(filters::health_check, config(true));
  service.run([](TestService& s) -> Task<> {
    TestClient check(s.connect()), other(s.connect());
    EXPECT_THAT(co_await check.ask(kCheck, "<end>"), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr(kMark)));
    EXPECT_EQ(s.log.back(), "GET /check 503 LH health_check_failed");
    EXPECT_THAT(co_await other.ask(kOther, "<end>"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(kMark)));
  });
}

TEST(HealthCheck, IsNotCountedWithTheResponses) {
  FilterService service;
  service.add(filters::health_check, config(false));
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kCheck, "\r\n\r\n");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_completed), 0u);
    co_await client.ask(kOther, "\r\n\r\n");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_completed), 1u);
    EXPECT_EQ(s.count(HttpStat::downstream_rq_total), 2u);
  });
}

TEST(HealthCheck, HasNothingToKeepWhereNothingPasses) {
  FilterService service;
  HealthCheck c = config(false);
  c.mutable_cache_time()->set_seconds(1);
  service.add(filters::health_check, c);
  EXPECT_THAT(std::exchange(service.mistakes, {}), testing::ElementsAre(StartsWith("filter.cache_time: ")));
}

}  // namespace
}  // namespace outrider
