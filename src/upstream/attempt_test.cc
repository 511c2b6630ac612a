#include "upstream/attempt.h"

#include <gmock/gmock.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

// --- the connection was dead already ----------------------------------------------------------------------------

TEST(Attempt, SendsAGetAgainWhenItsPooledConnectionIsDead) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    co_await client.send(kGet);
    co_await host.read_to("\r\n\r\n");
    host.close();
    TestClient again = co_await p.accept();
    EXPECT_THAT(co_await again.read_to("\r\n\r\n"), StartsWith("GET /a HTTP/1.1\r\nhost: h\r\n"));
    co_await again.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(p.log.back(), "GET /a 200 - via_upstream");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_total), 3u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 2u);
    EXPECT_EQ(p.code(200), 2u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 0u);
  });
}

// The dead connection must not stand in the way of the one that replaces it.
TEST(Attempt, SendsAgainWhereOneConnectionIsAllThatIsAllowed) {
  TestProxy proxy;
  proxy.options.thresholds[0].connections = 1;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    co_await client.send(kGet);
    co_await host.read_to("\r\n\r\n");
    host.close();
    TestClient again = co_await p.accept();
    co_await again.read_to("\r\n\r\n");
    EXPECT_LT(p.elapsed(), seconds(1));
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_active), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 1u);
    co_await again.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_overflow), 0u);
  });
}

TEST(Attempt, SendsAPutWithItsWholeBodyAgain) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    co_await client.send("PUT /a HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody");
    co_await host.read_to("body");
    host.close();
    TestClient again = co_await p.accept();
    EXPECT_THAT(co_await again.read_to("body"), AllOf(StartsWith("PUT /a"), HasSubstr("content-length: 4\r\n")));
    co_await again.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
  });
}

TEST(Attempt, NeverSendsAPostTwice) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    co_await client.send(kPost);
    co_await host.read_to("body");
    host.close();
    EXPECT_THAT(co_await client.read_to("termination"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.log.back(), "POST /a 503 UC upstream_reset_before_response_started{connection_termination}");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 1u);
  });
}

TEST(Attempt, NeverSendsAgainWhatIsNotAllHere) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    co_await client.send("PUT /a HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbo");
    co_await host.read_to("bo");
    host.close();
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
  });
}

TEST(Attempt, DoesNotSendAgainOnAFreshConnection) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    (co_await p.forward(client, kGet)).close();
    EXPECT_THAT(co_await client.read_to("termination"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.log.back(), "GET /a 503 UC upstream_reset_before_response_started{connection_termination}");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_remote_with_active_rq), 1u);
  });
}

TEST(Attempt, DoesNotSendAgainOnceAResponseHasBegun) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    co_await client.send(kGet);
    co_await host.read_to("\r\n\r\n");
    co_await host.send("HTTP/1.1 20");
    host.close();
    EXPECT_THAT(co_await client.read_to("protocol error"), StartsWith("HTTP/1.1 502"));
    EXPECT_EQ(p.log.back(), "GET /a 502 UPE upstream_reset_before_response_started{protocol_error}");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
  });
}

// As many dead connections as there may be tries, and one more.
TEST(Attempt, GivesUpWhenEveryConnectionIsDead) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    std::vector<TestClient> clients, hosts;
    for (int i = 0; i < kReplaysMax + 2; i++) {
      clients.push_back(p.connect());
      hosts.push_back(co_await p.forward(clients.back(), kGet));
    }
    for (std::size_t i = 0; i < hosts.size(); i++) {
      co_await hosts[i].send(kOk);
      co_await clients[i].read_to("ok");
    }
    co_await sleep(milliseconds(1));
    co_await clients[0].send(kGet);
    for (std::size_t i = hosts.size() - 1; i > 0; i--) {  // That which was idle for the shortest time comes first.
      EXPECT_THAT(co_await hosts[i].read_to("\r\n\r\n"), StartsWith("GET"));
      hosts[i].close();
    }
    EXPECT_THAT(co_await clients[0].read_to("termination"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 1u);
  });
}

// --- responses that come early ------------------------------------------------------------------------------------

TEST(Attempt, PassesOnAResponseThatComesBeforeTheRequestsEnd) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host =
        co_await p.forward(client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nsome", "some");
    co_await host.send(kOk);
    EXPECT_THAT(co_await client.read_all(), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("ok<end>")));
    EXPECT_EQ(p.log.back(), "POST /a 200 - via_upstream");
    EXPECT_EQ(co_await host.read_all(), "<end>") << "a connection in the middle of a request cannot be used again";
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 0u);
  });
}

TEST(Attempt, GoesOnSendingTheRequestWhileTheResponseFlows) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host =
        co_await p.forward(client, "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 8\r\n\r\nsome", "some");
    co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
    co_await client.read_to("half");
    co_await client.send("more");
    EXPECT_EQ(co_await host.read_to("more"), "more");
    co_await host.send("rest");
    EXPECT_EQ(co_await client.read_to("rest"), "rest");
    co_await client.send(kGet);
    EXPECT_THAT(co_await host.read_to("\r\n\r\n"), StartsWith("GET /a")) << "both connections are used again";
    co_await host.send(kOk);
    co_await client.read_to("ok");
  });
}

