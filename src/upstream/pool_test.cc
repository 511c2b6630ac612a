#include "upstream/pool.h"

#include <cerrno>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Somebody who waits for a connection, as a child of the test's scope.
struct Waiter {
  TestCluster& t;
  std::string name;
  std::optional<Acquired> acquired = std::nullopt;

  static Task<> wait(Waiter& w) {
    w.acquired = co_await w.t.acquire();
    w.t.notes.push_back(w.name);
  }
  void start() { stop = t.scope.spawn(wait, *this); }
  StopSource* stop = nullptr;
};

TEST(Pool, ReusesTheConnectionThatWasIdleForTheShortestTime) {
  TestCluster cluster;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* first = (co_await t.acquire()).connection;
    UpstreamConnection* second = (co_await t.acquire()).connection;
    EXPECT_NE(first, second);
    TestClient a = co_await t.accept(), b = co_await t.accept();
    t.pool().give_idle(*first);
    t.pool().give_idle(*second);
    EXPECT_EQ((co_await t.acquire()).connection, second);
    EXPECT_EQ(t.pool().take_idle(), first);
    EXPECT_EQ(t.pool().take_idle(), nullptr);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_total), 2u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 2u);
    t.pool().give_idle(*first);
    delete second;
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_destroy_local), 1u);
  });
}

TEST(Pool, ClosesWhatHasBeenIdleForTooLong) {
  TestCluster cluster;
  cluster.options.idle_timeout = seconds(10);
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* first = (co_await t.acquire()).connection;
    UpstreamConnection* second = (co_await t.acquire()).connection;
    TestClient a = co_await t.accept(), b = co_await t.accept();
    t.pool().give_idle(*first);
    co_await sleep(seconds(4));
    t.pool().give_idle(*second);
    co_await sleep(milliseconds(5990));
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 2u);
    co_await sleep(milliseconds(20));
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 1u);
    EXPECT_EQ(co_await a.read_all(), "<end>");
    co_await sleep(milliseconds(3980));
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 1u);
    EXPECT_EQ(co_await b.read_all(), "<end>");
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_idle_timeout), 2u);
  });
}

TEST(Pool, UseBeginsTheIdleTimeAnew) {
  TestCluster cluster;
  cluster.options.idle_timeout = seconds(10);
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    for (int i = 0; i < 5; i++) {
      t.pool().give_idle(*c);
      co_await sleep(seconds(9));
      EXPECT_EQ(t.pool().take_idle(), c);
    }
    co_await sleep(seconds(60));  // A busy one is not idle.
    t.pool().give_idle(*c);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_idle_timeout), 0u);
  });
}

TEST(Pool, WithoutIdleTimeOutKeepsAConnectionForEver) {
  TestCluster cluster;
  cluster.options.idle_timeout = {};
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    t.pool().give_idle(*c);
    co_await sleep(std::chrono::years(1));
    EXPECT_EQ(t.pool().take_idle(), c);
    t.pool().give_idle(*c);
  });
}

TEST(Pool, SaysWhyAHostCannotBeReached) {
  TestCluster cluster;
  cluster.path().connect_error = ECONNREFUSED;
  cluster.run([](TestCluster& t) -> Task<> {
    Acquired a = co_await t.acquire();
    EXPECT_EQ(a.connection, nullptr);
    EXPECT_EQ(a.failure, Failure::connect_failed);
    EXPECT_EQ(a.reason, "Connection refused");
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_connect_fail), 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_connect_timeout), 0u);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_pending_failure_eject), 1u);
    EXPECT_EQ(t.hosts[0]->numbers.cx_connect_fail, 1u);
    t.path().connect_error = 0;
    UpstreamConnection* c = (co_await t.acquire()).connection;
    EXPECT_NE(c, nullptr) << "the host is back";
    t.pool().give_idle(*c);
  });
}

TEST(Pool, GivesUpConnectingAfterTheTimeOut) {
  TestCluster cluster;
  cluster.options.connect_timeout = seconds(3);
  cluster.path().black_hole = true;
  cluster.run([](TestCluster& t) -> Task<> {
    Acquired a = co_await t.acquire();
    EXPECT_EQ(a.connection, nullptr);
    EXPECT_EQ(a.failure, Failure::connect_timeout);
    EXPECT_GE(t.elapsed(), seconds(3));
    EXPECT_LE(t.elapsed(), milliseconds(3002));
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_connect_fail), 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_connect_timeout), 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 0u);
  });
}

TEST(Pool, RecordsHowLongConnectingTook) {
  TestCluster cluster;
  cluster.path().latency = milliseconds(20);
  cluster.run([](TestCluster& t) -> Task<> {
    t.pool().give_idle(*(co_await t.acquire()).connection);
    HistogramTotals totals;
    t.stats->histogram(static_cast<std::size_t>(ClusterStat::upstream_cx_connect_ms), totals);
    EXPECT_EQ(totals.count, 1u);
    EXPECT_GE(t.elapsed(), milliseconds(40));
  });
}

