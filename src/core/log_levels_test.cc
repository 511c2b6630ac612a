#include "core/log_levels.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

struct LogLevels : testing::Test {
  ~LogLevels() override { set_log_levels(LogLevel::info); }
};

TEST_F(LogLevels, AreReadByTheirLowerCaseNames) {
  EXPECT_EQ(parse_log_level("trace"), LogLevel::trace);
  EXPECT_EQ(parse_log_level("off"), LogLevel::off);
  EXPECT_EQ(parse_log_level("warn"), LogLevel::warning);
  EXPECT_EQ(parse_log_level("DEBUG"), std::nullopt);
  EXPECT_EQ(parse_log_level(""), std::nullopt);
}

TEST_F(LogLevels, OneLoggerChangesAlone) {
  set_log_level(Logger::upstream, LogLevel::debug);
  EXPECT_TRUE(log_enabled(Logger::upstream, LogLevel::debug));
  EXPECT_FALSE(log_enabled(Logger::http, LogLevel::debug));
}

TEST_F(LogLevels, AllLoggersChangeTogether) {
  set_log_levels(LogLevel::off);
  for (std::size_t each = 0; each < kLoggerNames.size(); each++) {
    EXPECT_EQ(log_level(static_cast<Logger>(each)), LogLevel::off);
    EXPECT_FALSE(log_enabled(static_cast<Logger>(each), LogLevel::critical));
  }
}

TEST_F(LogLevels, EnvoysOtherComponentsAreKnownByName) {
  EXPECT_TRUE(known_component("rbac"));
  EXPECT_EQ(parse_logger("rbac"), std::nullopt);
  EXPECT_EQ(parse_logger("pool"), Logger::pool);
  EXPECT_FALSE(known_component("foo"));
  for (auto name : kLoggerNames) EXPECT_TRUE(known_component(name));
}

}  // namespace
}  // namespace outrider