TEST(Attempt, PassesOnTheRefusalOfAHostThatDoesNotReadTheBody) {
  TestProxy proxy;
  proxy.path().capacity_bytes = 4096;
  proxy.run([](TestProxy& p) -> Task<> {
    p.network.path(TestProxy::kAddress).capacity_bytes = 1 << 20;
    TestClient client = p.connect();
    co_await client.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 200000\r\n\r\n" + std::string(200'000, 'x'));
    TestClient host = co_await p.accept();
    co_await host.send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig");
    host.close();  // With bytes unread: a reset follows the response.
    EXPECT_THAT(co_await client.read_to("big"), StartsWith("HTTP/1.1 413"));
    co_await sleep(seconds(2));
    EXPECT_EQ(p.log.back(), "POST /a 413 - via_upstream");
  });
}

TEST(Attempt, HearsAHostThatAnswersAndNeitherReadsNorCloses) {
  TestProxy proxy;
  proxy.path().capacity_bytes = 4096;
  proxy.run([](TestProxy& p) -> Task<> {
    p.network.path(TestProxy::kAddress).capacity_bytes = 1 << 20;
    TestClient client = p.connect();
    co_await client.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 200000\r\n\r\n" + std::string(200'000, 'x'));
    TestClient host = co_await p.accept();
    co_await host.send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig");
    EXPECT_THAT(co_await client.read_to("big"), StartsWith("HTTP/1.1 413"));
    EXPECT_LT(p.elapsed(), seconds(1));
  });
}

TEST(Attempt, PassesInformationalResponsesOnButFor100) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    EXPECT_EQ(co_await client.read_to("\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    co_await host.send(kOk);
    std::string final = co_await client.read_to("ok");
    EXPECT_THAT(final, AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("link"))));
  });
}

TEST(Attempt, AThousandInformationalResponsesTakeNoMoreMemoryThanOne) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    co_await client.read_to("\r\n\r\n");
    std::int64_t before = FramePool::counts().live;
    for (int i = 0; i < 1000; i++) {
      co_await host.send("HTTP/1.1 100 Continue\r\nlink: </a>\r\n\r\n");
      co_await turn();
    }
    co_await sleep(milliseconds(1));
    EXPECT_LE(FramePool::counts().live, before + 1);
    co_await host.send(kOk);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
  });
}

// --- which connections are used again -----------------------------------------------------------------------------

TEST(Attempt, UsesAConnectionForOneRequestAfterTheOther) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    for (int i = 0; i < 3; i++) {
      co_await client.send(kPost);
      co_await host.read_to("body");
      co_await host.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
      EXPECT_THAT(co_await client.read_to("0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
      co_await sleep(milliseconds(1));
    }
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_total), 4u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_success, 4u);
  });
}

class LastResponse : public testing::TestWithParam<const char*> {};

TEST_P(LastResponse, EndsItsConnection) {
  TestProxy proxy;
  static const char* response;
  response = GetParam();
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    co_await host.send(response);
    EXPECT_THAT(co_await client.read_to("ok"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(co_await host.read_all(), "<end>");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_with_active_rq), 0u);
  });
}

INSTANTIATE_TEST_SUITE_P(All, LastResponse,
                         testing::Values("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
                                         "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
                                         "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and bytes of nobody"));

// --- hosts --------------------------------------------------------------------------------------------------------

TEST(Attempt, SaysWhyAConnectionWasNotMade) {
  TestProxy proxy;
  proxy.path().connect_error = ECONNREFUSED;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "remote connection failure"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.log.back(),
              "GET /a 503 UF upstream_reset_before_response_started{remote_connection_failure|"
              "delayed_connect_error:_Connection_refused}");
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 1u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_total, 0u);
  });
}

TEST(Attempt, AClusterWithoutHostsIsAnswered503) {
  TestProxy proxy(0);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "no healthy upstream"), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(p.log.back(), "GET /a 503 UH no_healthy_upstream");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_none_healthy), 1u);
    EXPECT_EQ(p.code(503), 1u);
  });
}

TEST(Attempt, GoesToOneHostAfterTheOther) {
  TestProxy proxy(2);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    for (std::size_t host : {0, 1, 0, 1}) {
      p.path(host).connect_error = ECONNREFUSED;
      EXPECT_THAT(co_await client.ask(kGet, "failure"), StartsWith("HTTP/1.1 503"));
      EXPECT_EQ(p.hosts[host]->numbers.rq_error.exchange(0), 1u);
    }
  });
}

TEST(AutoHostRewrite, TakesTheNameOfTheHost) {
  TestProxy proxy;
  proxy.route.host_rewrite.of_endpoint = true;
  proxy.hosts[0] = std::make_shared<Endpoint>(proxy.hosts[0]->address, "name.example", 1, 0, 1);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(p.received, AllOf(HasSubstr("\r\nhost: name.example\r\n"), HasSubstr("x-envoy-original-host: h\r\n")));
    co_await host.send(kOk);
    co_await client.read_to("ok");
    co_await client.send(kGet);
    co_await host.read_to("\r\n\r\n");
    host.close();
    TestClient again = co_await p.accept();
    EXPECT_THAT(co_await again.read_to("\r\n\r\n"),
                AllOf(HasSubstr("\r\nhost: name.example\r\n"), HasSubstr("x-envoy-original-host: h\r\n")));
    co_await again.send(kOk);
    co_await client.read_to("ok");
  });
}

TEST(AutoHostRewrite, LeavesTheHostFieldToAHostWithoutName) {
  TestProxy proxy;
  proxy.route.host_rewrite.of_endpoint = true;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(p.received, AllOf(HasSubstr("\r\nhost: h\r\n"), Not(HasSubstr("x-envoy-original-host"))));
    co_await host.send(kOk);
    co_await client.read_to("ok");
  });
}

}  // namespace
}  // namespace outrider
