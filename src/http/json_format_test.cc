#include "http/json_format.h"

#include <gmock/gmock.h>

#include "http/access_log_filter.h"
#include "http/serve_for_test.h"

namespace outrider {
namespace {

// The line for one request that is answered with 404.
std::string line_for(const Value::Struct& fields, FormatOptions options = {}) {
  static std::string line;
  static const JsonFormat* format;
  auto made = JsonFormat::compile(fields, options);
  if (!made) return "error at " + std::to_string(made.error().error.position) + " of " + made.error().way.back();
  format = &*made;
  TestService service;
  service.handler = [](TestService&, Exchange& x) -> Task<Response> {
    Response response = x.reply(404, "", "details");
    x.record.status = 404;
    line.clear();
    format->append(x, line);
    co_return response;
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask("GET /a?b HTTP/1.1\r\nHost: h\r\nx-quote: \"\r\n\r\n", "\r\n\r\n");
  });
  return line;
}

const Value::Struct kFields{{"z", "%RESPONSE_CODE%"},
                            {"a", Value::Struct{{"none", "%REQ(none)%"}, {"list", Value::List{1.0, "%REQ(none)%"}}}},
                            {"empty", Value::Struct{{"none", "%REQ(none)%"}}},
                            {"mixed", "%RESPONSE_CODE% %REQ(none)%"},
                            {"quote", "%REQ(x-quote)%"},
                            {"null", Value()},
                            {"true", true}};

TEST(JsonFormat, KeepsTheKindsOfValuesAndOrdersMembers) {
  EXPECT_EQ(line_for(kFields),
            R"({"a":{"list":[1,null],"none":null},"empty":{"none":null},"mixed":"404 -","null":null,"quote":"\"",)"
            R"("true":true,"z":404})"
            "\n");
}

TEST(JsonFormat, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(line_for(kFields, {.omit_empty = true}),
            R"({"a":{"list":[1]},"mixed":"404 ","quote":"\"","true":true,"z":404})"
            "\n");
  EXPECT_EQ(line_for({{"none", "%REQ(none)%"}}, {.omit_empty = true}), "{}\n");
}

TEST(JsonFormat, SaysWhichTextIsWrong) {
  EXPECT_EQ(line_for({{"a", Value::List{"%PROTOCOL%", "x %NONE%"}}}), "error at 2 of 1");
}

}  // namespace
}  // namespace outrider
