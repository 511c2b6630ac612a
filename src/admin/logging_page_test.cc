#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/admin_for_test.h"
#include "core/log_levels.h"

namespace outrider {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string error_of(AdminForTest& admin, const std::string& query) {
  Answered a = admin.post("/logging?" + query);
  return a.status == 400 ? a.body.substr(0, a.body.find('\n')) : "";
}

TEST(Logging, ListsTheLevelOfEachLogger) {
  AdminForTest admin;
  set_log_level(Logger::http, LogLevel::debug);
  Answered a = admin.post("/logging");
  set_log_level(Logger::http, LogLevel::info);
  EXPECT_THAT(a.body, StartsWith("active loggers:\n  a2a: "));
  EXPECT_THAT(a.body, HasSubstr("\n  http: debug\n"));
  EXPECT_THAT(a.body, testing::EndsWith("\n\n"));
  EXPECT_THAT(admin.orders, IsEmpty());
}

TEST(Logging, SetsAllOneOrSeveral) {
  AdminForTest admin;
  EXPECT_EQ(admin.post("/logging?level=debug").status, 200);
  EXPECT_EQ(admin.post("/logging?http=off").status, 200);
  EXPECT_EQ(admin.post("/logging?paths=http:trace,,router%3Awarning,").status, 200);
  EXPECT_THAT(admin.orders, ElementsAre("=debug", "http=off", "http=trace", "router=warning"));
}

TEST(Logging, TakesItsParametersFromAFormToo) {
  AdminForTest admin;
  EXPECT_EQ(admin.post("/logging", "paths=&level=error", "application/x-www-form-urlencoded").status, 200);
  EXPECT_THAT(admin.orders, ElementsAre("=error"));
}

TEST(Logging, ABodyOfAnotherTypeOrBesideAQueryIsNotAForm) {
  AdminForTest admin;
  admin.post("/logging", "level=error", "text/plain");
  EXPECT_THAT(admin.orders, IsEmpty());
  admin.post("/logging?level=info", "level=error", "application/x-www-form-urlencoded");
  EXPECT_THAT(admin.orders, ElementsAre("=info"));
}

TEST(Logging, EveryLoggerOfEnvoyHasALevel) {
  AdminForTest admin;
  EXPECT_EQ(admin.post("/logging?kafka=debug").status, 200);
  EXPECT_THAT(admin.orders, ElementsAre("kafka=debug"));
  set_component_level("kafka", LogLevel::debug);
  std::string body = admin.post("/logging").body;
  set_component_level("kafka", LogLevel::info);
  EXPECT_THAT(body, HasSubstr("\n  kafka: debug\n"));
  EXPECT_THAT(body, HasSubstr("\n  wasm: "));
}

TEST(Logging, WhatIsWrongIsSaidInEnvoysWordsAndNothingChanges) {
  AdminForTest admin;
  EXPECT_EQ(error_of(admin, "nope=debug"), "error: unknown logger name");
  EXPECT_EQ(error_of(admin, "=debug"), "error: unknown logger name");
  EXPECT_EQ(error_of(admin, "http=nope"), "error: unknown logger level");
  EXPECT_EQ(error_of(admin, "level=warn"), "error: unknown logger level");
  EXPECT_EQ(error_of(admin, "level=info&http=debug"), "error: invalid number of parameters");
  EXPECT_EQ(error_of(admin, "group=http:info"), "error: group parameter requires fine-grain logging to be enabled");
  EXPECT_EQ(error_of(admin, "paths=http"), "error: empty logger name or empty logger level");
  EXPECT_EQ(error_of(admin, "paths=http:info,nope:info"), "error: unknown logger name");
  EXPECT_THAT(admin.orders, IsEmpty());
  Answered a = admin.post("/logging?http=nope");
  EXPECT_THAT(a.body, HasSubstr("\n\nusage: /logging?<name>=<level> (change single level)\n"));
  EXPECT_THAT(a.body, HasSubstr("\nlevels: trace debug info warning error critical off \nactive loggers:\n"));
}

}  // namespace
}  // namespace outrider
