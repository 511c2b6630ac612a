#include <gmock/gmock.h>

#include "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType header_to_metadata;
}
namespace {

using v3 = envoy::extensions::filters::http::header_to_metadata::v3::Config;

// The value that the request leaves under "n", "k": as text, number, or "-" where there is none.
Task<Response> tell_value(TestService& s, Exchange& x) {
  const Value* value = x.dynamic_metadata ? x.dynamic_metadata->find("n", {"k"}) : nullptr;
  s.seen = "-";
  if (value && value->text()) s.seen = *value->text();
  if (value && value->number()) s.seen = "#" + std::to_string(*value->number());
  if (value && value->fields()) s.seen = "{}";
  if (value && value->is_null()) s.seen = "null";
  co_return x.reply(200, "", "direct_response");
}

v3::KeyValuePair* prepare(v3::KeyValuePair* entry) {
  entry->set_metadata_namespace("n");
  entry->set_key("k");
  return entry;
}

// What becomes of a field "x" of that value.
std::string value_of(const v3& config, const std::string& field) {
  static std::string request;
  request = "GET / HTTP/1.1\r\nhost: h\r\n" + field + "\r\n";
  FilterService service;
  service.add(filters::header_to_metadata, config);
  service.handler = tell_value;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(request, "\r\n\r\n");
  });
  return service.seen;
}

v3 present(v3::ValueType type = v3::STRING, v3::ValueEncode encode = v3::NONE) {
  v3 config;
  auto* rule = config.add_request_rules();
  rule->set_header("X");
  prepare(rule->mutable_on_header_present())->set_type(type);
  rule->mutable_on_header_present()->set_encode(encode);
  return config;
}

struct Case {
  v3::ValueType type;
  v3::ValueEncode encode;
  const char* field;
  const char* value;
};

TEST(HeaderToMetadata, ReadsTextsNumbersAndMessages) {
  for (const Case& each : std::initializer_list<Case>{
           {v3::STRING, v3::NONE, "", "-"},
           {v3::STRING, v3::NONE, "x: \r\n", "-"},
           {v3::STRING, v3::NONE, "x: a\r\nX: b\r\n", "a,b"},
           {v3::NUMBER, v3::NONE, "x: -1.5\r\n", "#-1.500000"},
           {v3::NUMBER, v3::NONE, "x: 0x10\r\n", "#16.000000"},
           {v3::NUMBER, v3::NONE, "x: 1e\r\n", "-"},
           {v3::STRING, v3::BASE64, "x: aGVsbG8\r\n", "hello"},
           {v3::STRING, v3::BASE64, "x: =\r\n", "-"},
           {v3::NUMBER, v3::BASE64, "x: IDUg\r\n", "#5.000000"},
           {v3::PROTOBUF_VALUE, v3::BASE64, "x: GgNhYmM=\r\n", "abc"},
           {v3::PROTOBUF_VALUE, v3::BASE64, "x: EQAAAAAAAPA/\r\n", "#1.000000"},
           {v3::PROTOBUF_VALUE, v3::BASE64, "x: KgA=\r\n", "{}"},
           {v3::PROTOBUF_VALUE, v3::BASE64, "x: CAA=\r\n", "null"},
           {v3::PROTOBUF_VALUE, v3::BASE64, "x: Z2FyYmFnZQ==\r\n", "-"},
       }) {
    EXPECT_EQ(value_of(present(each.type, each.encode), each.field), each.value) << each.field;
  }
}

TEST(HeaderToMetadata, RefusesValuesOf8KiB) {
  EXPECT_EQ(value_of(present(), "x: " + std::string(8191, 'a') + "\r\n").size(), 8191u);
  EXPECT_EQ(value_of(present(), "x: " + std::string(8192, 'a') + "\r\n"), "-");
}

TEST(HeaderToMetadata, RewritesValues) {
  v3 config = present();
  auto* rewrite = config.mutable_request_rules(0)->mutable_on_header_present()->mutable_regex_value_rewrite();
  rewrite->mutable_pattern()->set_regex("^/(\\w+)/.*");
  rewrite->set_substitution("<\\1>");
  EXPECT_EQ(value_of(config, "x: /cat/1\r\n"), "<cat>");
  EXPECT_EQ(value_of(config, "x: dog\r\n"), "dog");
}

TEST(HeaderToMetadata, KnowsCookiesAndWhatIsMissing) {
  v3 config;
  auto* rule = config.add_request_rules();
  rule->set_cookie("c");
  prepare(rule->mutable_on_header_present());
  prepare(rule->mutable_on_header_missing())->set_value("none");
  EXPECT_EQ(value_of(config, "cookie: a=1; c=2\r\n"), "2");
  EXPECT_EQ(value_of(config, "cookie: c=\r\n"), "none");
}

TEST(HeaderToMetadata, RefusesRulesThatSayTooLittleOrTooMuch) {
  v3 config;
  config.add_request_rules()->set_header("a");
  auto* cookie = config.add_request_rules();
  cookie->set_cookie("c");
  cookie->set_remove(true);
  prepare(cookie->mutable_on_header_missing());
  auto* both = config.add_response_rules();
  both->set_header("a");
  both->set_cookie("c");
  auto* entry = prepare(both->mutable_on_header_present());
  entry->set_value("v");
  entry->mutable_regex_value_rewrite()->mutable_pattern()->set_regex("(");
  prepare(config.add_response_rules()->mutable_on_header_present());
  FilterService service;
  service.add(filters::header_to_metadata, config);
  using testing::StartsWith;
  EXPECT_THAT(
      std::exchange(service.mistakes, {}),
      testing::UnorderedElementsAre(
          "filter.request_rules[0]: needs `on_header_present` or `on_header_missing`",
          StartsWith("filter.request_rules[1].remove: "), StartsWith("filter.request_rules[1].on_header_missing: "),
          StartsWith("filter.response_rules[0].cookie: "),
          StartsWith("filter.response_rules[0].on_header_present.regex_value_rewrite.pattern.regex: "),
          "filter.response_rules[1]: needs `header` or `cookie`"));
}

}  // namespace
}  // namespace outrider
