#include "server/logging.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "core/log_levels.h"

namespace outrider {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Logging : testing::Test {
  Logging() {
    char name[] = "/tmp/outrider-log-XXXXXX";
    ::close(::mkstemp(name));
    path = name;
  }
  ~Logging() override {
    uninstall_logging();
    set_log_levels(LogLevel::info);
    ::unlink(path.c_str());
  }
  void install(std::string format, bool escaped = false) {
    ASSERT_TRUE(install_logging({.format = std::move(format), .escaped = escaped, .path = path}));
  }
  std::string written() const {
    flush_logging();
    std::ifstream file(path);
    return {std::istreambuf_iterator(file), {}};
  }
  std::string path;
};

TEST_F(Logging, WritesALineInTheFormatOfEnvoy17) {
  install("[METADATA][%Y-%m-%d %T.%e][%t][%l][%n] %v");
  log(Logger::upstream, LogLevel::warning, "no healthy host");
  EXPECT_THAT(written(),
              ContainsRegex("^\\[METADATA\\]\\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\\.[0-9]{3}\\]\\[[0-9]+\\]"
                            "\\[warning\\]\\[upstream\\] no healthy host\n$"));
}

TEST_F(Logging, LeavesThePlaceInTheSourceOutOfTheDefaultFormat) {
  install("%n [%g:%#] %v");
  log(Logger::main, LogLevel::info, "up");
  EXPECT_EQ(written(), "main up\n");
}

TEST_F(Logging, ShowsTheThreadThatLogged) {
  install("%t %v");
  std::string other;
  std::thread([&] {
    other = std::to_string(::gettid());
    log(Logger::main, LogLevel::info, "there");
  }).join();
  log(Logger::main, LogLevel::info, "here");
  EXPECT_EQ(written(), other + " there\n" + std::to_string(::gettid()) + " here\n");
}

TEST_F(Logging, WritesOnlyWhatItsLevelLetsThrough) {
  install("%n:%v");
  log(Logger::http, LogLevel::debug, "unseen");
  set_log_level(Logger::http, LogLevel::debug);
  log(Logger::http, LogLevel::debug, "seen");
  log(Logger::config, LogLevel::debug, "unseen");
  EXPECT_EQ(written(), "http:seen\n");
}

TEST_F(Logging, TakesEnvoysPatternsForTheMessage) {
  install("%_|%j|%+|%*|%v");
  log(Logger::main, LogLevel::info, "a\n\"b\"\x01");
  EXPECT_EQ(written(), "a\\n\"b\"\x01|a\\n\\\"b\\\"\\u0001|a\n\"b\"\x01||a\n\"b\"\x01\n");
}

TEST_F(Logging, EscapesTheWholeLineWhenAsked) {
  install("%v 'x'", true);
  log(Logger::main, LogLevel::info, "a\n\t\"b\\\x7f");
  EXPECT_EQ(written(), "a\\n\\t\\\"b\\\\\\177 \\'x\\'\n");
}

TEST_F(Logging, KeepsTheOrderOfEachThread) {
  install("%v");
  constexpr int kEach = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([t] {
      for (int i = 0; i < kEach; i++) log(Logger::main, LogLevel::info, std::to_string(t) + " " + std::to_string(i));
    });
  }
  for (auto& thread : threads) thread.join();
  std::string text = written();
  std::ifstream file(path);
  int next[4] = {}, t, i;
  while (file >> t >> i) EXPECT_EQ(i, next[t]++);
  EXPECT_THAT(next, testing::Each(kEach));
  EXPECT_EQ(log_messages_dropped(), 0u);
}

// The file is a pipe that nobody reads, so the log's thread is stuck: who logs goes on.
TEST_F(Logging, DropsAndCountsWhenTheQueueIsFullAndNeverWaits) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::string pipe = "/proc/self/fd/" + std::to_string(ends[1]);
  ASSERT_TRUE(install_logging({.format = "%v", .path = pipe, .queue_max_messages = 100}));
  std::string long_line(10000, 'x');
  for (int i = 0; i < 1000; i++) log(Logger::main, LogLevel::info, long_line);
  EXPECT_GT(log_messages_dropped(), 0u);
  EXPECT_LT(log_messages_dropped(), 1000u);

  ::close(ends[1]);
  std::string all;
  std::thread reader([&] {
    char buffer[65536];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof(buffer))) > 0;) all.append(buffer, static_cast<size_t>(n));
  });
  uninstall_logging();
  reader.join();
  ::close(ends[0]);
  EXPECT_THAT(all, HasSubstr("messages dropped\n"));
}

TEST_F(Logging, AMessageLargerThanTheQueueIsDropped) {
  ASSERT_TRUE(install_logging({.format = "%v", .path = path, .queue_max_bytes = 10}));
  log(Logger::main, LogLevel::info, "0123456789x");
  log(Logger::main, LogLevel::info, "0123456789");
  EXPECT_THAT(written(), StartsWith("0123456789\n"));
  EXPECT_EQ(log_messages_dropped(), 1u);
}

TEST_F(Logging, WritesWhatIsQueuedBeforeItEnds) {
  install("%v");
  for (int i = 0; i < 1000; i++) log(Logger::main, LogLevel::info, std::to_string(i));
  uninstall_logging();
  EXPECT_THAT(written(), EndsWith("\n999\n"));
  log(Logger::main, LogLevel::info, "lost, and harmless");
}

TEST_F(Logging, GoesOnInANewFileAfterARotation) {
  install("%v");
  log(Logger::main, LogLevel::info, "old");
  flush_logging();
  std::string rotated = path + ".1";
  ASSERT_EQ(::rename(path.c_str(), rotated.c_str()), 0);
  ASSERT_TRUE(reopen_log());
  log(Logger::main, LogLevel::info, "new");
  EXPECT_EQ(written(), "new\n");
  std::ifstream file(rotated);
  EXPECT_EQ(std::string(std::istreambuf_iterator(file), {}), "old\n");
  ::unlink(rotated.c_str());
}

TEST_F(Logging, TakesNoSignalOfTheProcess) {
  install("%v");
  std::uint64_t blocked = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string name, word;
    status >> word >> name;
    if (name != "log") continue;
    while (status >> word && word != "SigBlk:") {
    }
    status >> std::hex >> blocked;
  }
  for (int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1}) EXPECT_TRUE(blocked >> (signal - 1) & 1) << signal;
}

TEST_F(Logging, SaysWhyAFileCannotBeOpened) {
  auto result = install_logging({.path = "/nonexistent/x.log"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), "cannot open /nonexistent/x.log: No such file or directory");
}

TEST_F(Logging, TakesItsOptionsAndLevelsFromTheFlags) {
  Flags flags;
  flags.log_format = "%v";
  flags.log_path = "x.log";
  flags.log_format_escaped = true;
  flags.log_level = LogLevel::error;
  flags.component_log_levels = {{"pool", LogLevel::trace}, {"rbac", LogLevel::debug}};
  LogOptions options = log_options(flags);
  EXPECT_EQ(options.format, "%v");
  EXPECT_EQ(options.path, "x.log");
  EXPECT_TRUE(options.escaped);
  set_log_levels(flags);
  EXPECT_EQ(log_level(Logger::pool), LogLevel::trace);
  EXPECT_EQ(log_level(Logger::main), LogLevel::error);
}

}  // namespace
}  // namespace outrider