TEST(Pool, ClosesAConnectionBehindItsLastRequest) {
  TestCluster cluster;
  cluster.options.max_requests_per_connection = 2;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    TestClient host = co_await t.accept();
    c->requests = 1;
    t.pool().give_idle(*c);
    EXPECT_EQ(t.pool().take_idle(), c);
    c->requests = 2;
    t.pool().give_idle(*c);
    EXPECT_EQ(t.pool().take_idle(), nullptr);
    EXPECT_EQ(co_await host.read_all(), "<end>");
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_max_requests), 1u);
  });
}

TEST(Pool, ForgetsAnIdleConnectionThatTheHostCloses) {
  TestCluster cluster;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    TestClient host = co_await t.accept();
    t.pool().give_idle(*c);
    host.close();
    co_await sleep(milliseconds(1));
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 0u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_destroy_remote), 1u);
    EXPECT_EQ(t.pool().take_idle(), nullptr);
  });
}

TEST(Pool, DoesNotTakeBackAConnectionThatTheHostHasClosed) {
  TestCluster cluster;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    TestClient host = co_await t.accept();
    t.network.reset(*c->transport);
    t.pool().give_idle(*c);
    EXPECT_EQ(t.pool().take_idle(), nullptr);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_destroy_remote), 1u);
  });
}

TEST(Pool, DoesNotReuseAConnectionOnWhichUnaskedBytesCame) {
  TestCluster cluster;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    TestClient host = co_await t.accept();
    t.pool().give_idle(*c);
    co_await host.send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    co_await sleep(milliseconds(1));
    EXPECT_EQ(t.pool().take_idle(), nullptr);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 0u);
  });
}

TEST(Pool, WaitsForAConnectionWhereTheirLimitIsReached) {
  TestCluster cluster;
  cluster.options.thresholds[0].connections = 1;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    Waiter waiter{t, "waited"};
    waiter.start();
    co_await sleep(seconds(1));
    EXPECT_FALSE(waiter.acquired);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_pending_active), 1u);
    EXPECT_EQ(t.hosts[0]->numbers.rq_pending_active, 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_overflow), 1u);
    t.pool().give_idle(*c);
    co_await turn();
    EXPECT_EQ(waiter.acquired->connection, c);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_pending_active), 0u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_total), 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_cancelled), 0u);
    t.pool().give_idle(*c);
  });
}

TEST(Pool, ServesThoseWhoWaitInTheirOrder) {
  TestCluster cluster;
  cluster.options.thresholds[0].connections = 1;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    Waiter a{t, "a"}, b{t, "b"}, d{t, "c"};
    for (Waiter* w : {&a, &b, &d}) w->start();
    for (int i = 0; i < 3; i++) {
      t.pool().give_idle(*c);
      co_await sleep(milliseconds(1));
    }
    EXPECT_EQ(t.notes, (std::vector<std::string>{"a", "b", "c"}));
    t.pool().give_idle(*c);
  });
}

TEST(Pool, OneWhoWaitsOpensAConnectionWhenAnotherIsClosed) {
  TestCluster cluster;
  cluster.options.thresholds[0].connections = 1;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    Waiter waiter{t, "waited"};
    waiter.start();
    delete c;
    co_await sleep(milliseconds(1));
    EXPECT_NE(waiter.acquired->connection, nullptr);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_total), 2u);
    t.pool().give_idle(*waiter.acquired->connection);
  });
}

TEST(Pool, OneWhoWaitsIsNotForgottenWhenConnectingFails) {
  TestCluster cluster;
  cluster.options.thresholds[0].connections = 1;
  cluster.options.connect_timeout = seconds(1);
  cluster.path().black_hole = true;
  cluster.run([](TestCluster& t) -> Task<> {
    Waiter first{t, "first"}, second{t, "second"};
    first.start();
    second.start();
    co_await sleep(milliseconds(500));
    t.path().black_hole = false;
    co_await sleep(seconds(1));
    EXPECT_EQ(t.notes, (std::vector<std::string>{"first", "second"}));
    EXPECT_EQ(first.acquired->failure, Failure::connect_timeout);
    EXPECT_NE(second.acquired->connection, nullptr);
    t.pool().give_idle(*second.acquired->connection);
  });
}

TEST(Pool, OneWhoStopsWaitingLeavesNothingBehind) {
  TestCluster cluster;
  cluster.options.thresholds[0].connections = 1;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    Waiter impatient{t, "impatient"}, patient{t, "patient"};
    impatient.start();
    patient.start();
    co_await sleep(seconds(1));
    impatient.stop->request();
    co_await turn();
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_pending_active), 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_cancelled), 1u);
    EXPECT_EQ(t.cluster->breakers[0].pending_requests.used(), 1u);
    t.pool().give_idle(*c);
    co_await sleep(milliseconds(1));
    EXPECT_EQ(t.notes, (std::vector<std::string>{"patient"}));
    t.pool().give_idle(*c);
    EXPECT_EQ(t.pool().take_idle(), c);
    t.pool().give_idle(*c);
  });
}

