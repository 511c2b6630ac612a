#include "upstream/health_check.h"

#include <gmock/gmock.h>

#include "upstream/h2_host_for_test.h"
#include "upstream/health_check_stats.h"
#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kGood = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view kBad = "HTTP/1.1 503 Bad\r\ncontent-length: 0\r\n\r\n";

// One host that is asked every second.
struct CheckedCluster : TestCluster {
  CheckedCluster() {
    check->timeout = milliseconds(300);
    check->interval = check->no_traffic_interval = seconds(1);
    check->unhealthy_threshold = check->healthy_threshold = 2;
    HealthCheckOptions::Http http;
    http.path = "/health";
    check->http = http;
  }
  void run(Task<> (*body)(CheckedCluster&)) {
    options.health_check = check;
    body_ = body;
    TestCluster::run([](TestCluster& t) -> Task<> {
      auto& self = static_cast<CheckedCluster&>(t);
      self.cluster->health_check_stats = self.scope_;
      self.hosts[0]->flags.set(HealthFlag::failed_active_hc);
      self.cluster->set_hosts(self.hosts, self.stats->local(0));
      self.scope.spawn(watch, self);
      self.checks.follow(self.cluster);
      co_await self.body_(self);
      self.checks.forget(*self.cluster);
      for (auto& each : self.h2_hosts_) each->asked.clear();
    });
    h2_hosts_.clear();
  }
  // The check's next connection, over HTTP/2.
  Task<H2Host*> h2_host(h2::Options o = {}) {
    auto accepted = co_await acceptor(0).accept();
    co_return h2_hosts_.emplace_back(std::make_unique<H2Host>(*this, std::move(accepted.transport), o)).get();
  }
  void over_http2() {
    auto h2 = std::make_shared<H2Options>();
    h2->stats = registry.scope("cluster.c.http2.", h2_stat_table());
    check->h2 = h2;
  }
  void over_grpc() {
    over_http2();
    check->http.reset();
    check->grpc = HealthCheckOptions::Grpc{"users", "", {}};
  }
  bool has(HealthFlag flag) const { return hosts[0]->flags.has(flag); }
  std::uint64_t counted(HealthCheckStat stat) const { return scope_->value(static_cast<std::size_t>(stat)); }

  std::shared_ptr<HealthCheckOptions> check = std::make_shared<HealthCheckOptions>();
  int changes = 0;
  HealthChecks checks{worker, network, [this](Cluster& c) {
                        changes++;
                        c.set_hosts(c.hosts()->all, stats->local(0));
                      }};

 private:
  static Task<> watch(CheckedCluster& c) { co_await c.checks.run(); }
  std::shared_ptr<StatScope> scope_ = registry.scope("cluster.c.health_check.", health_check_stat_table());
  Task<> (*body_)(CheckedCluster&) = nullptr;
  std::vector<std::unique_ptr<H2Host>> h2_hosts_;
};

Task<> answer_grpc(H2Host& host, H2Host::Asked& asked, std::string_view frame, std::string_view status) {
  ResponseHead head(asked.arena);
  head.status = 200;
  head.headers.add(Known::content_type, "application/grpc");
  host.session->connection().send_response(asked.stream, head, false);
  if (!frame.empty()) (void)asked.stream.send_some(frame, false);
  Headers trailers(asked.arena);
  trailers.add("grpc-status", status);
  co_await asked.stream.send(Frame::with_trailers(trailers));
}

TEST(HealthChecks, TakeAHostInWithItsFirstGoodAnswer) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    EXPECT_EQ(c.local().pick()->health_now(), HostHealth::unhealthy);
    TestClient host = co_await c.accept();
    EXPECT_EQ(co_await host.read_to("\r\n\r\n"), "GET /health HTTP/1.1\r\nhost: c\r\nuser-agent: Envoy/HC\r\n\r\n");
    co_await host.send(kGood);
    co_await c.checks.first_results();
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
    EXPECT_EQ(c.count(ClusterStat::membership_healthy), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::healthy), 1u);
    EXPECT_EQ(c.changes, 1);
    // The next question comes on the same connection.
    EXPECT_THAT(co_await host.read_to("\r\n\r\n"), StartsWith("GET /health"));
    EXPECT_GE(c.elapsed(), seconds(1));
  });
}

TEST(HealthChecks, TakeAHostOutWithItsFirstBadStatus) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    for (std::string_view answer : {kGood, kBad}) {
      co_await host.read_to("\r\n\r\n");
      co_await host.send(answer);
    }
    co_await sleep(milliseconds(10));
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    EXPECT_EQ(c.counted(HealthCheckStat::failure), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 0u);
    // Twice good brings it back.
    for (int i = 0; i < 2; i++) {
      EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
      co_await host.read_to("\r\n\r\n");
      co_await host.send(kGood);
      co_await sleep(milliseconds(10));
    }
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, TakeAHostOutThatTwiceDoesNotAnswer) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await host.read_to("\r\n\r\n");
    co_await host.send(kGood);
    co_await host.read_to("\r\n\r\n");
    co_await sleep(milliseconds(400));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
    EXPECT_TRUE(c.has(HealthFlag::active_hc_timeout));
    TestClient again = co_await c.accept();
    co_await again.read_to("\r\n\r\n");
    co_await sleep(milliseconds(400));
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 2u);
  });
}

TEST(HealthChecks, KnowAHostThatIsDegraded) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await host.read_to("\r\n\r\n");
    co_await host.send("HTTP/1.1 200 OK\r\nx-envoy-degraded: 1\r\ncontent-length: 0\r\n\r\n");
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.hosts[0]->health_now(), HostHealth::degraded);
    EXPECT_EQ(c.count(ClusterStat::membership_degraded), 1u);
  });
}

