#include "server/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <thread>
#include <vector>

namespace outrider {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::string_view kNoFile = "/nonexistent/envoy.yaml";

std::expected<Flags, FlagError> parse(std::vector<const char*> words, std::string_view fallback = kNoFile) {
  words.insert(words.begin(), "outrider");
  return parse_flags(static_cast<int>(words.size()), words.data(), fallback);
}

// The flags of `words` behind a configuration file; fails the test when they are refused.
Flags good(std::vector<const char*> words) {
  words.insert(words.begin(), {"-c", "x.yaml"});
  auto flags = parse(std::move(words));
  if (!flags) ADD_FAILURE() << flags.error().text;
  return flags.value_or(Flags{});
}

std::string refusal(std::vector<const char*> words) {
  words.insert(words.begin(), {"-c", "x.yaml"});
  auto flags = parse(std::move(words));
  EXPECT_FALSE(flags);
  if (flags) return "";
  EXPECT_EQ(flags.error().exit_code, 1);
  return flags.error().text;
}

TEST(Flags, HaveEnvoysDefaults) {
  Flags flags = good({});
  EXPECT_EQ(flags.config_path, "x.yaml");
  EXPECT_EQ(flags.mode, Mode::serve);
  EXPECT_EQ(flags.concurrency, std::max(1u, std::thread::hardware_concurrency()));
  EXPECT_EQ(flags.log_level, LogLevel::info);
  EXPECT_EQ(flags.log_format, "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v");
  EXPECT_EQ(flags.drain_time_s, 600u);
  EXPECT_EQ(flags.drain_strategy, DrainStrategy::gradual);
  EXPECT_EQ(flags.parent_shutdown_time_s, 900u);
  EXPECT_EQ(flags.file_flush_interval_ms, 10000u);
  EXPECT_EQ(flags.socket_path, "@envoy_domain_socket");
  EXPECT_TRUE(flags.substitute_environment);
  EXPECT_TRUE(flags.without_effect.empty());
}

TEST(Flags, TakeTheirValueAsNextWordOrBehindAnEqualSign) {
  for (auto words :
       std::vector<std::vector<const char*>>{{"-c", "a", "-l", "debug", "--concurrency", "3"},
                                             {"--config-path", "a", "--log-level", "debug", "--concurrency=3"},
                                             {"--config-path=a", "--log-level=debug", "--concurrency=3"}}) {
    auto flags = parse(words);
    ASSERT_TRUE(flags) << flags.error().text;
    EXPECT_EQ(flags->config_path, "a");
    EXPECT_EQ(flags->log_level, LogLevel::debug);
    EXPECT_EQ(flags->concurrency, 3u);
  }
}

TEST(Flags, ValuesMayHoldEqualSignsBlanksAndDashes) {
  EXPECT_EQ(good({"--log-format=a=b"}).log_format, "a=b");
  EXPECT_EQ(good({"--log-format", "[METADATA][%Y-%m-%d %T.%e][%t][%l][%n] %v"}).log_format,
            "[METADATA][%Y-%m-%d %T.%e][%t][%l][%n] %v");
  EXPECT_EQ(good({"--service-node", "--x"}).service_node, "--x");
}

TEST(Flags, TheCommandLineOfEnvoy17IsTaken) {
  Flags flags = good({"--v2-config-only", "-l", "info", "--service-cluster", "front-envoy", "--service-node",
                      "front-envoy", "--log-format", "[METADATA] %v"});
  EXPECT_EQ(flags.service_cluster, "front-envoy");
  EXPECT_EQ(flags.service_node, "front-envoy");
  ASSERT_EQ(flags.without_effect.size(), 1u);
  EXPECT_THAT(flags.without_effect[0], HasSubstr("--v2-config-only"));
}

TEST(Flags, TheCommandLineOfAnIstioSidecarIsTaken) {
  Flags flags = good({"--restart-epoch",
                      "0",
                      "--drain-time-s",
                      "45",
                      "--parent-shutdown-time-s",
                      "60",
                      "--service-cluster",
                      "details.default",
                      "--service-node",
                      "sidecar~10.0.0.1~a.b~c",
                      "--max-obj-name-len",
                      "189",
                      "--local-address-ip-version",
                      "v6",
                      "--log-format-prefix-with-location",
                      "0",
                      "-l",
                      "warning",
                      "--component-log-level",
                      "misc:error,rbac:debug",
                      "--concurrency",
                      "2",
                      "--allow-unknown-fields"});
  EXPECT_EQ(flags.drain_time_s, 45u);
  EXPECT_EQ(flags.local_address_version, AddressVersion::v6);
  EXPECT_TRUE(flags.allow_unknown_fields);
  EXPECT_THAT(flags.component_log_levels, ElementsAre(Pair("misc", LogLevel::error), Pair("rbac", LogLevel::debug)));
}

TEST(Flags, ModesAreReadByName) {
  EXPECT_EQ(good({"--mode", "validate"}).mode, Mode::validate);
  EXPECT_EQ(good({"--mode", "init_only"}).mode, Mode::init_only);
  EXPECT_THAT(refusal({"--mode", "zz"}), HasSubstr("error: unknown mode 'zz'"));
}

TEST(Flags, SwitchesTakeNoValue) {
  EXPECT_FALSE(good({"--no-environment"}).substitute_environment);
  EXPECT_TRUE(good({"--log-format-escaped"}).log_format_escaped);
  EXPECT_THAT(refusal({"--log-format-escaped=1"}), HasSubstr("takes no value"));
}

TEST(Flags, AnUnknownFlagIsRefusedWithTheNearestName) {
  EXPECT_THAT(refusal({"--concurency", "2"}), HasSubstr("PARSE ERROR: Argument: --concurency\n"
                                                        "             Couldn't find match for argument\n"
                                                        "             Did you mean --concurrency?\n"));
  EXPECT_THAT(refusal({"--servce-cluster=x"}), HasSubstr("Did you mean --service-cluster?"));
  EXPECT_THAT(refusal({"--frobnicate"}), testing::Not(HasSubstr("Did you mean")));
  EXPECT_THAT(refusal({"stray"}), HasSubstr("Argument: stray"));
  EXPECT_THAT(refusal({"-"}), HasSubstr("Couldn't find match"));
  EXPECT_THAT(refusal({""}), HasSubstr("Couldn't find match"));
  EXPECT_THAT(refusal({"-x"}), HasSubstr("Couldn't find match"));
  std::string endless = "--" + std::string(100000, 'x');
  EXPECT_THAT(refusal({endless.c_str()}), HasSubstr("Couldn't find match"));
}

TEST(Flags, NumbersMustBeWholeAndFit) {
  for (const char* bad : {"x", "", "-1", "1.5", "0x10", "99999999999", " 1", "1 "}) {
    EXPECT_THAT(refusal({"--concurrency", bad}), HasSubstr("Couldn't read argument value from string")) << bad;
  }
  EXPECT_THAT(refusal({"--max-stats", "many"}), HasSubstr("Couldn't read argument value from string 'many'"));
}

TEST(Flags, AMissingValueIsRefused) {
  EXPECT_THAT(refusal({"--mode"}), HasSubstr("Missing a value for this argument!"));
}

TEST(Flags, NoneIsGivenTwiceButStatsTag) {
  EXPECT_THAT(refusal({"-l", "info", "--log-level", "debug"}),
              HasSubstr("Argument: -l,  --log-level\n             Argument already set!"));
  EXPECT_THAT(good({"--stats-tag", "a:b", "--stats-tag", "c:d:e"}).stats_tags,
              ElementsAre(Pair("a", "b"), Pair("c", "d:e")));
  EXPECT_THAT(refusal({"--stats-tag", "a:b", "--stats-tag", "a:c"}), HasSubstr("given twice"));
  EXPECT_THAT(refusal({"--stats-tag", "a:b.c"}), HasSubstr("misformatted stats-tag 'a:b.c'"));
}

TEST(Flags, ComponentLevelsAreCheckedByNameAndLevel) {
  EXPECT_THAT(refusal({"--component-log-level", "foo"}),
              HasSubstr("component log level not correctly specified 'foo'"));
  EXPECT_THAT(refusal({"--component-log-level", "foo:debug"}), HasSubstr("invalid component specified 'foo'"));
  EXPECT_THAT(refusal({"--component-log-level", "main:zz"}), HasSubstr("invalid log level specified 'zz'"));
}

TEST(Flags, SomeDoNotGoTogether) {
  EXPECT_EQ(refusal({"--restart-epoch", "2", "--use-dynamic-base-id"}),
            "error: cannot use --restart-epoch=2 with --use-dynamic-base-id\n");
  EXPECT_EQ(refusal({"--enable-fine-grain-logging", "--component-log-level", "http:debug"}),
            "error: --component-log-level will not work with --enable-fine-grain-logging\n");
}

TEST(Flags, WhatFollowsTwoDashesIsIgnored) { EXPECT_EQ(good({"--", "--concurency"}).config_path, "x.yaml"); }

TEST(Flags, TheDefaultConfigurationIsReadWhenNoneIsNamed) {
  auto flags = parse({}, "/proc/self/status");
  ASSERT_TRUE(flags);
  EXPECT_EQ(flags->config_path, "/proc/self/status");
  EXPECT_EQ(parse({"--config-yaml", "{}"}, "/proc/self/status")->config_path, "");

  auto none = parse({});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text, HasSubstr("no configuration"));
  EXPECT_THAT(none.error().text, HasSubstr(std::string(kNoFile)));
}

