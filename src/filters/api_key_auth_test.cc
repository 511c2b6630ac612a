#include "envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.pb.h"

#include <gmock/gmock.h>

#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType api_key_auth;
}
namespace {

namespace v3 = envoy::extensions::filters::http::api_key_auth::v3;

// The request as the backend would see it.
Task<Response> tell_request(TestService& s, Exchange& x) {
  s.seen = std::string(x.request.path);
  for (const Field& field : x.request.headers) s.seen.append(" ").append(field.name).append("=").append(field.value);
  co_return x.reply(200, "", "direct_response");
}

v3::ApiKeyAuth config() {
  v3::ApiKeyAuth c;
  auto* credential = c.add_credentials();
  credential->set_key("k1");
  credential->set_client("one");
  c.add_key_sources()->set_header("X-Key");
  c.add_key_sources()->set_query("key");
  c.add_key_sources()->set_cookie("ck");
  c.mutable_forwarding()->set_header("X-Client");
  c.mutable_forwarding()->set_hide_credentials(true);
  return c;
}

struct Case {
  const char* path;
  const char* fields;
  const char* log;   // Behind the method and the path.
  const char* seen;  // By the backend.
};

TEST(ApiKeyAuth, FindsTheKeyAndHidesIt) {
  for (const Case& each : {
           Case{"/", "", "401 - missing_api_key", ""},
           Case{"/", "x-key: k2\r\n", "401 - unknown_api_key", ""},
           Case{"/?key=k2", "cookie: ck=k1\r\n", "401 - unknown_api_key", ""},
           Case{"/", "x-key: Bearer k1\r\n", "200 - direct_response", "/ x-client=one"},
           Case{"/?b=%20&key=%6b1", "", "200 - direct_response", "/?b=%20 x-client=one"},
           Case{"/", "cookie: a=1; ck=k1\r\nx-client: me\r\n", "200 - direct_response", "/ cookie=a=1 x-client=one"},
       }) {
    static std::string request;
    request = std::string("GET ") + each.path + " HTTP/1.1\r\nhost: h\r\n" + each.fields + "\r\n";
    FilterService service;
    service.add(filters::api_key_auth, config());
    service.handler = tell_request;
    service.run([](TestService& s) -> Task<> {
      TestClient client(s.connect());
      co_await client.ask(request, "\r\n\r\n");
    });
    EXPECT_THAT(service.log.back(), testing::EndsWith(each.log)) << request;
    EXPECT_EQ(service.seen, each.seen) << request;
  }
}

TEST(ApiKeyAuth, RefusesAKeyOfTwoClientsAndASourceOfNothing) {
  v3::ApiKeyAuth c = config();
  *c.add_credentials() = c.credentials(0);
  c.add_key_sources();
  FilterService service;
  service.add(filters::api_key_auth, c);
  EXPECT_THAT(std::exchange(service.mistakes, {}),
              testing::ElementsAre(testing::StartsWith("filter.credentials[1].key: "),
                                   testing::StartsWith("filter.key_sources[3]: ")));
}

}  // namespace
}  // namespace outrider
