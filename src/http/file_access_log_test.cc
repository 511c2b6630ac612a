#include "http/file_access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using testing::HasSubstr;

class FileAccessLogTest : public testing::Test {
 protected:
  FileAccessLogTest() {
    std::string pattern = testing::TempDir() + "outrider-log-XXXXXX";
    directory = mkdtemp(pattern.data());
    options.stats = registry.scope("filesystem.", file_stat_table());
    options.workers = 4;
    options.writer_stats_index = 4;
    options.flush_interval = std::chrono::hours(1);  // Only what the test asks for.
  }
  ~FileAccessLogTest() override { std::filesystem::remove_all(directory); }

  std::string path(const char* name = "log") const { return directory + "/" + name; }
  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::uint64_t count(FileStat stat) const { return options.stats->value(static_cast<std::size_t>(stat)); }

  std::string directory;
  StatRegistry registry;
  LogFiles::Options options;
};

TEST_F(FileAccessLogTest, WritesTheLinesOfAWorkerInTheirOrder) {
  LogFiles files(options);
  auto file = *files.open(path());
  std::string expected;
  for (int i = 0; i < 50'000; i++) {
    std::string line = "line " + std::to_string(i) + "\n";
    file->write(0, line);
    expected += line;
    if (i % 1000 == 0) files.flush();
  }
  files.flush();
  EXPECT_EQ(content(path()), expected);
  EXPECT_EQ(count(FileStat::write_buffered), 50'000u);
  EXPECT_EQ(count(FileStat::write_dropped), 0u);
  EXPECT_EQ(count(FileStat::write_total_buffered), 0u);
}

TEST_F(FileAccessLogTest, TakesLinesOfAllWorkersAtOnceAndMixesNone) {
  LogFiles files(options);
  auto file = *files.open(path());
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; w++) {
    workers.emplace_back([&, w] {
      std::string line = std::string(static_cast<std::size_t>(100 + w), static_cast<char>('a' + w)) + "\n";
      for (int i = 0; i < 2000; i++) file->write(w, line);
    });
  }
  for (auto& worker : workers) worker.join();
  files.flush();
  std::ifstream lines(path());
  std::array<int, 4> seen{};
  for (std::string line; std::getline(lines, line);) {
    auto w = static_cast<std::size_t>(line.at(0) - 'a');
    ASSERT_EQ(line, std::string(100 + w, static_cast<char>('a' + w)));
    seen[w]++;
  }
  EXPECT_THAT(seen, testing::Each(2000));
}

TEST_F(FileAccessLogTest, DropsLinesWhereTheQueueIsFull) {
  options.queue_bytes_max = 1000;
  options.flush_bytes = 1 << 20;
  LogFiles files(options);
  auto file = *files.open(path());
  std::string line(100, 'x');
  for (int i = 0; i < 50; i++) file->write(0, line);
  EXPECT_EQ(count(FileStat::write_dropped), 40u);
  EXPECT_EQ(count(FileStat::write_total_buffered), 1000u);
  files.flush();
  EXPECT_EQ(content(path()).size(), 1000u);
  file->write(0, line);
  files.flush();
  EXPECT_EQ(content(path()).size(), 1100u);
}

