// Responses of hosts that die or talk nonsense.
#include <gmock/gmock.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";

struct Broken {
  const char* name;
  const char* head;
  bool reset;  // By RST; else by FIN.
  const char* flag;
  const char* details;
};

class BrokenResponse : public testing::TestWithParam<Broken> {};

TEST_P(BrokenResponse, IsCutShortForTheClientToo) {
  TestProxy proxy;
  static const Broken* broken;
  broken = &GetParam();
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(std::string("HTTP/1.1 200 OK\r\n") + broken->head);
    EXPECT_THAT(co_await client.read_to("half"), StartsWith("HTTP/1.1 200"));
    if (broken->reset) p.network.reset(host.transport());
    host.close();
    EXPECT_THAT(co_await client.read_all(), Not(HasSubstr("0\r\n\r\n")));
    co_await sleep(seconds(2));
    EXPECT_EQ(p.log.back(), std::string("GET /a 200 ") + broken->flag + " " + broken->details);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_remote_with_active_rq), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_protocol_error), broken->flag == std::string_view("UPE") ? 1u : 0u);
    EXPECT_EQ(p.http_count(HttpStat::downstream_rq_tx_reset), 1u);
  });
}

constexpr const char* kBroken = "upstream_reset_after_response_started{protocol_error}";
constexpr const char* kClosed = "upstream_reset_after_response_started{connection_termination}";
constexpr const char* kLengthHead = "content-length: 10\r\n\r\nhalf";
constexpr const char* kChunkedHead = "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";

// Envoy calls a message that is cut short a protocol error, whether by FIN or by RST.
INSTANTIATE_TEST_SUITE_P(All, BrokenResponse,
                         testing::Values(Broken{"LengthClosed", kLengthHead, false, "UPE", kBroken},
                                         Broken{"LengthReset", kLengthHead, true, "UPE", kBroken},
                                         Broken{"ChunkedClosed", kChunkedHead, false, "UPE", kBroken},
                                         Broken{"ChunkedReset", kChunkedHead, true, "UPE", kBroken},
                                         Broken{"UntilCloseReset", "\r\nhalf", true, "UC", kClosed}),
                         [](const auto& param_info) { return param_info.param.name; });

TEST(Attempt, ABrokenChunkEndsTheResponse) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    co_await client.read_to("half");
    co_await host.send("nonsense\r\n");
    co_await client.read_all();
    EXPECT_EQ(co_await host.read_all(), "<end>");
    EXPECT_EQ(p.log.back(), std::string("GET /a 200 UPE ") + kBroken);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_protocol_error), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_local_with_active_rq), 1u);
  });
}

TEST(Attempt, AResponseWithoutLengthEndsWithItsConnection) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 200 OK\r\n\r\nall");
    co_await client.read_to("all");
    host.close();
    EXPECT_THAT(co_await client.read_to("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
    co_await sleep(milliseconds(1));
    EXPECT_EQ(p.log.back(), "GET /a 200 - via_upstream");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_with_active_rq), 0u);
  });
}

TEST(Attempt, AnUpgradeThatNobodyAskedForIsAProtocolError) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("protocol error"), StartsWith("HTTP/1.1 502"));
  });
}

TEST(Attempt, AHeadBeyondTheLimitIsRefused) {
  TestProxy proxy;
  proxy.options.limits.head_bytes_max = 20'000;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 200 OK\r\nx: " + std::string(30'000, 'x') + "\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("protocol error"), StartsWith("HTTP/1.1 502"));
    EXPECT_EQ(co_await host.read_all(), "<end>");
  });
}

TEST(Attempt, ABrokenRequestBodyIsTheClientsFault) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(
        client, "POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n", "some");
    co_await client.send("nonsense\r\n");
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(co_await host.read_all(), Not(HasSubstr("0\r\n\r\n"))) << "the host must not take it for whole";
    EXPECT_EQ(p.log.back(), "POST /a 400 DPE http1.codec_error");
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 0u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_total), 1u);
  });
}

}  // namespace
}  // namespace outrider
