#include "upstream/router.h"

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
constexpr std::string_view kUpgrade = "GET /a HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

TEST(Router, AnswersARequestWithoutRoute404) {
  TestProxy proxy;
  proxy.route.path = "/elsewhere";
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("content-length: 0\r\n")));
    EXPECT_EQ(p.log.back(), "GET /a 404 NR route_not_found");
    EXPECT_EQ(p.http_count(HttpStat::no_route), 1u);
    EXPECT_EQ(p.http_count(HttpStat::rq_total), 1u);
  });
}

TEST(Router, AnswersByItselfWhereTheRouteSaysSo) {
  TestProxy proxy;
  proxy.route.direct = std::make_unique<DirectResponse>(201, "made");
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "made"), AllOf(StartsWith("HTTP/1.1 201"), HasSubstr("text/plain")));
    EXPECT_EQ(p.log.back(), "GET /a 201 - direct_response");
    EXPECT_EQ(p.http_count(HttpStat::rq_direct_response), 1u);
  });
}

TEST(Router, Redirects) {
  TestProxy proxy;
  proxy.route.redirect = std::make_unique<Redirect>();
  proxy.route.redirect->path = "/b";
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 301"), HasSubstr("location: http://h/b\r\n")));
    EXPECT_EQ(p.http_count(HttpStat::rq_direct_response), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_total), 0u);
  });
}

TEST(Router, AnswersForAClusterThatIsNotKnown) {
  TestProxy proxy;
  proxy.route.missing_cluster = "nowhere";
  proxy.route.cluster_not_found_status = 404;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kGet, "\r\n\r\n"), StartsWith("HTTP/1.1 404"));
    EXPECT_EQ(p.log.back(), "GET /a 404 NC cluster_not_found");
    EXPECT_EQ(p.http_count(HttpStat::no_cluster), 1u);
  });
}

TEST(Router, TellsTheHostHowLongItMayTake) {
  TestProxy proxy;
  proxy.route.timeout = seconds(7);
  proxy.route.path_rewrite.prefix = "/new/";
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(p.received, AllOf(StartsWith("GET /new/a HTTP/1.1\r\nhost: h\r\n"),
                                  HasSubstr("x-envoy-expected-rq-timeout-ms: 7000\r\n"),
                                  HasSubstr("x-envoy-original-path: /a\r\n")));
    co_await sleep(milliseconds(250));
    co_await host.send("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), HasSubstr("x-envoy-upstream-service-time: 25"));
  });
}

TEST(Router, KeepsEnvoysFieldsToItselfWhereTheyAreSuppressed) {
  TestProxy proxy;
  proxy.router.suppress_envoy_headers = true;
  proxy.route.path_rewrite.prefix = "/new/";
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(p.received, AllOf(StartsWith("GET /new/a"), Not(HasSubstr("x-envoy"))));
    co_await host.send("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), Not(HasSubstr("x-envoy")));
  });
}

TEST(Router, RefusesAnUpgradeThatNobodyAllows) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    EXPECT_THAT(co_await client.ask(kUpgrade, "\r\n\r\n"), StartsWith("HTTP/1.1 403"));
    EXPECT_EQ(p.log.back(), "GET /a 403 - upgrade_failed");
    EXPECT_EQ(p.http_count(HttpStat::downstream_rq_ws_on_non_ws_route), 1u);
  });
}

TEST(Router, AnUpgradeThatTheHostDeclinesIsAPlainResponse) {
  TestProxy proxy;
  proxy.route.upgrades_on = {"x"};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kUpgrade);
    EXPECT_THAT(p.received, AllOf(HasSubstr("connection: upgrade\r\n"), HasSubstr("upgrade: x\r\n")));
    co_await host.send("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\n\r\nno");
    EXPECT_THAT(co_await client.read_to("no"), StartsWith("HTTP/1.1 426"));
    EXPECT_EQ(p.log.back(), "GET /a 426 - via_upstream");
  });
}

TEST(Router, ATunnelPassesEachEndOn) {
  TestProxy proxy;
  proxy.route.upgrades_on = {"x"};
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kUpgrade);
    co_await host.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello");
    EXPECT_THAT(co_await client.read_to("hello"), StartsWith("HTTP/1.1 101"));
    co_await client.send("last words");
    client.transport().shutdown_write();
    EXPECT_EQ(co_await host.read_all(), "last words<end>");
    co_await host.send("and the answer");
    host.close();
    EXPECT_EQ(co_await client.read_all(), "and the answer<end>");
  });
}

TEST(Router, TheIdleTimeOutOfARouteHoldsInsteadOfTheListeners) {
  TestProxy proxy;
  proxy.route.idle_timeout = seconds(3);
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.forward(client, kGet);
    EXPECT_THAT(co_await client.read_to("stream timeout"), StartsWith("HTTP/1.1 504"));
    EXPECT_LE(p.elapsed(), milliseconds(3002));
    EXPECT_EQ(co_await host.read_all(), "<end>");
    EXPECT_EQ(p.log.back(), "GET /a 504 SI stream_idle_timeout");
  });
}

TEST(Router, CountsResponsesByTheirStatus) {
  TestProxy proxy;
  proxy.run([](TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    TestClient host = co_await p.warm_up(client);
    for (const char* status : {"204 No Content", "304 Not Modified", "404 Not Found", "503 Service Unavailable"}) {
      co_await client.send(kGet);
      co_await host.read_to("\r\n\r\n");
      co_await host.send("HTTP/1.1 " + std::string(status) + "\r\nx: y\r\ncontent-length: 0\r\n\r\n");
      co_await client.read_to("\r\n\r\n");
      co_await sleep(milliseconds(1));
    }
    for (int status : {200, 204, 304, 404, 503}) EXPECT_EQ(p.code(status), 1u) << status;
    EXPECT_EQ(p.hosts[0]->numbers.rq_success, 4u);
    EXPECT_EQ(p.hosts[0]->numbers.rq_error, 1u);
  });
}

}  // namespace
}  // namespace outrider
