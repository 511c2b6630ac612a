// What the tests of this layer share: a cluster in simulated time whose hosts speak bytes, and a proxy in front of it.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/serve_for_test.h"
#include "upstream/http_call.h"
#include "upstream/pool.h"
#include "upstream/router.h"

namespace outrider {

inline EndpointPtr test_endpoint(int number, std::uint32_t weight = 1, std::uint32_t priority = 0,
                                 HostHealth health = HostHealth::healthy) {
  std::string ip = "10.1." + std::to_string(number / 256) + "." + std::to_string(number % 256);
  Address address = *Address::parse(ip, 80);
  auto endpoint = std::make_shared<Endpoint>(address, "", weight, priority, 1);
  endpoint->health = health;
  return endpoint;
}

// Its hosts are 10.1.0.0, 10.1.0.1 and so on; all of them listen.
class TestCluster {
 public:
  explicit TestCluster(int count = 1) {
    options.name = "c";
    for (int i = 0; i < count; i++) {
      hosts.push_back(test_endpoint(i));
      acceptors_.push_back(network.acceptor(network.listen_on(hosts.back()->address)));
    }
  }

  // Runs the body, then closes all connections. Whatever the body did, nothing may be left.
  void run(Task<> (*body)(TestCluster&)) {
    cluster = std::make_shared<Cluster>(options, stats, 0);
    cluster->set_hosts(make_host_set(hosts), stats->local(0));
    EXPECT_TRUE(worker.run(live(*this, body))) << "the test waits for something that never comes";
    acceptors_.clear();
    expect_unused();
    EXPECT_EQ(count(ClusterStat::upstream_cx_active), 0u);
    EXPECT_EQ(cluster->breakers[0].connections.used() + cluster->breakers[1].connections.used(), 0u);
    EXPECT_EQ(network.open_ends(), 0);
    EXPECT_EQ(worker.blocks().in_use(), 0u);
  }
  // No request is under way: what each of them held has been given back.
  void expect_unused() {
    for (ClusterStat gauge : {ClusterStat::upstream_rq_active, ClusterStat::upstream_rq_pending_active}) {
      EXPECT_EQ(count(gauge), 0u);
    }
    for (Breakers& b : cluster->breakers) {
      EXPECT_EQ(b.requests.used() + b.pending_requests.used() + b.retries.used(), 0u);
    }
    std::uint64_t connections = cluster->breakers[0].connections.used() + cluster->breakers[1].connections.used();
    EXPECT_EQ(connections, count(ClusterStat::upstream_cx_active));
    for (const EndpointPtr& e : hosts) {
      EXPECT_EQ(e->numbers.rq_active + e->numbers.rq_pending_active, 0u);
      connections -= e->numbers.cx_active;
    }
    EXPECT_EQ(connections, 0u);
  }

  // What the proxy has connected to that host, in order.
  Task<TestClient> accept(std::size_t host = 0) {
    auto accepted = co_await acceptors_[host]->accept();
    co_return TestClient(std::move(accepted.transport));
  }
  Acceptor& acceptor(std::size_t host) { return *acceptors_[host]; }
  SimulatedPath& path(std::size_t host = 0) { return network.path(hosts[host]->address); }
  WorkerCluster& local() { return clusters.get(cluster); }
  EndpointPool& pool(std::size_t host = 0) { return local().pool(*hosts[host]); }
  OUTRIDER_FORWARDS Task<Acquired> acquire(std::size_t host = 0) {
    return outrider::acquire(pool(host), cluster->breakers[0]);
  }
  std::uint64_t count(ClusterStat stat) const { return stats->value(static_cast<std::size_t>(stat)); }
  Duration elapsed() { return clock.now() - begin; }