TEST(HealthChecks, BelieveAResponseThatSaysTheHostFails) {
  CheckedCluster cluster;
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await host.read_to("\r\n\r\n");
    co_await host.send(kGood);
    co_await sleep(milliseconds(10));
    c.checks.fail_at_once(*c.cluster, *c.hosts[0]);
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    EXPECT_TRUE(c.has(HealthFlag::excluded_via_immediate_hc_fail));
    EXPECT_EQ(c.count(ClusterStat::membership_excluded), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::passive_failure), 1u);
  });
}

TEST(HealthChecks, LookForBytesInTheAnswerOfATcpHost) {
  CheckedCluster cluster;
  cluster.check->http.reset();
  cluster.check->tcp = HealthCheckOptions::Tcp{"ping", {"po", "ng"}};
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    EXPECT_EQ(co_await host.read_to("ping"), "ping");
    co_await host.send("xpo");
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
    co_await host.send("xxng");
    co_await sleep(milliseconds(10));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, TakeAConnectionForEnoughWhereNoBytesAreAskedFor) {
  CheckedCluster cluster;
  cluster.check->http.reset();
  cluster.check->tcp.emplace();
  cluster.run([](CheckedCluster& c) -> Task<> {
    TestClient host = co_await c.accept();
    co_await sleep(milliseconds(10));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, AskOverOneConnectionOfHttp2) {
  CheckedCluster cluster;
  cluster.over_http2();
  cluster.run([](CheckedCluster& c) -> Task<> {
    H2Host* host = co_await c.h2_host();
    for (int status : {200, 503}) {
      H2Host::Asked* asked = co_await host->next();
      EXPECT_EQ(asked->line(), "GET c/health");
      EXPECT_EQ(asked->field("user-agent"), "Envoy/HC");
      host->answer(*asked, status, "body");
      co_await sleep(milliseconds(10));
      EXPECT_EQ(c.has(HealthFlag::failed_active_hc), status == 503);
    }
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 0u);
  });
}

TEST(HealthChecks, ConnectAnewWhereAHostOfHttp2GoesAway) {
  CheckedCluster cluster;
  cluster.over_http2();
  cluster.run([](CheckedCluster& c) -> Task<> {
    H2Host* host = co_await c.h2_host();
    H2Host::Asked* asked = co_await host->next();
    host->answer(*asked, 200);
    host->go_away(asked->stream.id);
    H2Host* again = co_await c.h2_host();
    again->answer(*co_await again->next(), 200);
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.counted(HealthCheckStat::success), 2u);
  });
}

TEST(HealthChecks, GiveUpAStreamThatIsNotAnsweredInTime) {
  CheckedCluster cluster;
  cluster.over_http2();
  cluster.run([](CheckedCluster& c) -> Task<> {
    H2Host* host = co_await c.h2_host();
    (void)co_await host->next();
    co_await sleep(milliseconds(400));
    EXPECT_TRUE(c.has(HealthFlag::active_hc_timeout));
    H2Host* again = co_await c.h2_host();
    for (int i = 0; i < 2; i++) again->answer(*co_await again->next(), 200);
    co_await sleep(milliseconds(10));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, BelieveAGrpcHostThatSaysServing) {
  CheckedCluster cluster;
  cluster.over_grpc();
  cluster.run([](CheckedCluster& c) -> Task<> {
    using namespace std::string_view_literals;
    H2Host* host = co_await c.h2_host();
    H2Host::Asked* asked = co_await host->next();
    EXPECT_EQ(asked->line(), "POST c/grpc.health.v1.Health/Check");
    EXPECT_EQ(asked->field("content-type") + asked->field("te"), "application/grpctrailers");
    EXPECT_EQ(co_await host->body(*asked), "\0\0\0\0\x07\x0a\x05users"sv);
    co_await answer_grpc(*host, *asked, "\0\0\0\0\x02\x08\x01"sv, "0");
    co_await sleep(milliseconds(10));
    EXPECT_FALSE(c.has(HealthFlag::failed_active_hc));
    co_await answer_grpc(*host, *co_await host->next(), "\0\0\0\0\x02\x08\x02"sv, "0");
    co_await sleep(milliseconds(10));
    EXPECT_TRUE(c.has(HealthFlag::failed_active_hc));
  });
}

TEST(HealthChecks, TakeAGrpcErrorForAFailure) {
  CheckedCluster cluster;
  cluster.over_grpc();
  cluster.run([](CheckedCluster& c) -> Task<> {
    using namespace std::string_view_literals;
    H2Host* host = co_await c.h2_host();
    co_await answer_grpc(*host, *co_await host->next(), "\0\0\0\0\x02\x08\x01"sv, "5");
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.counted(HealthCheckStat::failure), 1u);
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 0u);
    (co_await host->next())->stream.reset(h2::ErrorCode::internal_error);
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.counted(HealthCheckStat::network_failure), 1u);
  });
}

TEST(HealthChecks, BelieveAGrpcHostThatAnswersWithoutReadingTheQuestion) {
  CheckedCluster cluster;
  cluster.over_grpc();
  cluster.run([](CheckedCluster& c) -> Task<> {
    using namespace std::string_view_literals;
    h2::Options no_window;
    no_window.settings.initial_window_size = 0;
    H2Host* host = co_await c.h2_host(no_window);
    for (int i = 0; i < 2; i++) {  // Only the second question is asked under these settings.
      co_await answer_grpc(*host, *co_await host->next(), "\0\0\0\0\x02\x08\x01"sv, "0");
      co_await sleep(milliseconds(10));
    }
    EXPECT_EQ(c.counted(HealthCheckStat::success), 2u);
  });
}

}  // namespace
}  // namespace outrider