TEST(Pool, OneWhoStopsWhileConnectingClosesWhatItBegan) {
  TestCluster cluster;
  cluster.path().black_hole = true;
  cluster.run([](TestCluster& t) -> Task<> {
    EXPECT_FALSE(co_await within(seconds(1), t.acquire()));
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 0u);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_cancelled), 1u);
    EXPECT_EQ(t.cluster->breakers[0].connections.used(), 0u);
  });
}

TEST(Pool, RefusesMoreThanMayWait) {
  TestCluster cluster;
  cluster.options.thresholds[0].connections = 1;
  cluster.options.thresholds[0].pending_requests = 2;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* c = (co_await t.acquire()).connection;
    Waiter a{t, "a"}, b{t, "b"};
    a.start();
    b.start();
    EXPECT_EQ((co_await t.acquire()).failure, Failure::overflow);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_pending_overflow), 1u);
    EXPECT_EQ(t.count(ClusterStat::upstream_rq_pending_total), 3u);
    for (int i = 0; i < 3; i++) {
      t.pool().give_idle(*c);
      co_await sleep(milliseconds(1));
    }
    EXPECT_EQ(t.pool().take_idle(), c);
    delete c;
  });
}

// Or nothing could wake those who wait for it.
TEST(Pool, AHostWithoutConnectionGetsOneBeyondTheLimit) {
  TestCluster cluster(2);
  cluster.options.thresholds[0].connections = 1;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* first = (co_await t.acquire(0)).connection;
    UpstreamConnection* second = (co_await t.acquire(1)).connection;
    EXPECT_EQ(t.cluster->breakers[0].connections.used(), 2u);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_overflow), 1u);
    t.pool(0).give_idle(*first);
    t.pool(1).give_idle(*second);
  });
}

TEST(Pool, ConnectionsToAHostThatLeftEndAsTheyBecomeIdle) {
  TestCluster cluster(2);
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* idle = (co_await t.acquire(0)).connection;
    UpstreamConnection* busy = (co_await t.acquire(0)).connection;
    UpstreamConnection* other = (co_await t.acquire(1)).connection;
    t.pool(0).give_idle(*idle);
    t.pool(1).give_idle(*other);
    EndpointPool& left = t.pool(0);
    t.cluster->set_hosts(make_host_set({t.hosts[1]}), t.stats->local(0));
    t.clusters.refresh(0);
    EXPECT_EQ(t.local().pick(), t.hosts[1].get());
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 2u);
    left.give_idle(*busy);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 1u);
    t.clusters.refresh(0);
    EXPECT_EQ(t.hosts[0]->local[0], nullptr) << "the pool is gone";
    EXPECT_EQ(t.pool(1).take_idle(), other) << "the host that stayed keeps its connections";
    delete other;
  });
}

TEST(Pool, AClusterThatLeftMakesRoomForAnotherAtOnce) {
  TestCluster cluster;
  cluster.run([](TestCluster& t) -> Task<> {
    UpstreamConnection* busy = (co_await t.acquire()).connection;
    UpstreamConnection* idle = (co_await t.acquire()).connection;
    EndpointPool& before = t.pool();
    before.give_idle(*idle);
    t.clusters.remove(0);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 1u);
    ClusterPtr old = std::exchange(t.cluster, std::make_shared<Cluster>(t.options, t.stats, 0));
    t.hosts[0] = test_endpoint(0);
    t.cluster->set_hosts(make_host_set(t.hosts), t.stats->local(0));
    EXPECT_NE(&t.pool(), &before);
    before.give_idle(*busy);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 0u);
    EXPECT_EQ(old->breakers[0].connections.used(), 0u);
    UpstreamConnection* c = (co_await t.acquire()).connection;
    t.pool().give_idle(*c);
  });
}

TEST(Pool, AClusterThatIsGoneTakesNoPlaceOfAnother) {
  TestCluster cluster;
  cluster.run([](TestCluster& t) -> Task<> {
    ClusterPtr old = std::exchange(t.cluster, std::make_shared<Cluster>(t.options, t.stats, 0));
    t.cluster->set_hosts(make_host_set({test_endpoint(0)}), t.stats->local(0));
    t.clusters.set_names(std::make_shared<ClusterMap>(ClusterMap{{"c", t.cluster}}));
    WorkerCluster& present = t.local();
    WorkerCluster& gone = t.clusters.get(old);
    EXPECT_EQ(&t.clusters.get(old), &gone);
    EXPECT_EQ(&t.local(), &present);
    Acquired late = co_await outrider::acquire(gone.pool(*t.hosts[0]), old->breakers[0]);
    late.connection->pool.give_idle(*late.connection);
    EXPECT_EQ(t.count(ClusterStat::upstream_cx_active), 0u) << "it keeps no connections";
  });
}

}  // namespace
}  // namespace outrider