  SimulatedClock clock;
  SimulatedPoller poller{clock};
  Worker worker{0, clock, poller, 1};
  SimulatedNetwork network{worker};
  StatRegistry registry;
  std::shared_ptr<StatScope> stats = registry.scope("cluster.c.", cluster_stat_table());
  ClusterOptions options;  // Before run().
  std::vector<EndpointPtr> hosts;
  ClusterPtr cluster;  // In run().
  WorkerClusters clusters{worker, network, scope};
  Scope calls;
  ClusterCaller caller{worker, network, clusters, calls};
  Scope scope;                     // Ends with the body.
  std::vector<std::string> notes;  // What happened, in order.
  TimePoint begin = clock.now();

 private:
  static Task<> live(TestCluster& t, Task<> (*body)(TestCluster&)) {
    co_await t.scope.run(body(t));
    co_await sleep(std::chrono::milliseconds(1));  // For connections on their way out.
    t.clusters.clear();
  }

  std::vector<std::unique_ptr<Acceptor>> acceptors_;
};

// A listener whose only route leads to the cluster.
class TestProxy : public TestCluster {
 public:
  explicit TestProxy(int hosts = 1) : TestCluster(hosts) {
    http->stats = registry.scope("http.test.", http_stat_table());
    http->server_name = "test";
    http->generate_request_id = false;
    http->stream_idle_timeout = {};
    http->access_logs.push_back(std::make_shared<CapturedLog>(log));
    route.path = "/";
  }

  void run(Task<> (*body)(TestProxy&)) {
    body_ = body;
    TestCluster::run([](TestCluster& t) -> Task<> {
      auto& self = static_cast<TestProxy&>(t);
      self.open();
      self.scope.spawn(take_connections, self);
      co_await self.body_(self);
    });
  }

  TestClient connect() { return TestClient(std::move(*network.connect(kAddress))); }
  // A request, and the connection that the host gets for it, read up to the marker into `received`.
  Task<TestClient> forward(TestClient& client, std::string_view request, std::string_view marker = "\r\n\r\n") {
    co_await client.send(request);
    TestClient host = co_await accept();
    received = co_await host.read_to(marker);
    co_return host;
  }
  // One exchange that leaves its connection in the pool.
  Task<TestClient> warm_up(TestClient& client) {
    TestClient host = co_await forward(client, "GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    co_await host.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    co_await client.read_to("\r\n\r\nok");
    co_await sleep(std::chrono::milliseconds(1));
    co_return host;
  }
  std::uint64_t http_count(HttpStat stat) const { return http->stats->value(static_cast<std::size_t>(stat)); }
  std::uint64_t code(int status) const { return stats->code(status); }

  static inline const Address kAddress = *Address::parse("10.0.0.1", 80);

  Route route;  // Before run(). Leads to the cluster unless it has another aim.
  RouterOptions router;
  std::shared_ptr<HttpOptions> http = std::make_shared<HttpOptions>();
  std::vector<std::string> log;  // A line for each request that ended.
  std::string received;          // By the host, last.

 private:
  void open() {
    if (!route.redirect && !route.direct && route.missing_cluster.empty()) route.cluster = cluster;
    std::vector<Route> routes;
    routes.push_back(std::move(route));
    auto table = std::make_shared<RouteTable>();
    EXPECT_EQ(table->add(std::make_unique<VirtualHost>("host", std::move(routes)), {"*"}), "");
    http->routes = std::move(table);
    http->filters.add(std::make_unique<Router>(router));
    slot_ = std::make_shared<HttpSlot>(http, 0);
    acceptor_ = network.acceptor(network.listen_on(kAddress));
  }
  static Task<> take_connections(TestProxy& p) {
    struct Closing {
      TestProxy& proxy;
      ~Closing() { proxy.acceptor_.reset(); }
    } closing{p};
    for (;;) {
      auto accepted = co_await p.acceptor_->accept();
      p.scope.spawn(serve, p.service_, std::move(accepted.transport), p.slot_, StatScope::local(p.listener_stats_, 0));
    }
  }

  Task<> (*body_)(TestProxy&) = nullptr;
  std::shared_ptr<StatScope> listener_stats_ = registry.scope("listener.test.", listener_stat_table());
  std::shared_ptr<HttpSlot> slot_;
  ServiceWorker service_{worker, network, &clusters, &caller, {}};
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace outrider
