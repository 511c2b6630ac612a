// What a request costs in coroutine frames and memory.
#include "http/serve_for_test.h"

namespace outrider {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\nuser-agent: u\r\naccept: */*\r\n\r\n";
constexpr int kRequests = 100;

// serve_one, answer, the filter, send_response.
constexpr std::uint64_t kFrames = 4;
// The exchange's arena.
constexpr std::uint64_t kChunks = 1;

Task<> ask_many(TestClient& client, int requests) {
  char buffer[1024];
  iovec piece{const_cast<char*>(kGet.data()), kGet.size()};
  for (int i = 0; i < requests; i++) {
    co_await client.transport().write(&piece, 1);
    co_await client.transport().read(buffer, sizeof buffer);
  }
}

TEST(ServeCost, AGetTakesFewFramesAndNothingFromTheSystem) {
  TestService service;
  service.options->access_logs.clear();
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await ask_many(client, kRequests);
    FramePool::Counts before = FramePool::counts();
    co_await ask_many(client, kRequests);
    FramePool::Counts after = FramePool::counts();
    EXPECT_EQ(after.allocations - before.allocations, kRequests * (kFrames + kChunks) + 1) << "one is the client's";
    if (OUTRIDER_POOLING) {
      EXPECT_EQ(after.from_system, before.from_system);
    }
    EXPECT_EQ(after.live, before.live);
  });
}

TEST(ServeCost, AnIdleConnectionHoldsTwoFrames) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient first(s.connect());
    co_await ask_many(first, 1);
    FramePool::Counts before = FramePool::counts();
    TestClient second(s.connect());
    co_await ask_many(second, 1);
    co_await sleep(std::chrono::seconds(1));
    EXPECT_EQ(FramePool::counts().live - before.live, 3) << "the scope's child, serve, H1Server::run";
    EXPECT_EQ(s.worker.blocks().in_use(), 0u);
  });
}

}  // namespace
}  // namespace outrider
