#include <gmock/gmock.h>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "envoy/type/v3/percent.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType cors;
}
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
namespace v3 = envoy::extensions::filters::http::cors::v3;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nhost: h\r\norigin: http://a\r\n\r\n";
constexpr std::string_view kAllowed = "access-control-allow-origin: http://a\r\n";

v3::CorsPolicy policy() {
  v3::CorsPolicy p;
  p.add_allow_origin_string_match()->set_exact("http://a");
  return p;
}

struct WithCors : testing::Test {
  FilterService service;
  WithCors() {
    service.add(filters::cors, v3::Cors());
    service.route.forwards = true;
  }
  std::uint64_t valid() { return service.count("http.test.cors.", "origin_valid"); }
};

TEST_F(WithCors, AResponseOfTheProxysOwnMayBeReadToo) {
  service.say(0, filters::cors, policy());
  service.options->stream_idle_timeout = seconds(1);
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    co_await s.signal.wait();
    co_return x.reply(200, "", "late");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(kGet, "<end>"), AllOf(StartsWith("HTTP/1.1 504"), HasSubstr(kAllowed)));
  });
  EXPECT_EQ(valid(), 1u);
}

TEST_F(WithCors, OnlyAShareOfRequestsMayTakePart) {
  v3::CorsPolicy p = policy();
  p.mutable_filter_enabled()->mutable_default_value()->set_numerator(50);
  service.say(0, filters::cors, p);
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    int allowed = 0;
    for (int i = 0; i < 400; i++)
      allowed += (co_await client.ask(kGet, "\r\n\r\n/")).find(kAllowed) != std::string::npos;
    EXPECT_GT(allowed, 120);
    EXPECT_LT(allowed, 280);
  });
}

TEST_F(WithCors, TheRuntimeHasTheLastWordOnTheShare) {
  v3::CorsPolicy p = policy();
  p.mutable_filter_enabled()->mutable_default_value()->set_numerator(100);
  p.mutable_filter_enabled()->set_runtime_key("cors.enabled");
  service.say(0, filters::cors, p);
  service.worker.set_runtime(std::make_shared<Runtime>(std::vector<Runtime::Layer>{{"file", {{"cors.enabled", "0"}}}}));
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(kGet, "\r\n\r\n/"), Not(HasSubstr("access-control")));
  });
  EXPECT_EQ(valid(), 0u);
}

TEST_F(WithCors, ARouteThatAnswersItselfHasNoPolicy) {
  service.say(0, filters::cors, policy());
  service.route.forwards = false;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(kGet, "\r\n\r\n/"), Not(HasSubstr("access-control")));
  });
}

}  // namespace
}  // namespace outrider