TEST_F(FileAccessLogTest, APipeThatNobodyReadsHoldsUpNoOtherFile) {
  options.queue_bytes_max = 1 << 20;
  options.flush_interval = std::chrono::milliseconds(5);
  std::string pipe = path() + ".pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  std::string line(999, 'x'), all;
  line += '\n';
  {
    LogFiles files(options);
    auto stuck = *files.open(pipe), file = *files.open(path());
    for (int i = 0; i < 200; i++) stuck->write(i % 2, line);  // More than a pipe holds.
    for (int i = 0; i < 200; i++) file->write(0, line);
    while (content(path()).size() < 200'000) std::this_thread::yield();
    EXPECT_GT(count(FileStat::write_total_buffered), 0u) << "the pipe's";
    char buffer[65536];
    while (all.size() < 200'000) {
      if (ssize_t n = read(reader, buffer, sizeof buffer); n > 0) all.append(buffer, static_cast<std::size_t>(n));
    }
    for (int i = 0; i < 200; i++) stuck->write(i % 2, line);  // These are lost at the end.
  }
  for (std::size_t at = 0; at < all.size(); at += 1000) ASSERT_EQ(all.substr(at, 1000), line) << "no line is torn";
  EXPECT_GT(count(FileStat::write_failed), 0u);
  EXPECT_EQ(count(FileStat::write_total_buffered), 0u);
  close(reader);
}

TEST_F(FileAccessLogTest, KeepsALineLargerThanAChunk) {
  LogFiles files(options);
  auto file = *files.open(path());
  std::string large(200'000, 'y');
  file->write(1, "a");
  file->write(1, large);
  file->write(1, "b");
  files.flush();
  EXPECT_EQ(content(path()), "a" + large + "b");
}

TEST_F(FileAccessLogTest, IsOneFileForOnePath) {
  LogFiles files(options);
  auto file = *files.open(path());
  EXPECT_EQ(*files.open(path()), file);
  EXPECT_NE(*files.open(path("other")), file);
}

TEST_F(FileAccessLogTest, AppendsToWhatIsThere) {
  std::ofstream(path()) << "before\n";
  LogFiles files(options);
  (*files.open(path()))->write(0, "after\n");
  files.flush();
  EXPECT_EQ(content(path()), "before\nafter\n");
}

TEST_F(FileAccessLogTest, OpensAgainAfterARotation) {
  LogFiles files(options);
  auto file = *files.open(path());
  file->write(0, "old\n");
  std::filesystem::rename(path(), path("rotated"));
  files.reopen();
  files.flush();
  file->write(0, "new\n");
  files.flush();
  EXPECT_EQ(content(path("rotated")), "old\n");
  EXPECT_EQ(content(path()), "new\n");
}

TEST_F(FileAccessLogTest, StaysWithTheOldFileWhereTheNewCannotBeOpened) {
  LogFiles files(options);
  auto file = *files.open(path());
  std::filesystem::rename(path(), path("rotated"));
  std::filesystem::create_directory(path());
  files.reopen();
  files.flush();
  file->write(0, "line\n");
  files.flush();
  EXPECT_EQ(content(path("rotated")), "line\n");
  EXPECT_EQ(count(FileStat::reopen_failed), 1u);
}

TEST_F(FileAccessLogTest, SaysWhyAFileCannotBeOpened) {
  LogFiles files(options);
  auto failed = files.open(path("none/log"));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), testing::AllOf(HasSubstr(path("none/log")), HasSubstr("No such file or directory")));
}

TEST_F(FileAccessLogTest, CountsWhatTheFileRefuses) {
  LogFiles files(options);
  auto file = *files.open("/dev/full");
  file->write(0, "line\n");
  files.flush();
  EXPECT_EQ(count(FileStat::write_failed), 1u);
  EXPECT_EQ(count(FileStat::write_total_buffered), 0u);
}

TEST_F(FileAccessLogTest, WritesEverythingBeforeItEnds) {
  {
    LogFiles files(options);
    (*files.open(path()))->write(0, "nobody holds the file any more\n");
    (*files.open(path("other")))->write(3, "other\n");
  }
  EXPECT_EQ(content(path()), "nobody holds the file any more\n");
  EXPECT_EQ(content(path("other")), "other\n");
}

TEST_F(FileAccessLogTest, WritesWithoutBeingAskedWhenMuchHasGathered) {
  options.flush_bytes = 1000;
  LogFiles files(options);
  auto file = *files.open(path());
  std::string line(100, 'x');
  for (int i = 0; i < 10; i++) file->write(0, line);
  while (count(FileStat::write_completed) == 0) std::this_thread::yield();
  EXPECT_FALSE(content(path()).empty());
}

TEST_F(FileAccessLogTest, WritesALineForEachRequest) {
  LogFiles files(options);
  TestService service;
  service.options->access_logs = {
      std::make_shared<FileAccessLog>(*files.open(path()), *Format::compile("%REQ(:PATH)% %RESPONSE_CODE%\n"))};
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask("GET /a HTTP/1.1\r\nhost: h\r\n\r\n", "/a");
    co_await client.ask("GET /b HTTP/1.1\r\nhost: h\r\n\r\n", "/b");
  });
  files.flush();
  EXPECT_EQ(content(path()), "/a 200\n/b 200\n");
}

}  // namespace
}  // namespace outrider
