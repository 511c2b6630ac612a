// Connections of HTTP/2 to a host: how requests share them, and how they end.
#include "upstream/h2_upstream_connection.h"

#include "upstream/h2_host_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

h2::Options one_stream() {
  h2::Options o;
  o.settings.max_concurrent_streams = 1;
  return o;
}

TEST(H2Upstream, RequestsShareAConnectionAndAreAnsweredInAnyOrder) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    TestClient& second = p.get("/2");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    H2Host::Asked* two = co_await host->next();
    EXPECT_EQ(one->line() + ", " + two->line(), "GET h/1, GET h/2");
    host->answer(*two, 200, "second");
    EXPECT_EQ(co_await p.answer(second), "200 second<end>");
    host->answer(*one, 404, "first");
    EXPECT_EQ(co_await p.answer(first), "404 first<end>");
    TestClient& third = p.get("/3");
    host->answer(*co_await host->next(), 204);
    EXPECT_EQ(co_await p.answer(third), "204 <end>");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_http2_total), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_total), 3u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_pending_total), 2u);
    EXPECT_EQ(p.h2_count(H2Stat::streams_active), 0u);
  });
}

TEST(H2Upstream, WhereTheHostAllowsNoMoreStreamsAnotherConnectionIsMade) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host(0, one_stream());
    H2Host::Asked* one = co_await host->next();
    co_await sleep(milliseconds(1));
    TestClient& second = p.get("/2");
    H2Host* other = co_await p.host(0, one_stream());
    other->answer(*co_await other->next(), 200, "two");
    host->answer(*one, 200, "one");
    EXPECT_EQ(co_await p.answer(first), "200 one<end>");
    EXPECT_EQ(co_await p.answer(second), "200 two<end>");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 2u);
  });
}

TEST(H2Upstream, OurOwnLimitOfStreamsAndTheCircuitBreakerOfConnectionsMakeRequestsWait) {
  H2TestProxy proxy;
  proxy.h2->codec.settings.max_concurrent_streams = 1;
  proxy.options.thresholds[0].connections = 1;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    TestClient& second = p.get("/2");
    TestClient& third = p.get("/3");
    co_await sleep(milliseconds(1));
    EXPECT_FALSE(host->any_more());
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_pending_active), 2u);
    EXPECT_GT(p.count(ClusterStat::upstream_cx_overflow), 0u);
    host->answer(*one, 200);
    co_await p.answer(first);
    H2Host::Asked* two = co_await host->next();
    EXPECT_EQ(two->line(), "GET h/2");  // Who has waited longest comes first.
    EXPECT_FALSE(host->any_more());
    host->answer(*two, 200);
    host->answer(*co_await host->next(), 200);
    co_await p.answer(second);
    co_await p.answer(third);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
  });
}

TEST(H2Upstream, MoreRequestsThanMayWaitAreAnsweredAtOnce) {
  H2TestProxy proxy;
  proxy.options.thresholds[0].pending_requests = 1;
  proxy.run([](H2TestProxy& p) -> Task<> {
    p.path().latency = seconds(1);
    TestClient& first = p.get("/1");
    TestClient& second = p.get("/2");
    EXPECT_EQ((co_await p.answer(second)).substr(0, 3), "503");
    EXPECT_EQ(p.log.back(), "GET /2 503 UO upstream_reset_before_response_started{overflow}");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_pending_overflow), 1u);
    H2Host* host = co_await p.host();
    host->answer(*co_await host->next(), 200);
    EXPECT_EQ(co_await p.answer(first), "200 <end>");
  });
}

TEST(H2Upstream, AConnectionThatCannotBeHadFailsAllWhoWaitForIt) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    p.path().connect_error = ECONNREFUSED;
    p.path().latency = milliseconds(10);
    TestClient& first = p.get("/1");
    TestClient& second = p.get("/2");
    EXPECT_EQ((co_await p.answer(first)).substr(0, 3), "503");
    EXPECT_EQ((co_await p.answer(second)).substr(0, 3), "503");
    EXPECT_EQ(p.log.back(),
              "GET /2 503 UF upstream_reset_before_response_started{remote_connection_failure|"
              "delayed_connect_error:_Connection_refused}");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_connect_fail), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_pending_failure_eject), 2u);
    p.path().connect_error = 0;
    TestClient& third = p.get("/3");
    H2Host* host = co_await p.host();
    host->answer(*co_await host->next(), 200);
    EXPECT_EQ(co_await p.answer(third), "200 <end>");
  });
}

TEST(H2Upstream, AHostThatSaysGoodbyeAnswersWhatItHasAndGetsNoMore) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    host->go_away(1);
    co_await sleep(milliseconds(1));
    TestClient& second = p.get("/2");
    H2Host* other = co_await p.host();
    other->answer(*co_await other->next(), 200, "two");
    EXPECT_EQ(co_await p.answer(second), "200 two<end>");
    EXPECT_FALSE(host->over);
    host->answer(*one, 200, "one");
    EXPECT_EQ(co_await p.answer(first), "200 one<end>");
    co_await host->until_over();
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_close_notify), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 1u);
  });
}

TEST(H2Upstream, WhatAHostHasPassedOverIsSentToAnotherConnection) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    TestClient& second = p.get("/2");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    co_await host->next();
    host->go_away(1);
    H2Host* other = co_await p.host();
    H2Host::Asked* two = co_await other->next();
    EXPECT_EQ(two->line(), "GET h/2");
    other->answer(*two, 200, "two");
    host->answer(*one, 200, "one");
    EXPECT_EQ(co_await p.answer(first), "200 one<end>");
    EXPECT_EQ(co_await p.answer(second), "200 two<end>");
  });
}