TEST(Flags, HelpAndVersionAreAnswersAndNoErrors) {
  for (const char* flag : {"-h", "--help", "--version", "--hot-restart-version"}) {
    auto asked = parse({flag});
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().exit_code, 0) << flag;
    EXPECT_FALSE(asked.error().text.empty());
  }
  EXPECT_THAT(version_text(), HasSubstr("outrider  version: " OUTRIDER_VERSION "/"));
}

TEST(Flags, HelpNamesEveryFlagOfEnvoy140) {
  std::string help = help_text();
  for (const char* name : {"stats-tag",
                           "enable-core-dump",
                           "socket-mode",
                           "socket-path",
                           "disable-extensions",
                           "cpuset-threads",
                           "enable-mutex-tracing",
                           "disable-hot-restart",
                           "mode",
                           "parent-shutdown-time-s",
                           "drain-strategy",
                           "drain-time-s",
                           "file-flush-min-size-kb",
                           "file-flush-interval-msec",
                           "service-zone",
                           "service-node",
                           "service-cluster",
                           "hot-restart-version",
                           "restart-epoch",
                           "log-path",
                           "enable-fine-grain-logging",
                           "log-format-escaped",
                           "log-format",
                           "component-log-level",
                           "log-level",
                           "local-address-ip-version",
                           "admin-address-path",
                           "log-stacktrace-single-entry",
                           "skip-deprecated-logs",
                           "ignore-unknown-dynamic-fields",
                           "reject-unknown-dynamic-fields",
                           "allow-unknown-static-fields",
                           "allow-unknown-fields",
                           "config-yaml",
                           "config-path",
                           "concurrency",
                           "base-id-path",
                           "skip-hot-restart-parent-stats",
                           "skip-hot-restart-on-no-parent",
                           "use-dynamic-base-id",
                           "base-id",
                           "version",
                           "help"}) {
    EXPECT_THAT(help, testing::ContainsRegex("--" + std::string(name) + "( <|\n)"));
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

}  // namespace
}  // namespace outrider