TEST(H2Upstream, AConnectionEndsBehindItsLastRequest) {
  H2TestProxy proxy;
  proxy.options.max_requests_per_connection = 2;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    TestClient& second = p.get("/2");
    H2Host::Asked* two = co_await host->next();
    TestClient& third = p.get("/3");
    H2Host* other = co_await p.host();
    host->answer(*two, 200);
    co_await p.answer(second);
    EXPECT_FALSE(host->over);
    host->answer(*one, 200);
    co_await p.answer(first);
    co_await host->until_over();
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_max_requests), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_local), 1u);
    other->answer(*co_await other->next(), 200);
    co_await p.answer(third);
    EXPECT_FALSE(other->over);
  });
}

TEST(H2Upstream, AConnectionThatNobodyUsesEndsWithItsTime) {
  H2TestProxy proxy;
  proxy.options.idle_timeout = seconds(10);
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    co_await sleep(seconds(30));
    EXPECT_FALSE(host->over);  // In use.
    host->answer(*one, 200);
    co_await p.answer(first);
    co_await sleep(seconds(6));
    TestClient& second = p.get("/2");
    host->answer(*co_await host->next(), 200);
    co_await p.answer(second);
    co_await sleep(seconds(6));
    EXPECT_FALSE(host->over);
    co_await sleep(seconds(5));
    EXPECT_TRUE(host->over);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_idle_timeout), 1u);
  });
}

TEST(H2Upstream, AConnectionThatLivesTooLongTakesNoMoreRequests) {
  H2TestProxy proxy;
  proxy.options.max_connection_duration = seconds(10);
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    co_await sleep(seconds(11));
    TestClient& second = p.get("/2");
    H2Host* other = co_await p.host();
    host->answer(*one, 200, "one");
    EXPECT_EQ(co_await p.answer(first), "200 one<end>");
    co_await host->until_over();
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_max_duration_reached), 1u);
    other->answer(*co_await other->next(), 200);
    EXPECT_EQ(co_await p.answer(second), "200 <end>");
  });
}

TEST(H2Upstream, AHostThatAnswersNoPingLosesItsConnection) {
  H2TestProxy proxy;
  proxy.h2->keepalive.interval = seconds(10);
  proxy.h2->keepalive.timeout = seconds(2);
  proxy.h2->keepalive.jitter_percent = 0;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    co_await host->next();
    co_await sleep(seconds(25));
    EXPECT_FALSE(host->over);
    EXPECT_EQ(p.h2_count(H2Stat::keepalive_timeout), 0u);
    p.network.cut(p.hosts[0]->address);
    co_await sleep(seconds(13));
    EXPECT_EQ(p.h2_count(H2Stat::keepalive_timeout), 1u);
    p.network.mend(p.hosts[0]->address);
    EXPECT_EQ((co_await p.answer(first)).substr(0, 3), "503");
    EXPECT_EQ(p.log.back(), "GET /1 503 UC upstream_reset_before_response_started{connection_termination}");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_local_with_active_rq), 1u);
  });
}

TEST(H2Upstream, TheEndOfAConnectionFailsItsRequests) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    TestClient& second = p.get("/2");
    H2Host* host = co_await p.host();
    co_await host->next();
    H2Host::Asked* two = co_await host->next();
    host->begin_answer(*two, 200);
    (void)two->stream.send_some("half", false);
    co_await second.read_to("half");
    host->close();
    EXPECT_EQ((co_await p.answer(first)).substr(0, 3), "503");
    EXPECT_EQ(co_await second.read_all(), "\r\n<end>");
    EXPECT_EQ(p.log[0], "GET /1 503 UC upstream_reset_before_response_started{connection_termination}");
    EXPECT_EQ(p.log[1], "GET /2 200 UC upstream_reset_after_response_started{connection_termination}");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_remote_with_active_rq), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_pending_failure_eject), 2u);
  });
}

TEST(H2Upstream, AnIdleConnectionThatTheHostEndsIsNotUsedAgain) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host();
    host->answer(*co_await host->next(), 200);
    co_await p.answer(first);
    host->close();
    co_await sleep(milliseconds(1));
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 0u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_remote), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_destroy_with_active_rq), 0u);
    TestClient& second = p.get("/2");
    H2Host* other = co_await p.host();
    other->answer(*co_await other->next(), 200);
    EXPECT_EQ(co_await p.answer(second), "200 <end>");
  });
}

TEST(H2Upstream, ConnectionsToAHostThatHasLeftEndWithTheirRequests) {
  H2TestProxy proxy(2);
  proxy.options.policy = LbPolicy::round_robin;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& first = p.get("/1");
    H2Host* host = co_await p.host(0);
    H2Host::Asked* one = co_await host->next();
    p.cluster->set_hosts(make_host_set({p.hosts[1]}), p.stats->local(0));
    p.local().refresh();
    co_await sleep(milliseconds(1));
    EXPECT_FALSE(host->over);
    host->answer(*one, 200, "one");
    EXPECT_EQ(co_await p.answer(first), "200 one<end>");
    co_await host->until_over();
  });
}

}  // namespace
}  // namespace outrider
