// Active health checks: asks the hosts of clusters how they are, on the main thread's worker. Envoy's document:
// "Health checking".
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/scope.h"
#include "http/exchange.h"
#include "upstream/cluster.h"

namespace outrider {

class HealthChecks {
 public:
  // Called on this worker: `changed` when the health of a cluster's host has changed, `passed` when a check was passed.
  HealthChecks(Worker& worker, Network& network, std::function<void(Cluster&)> changed,
               std::function<void(const Cluster&, const Endpoint&)> passed = nullptr);

  // The whole life of the checks; to be spawned or awaited. Ends by stop.
  Task<> run();
  // Only while run() is in progress. Clusters without checks are ignored.
  void follow(const ClusterPtr& cluster);
  void forget(const Cluster& cluster);
  // Takes up new hosts, and leaves those that are gone.
  void hosts_changed(const Cluster& cluster);
  // Ends when every host that is followed has been asked once.
  Task<> first_results();
  // A response of the host has said that it is to be taken for unhealthy.
  void fail_at_once(const Cluster& cluster, const Endpoint& host);

 private:
  enum class Result : std::uint8_t {
    healthy,
    degraded,
    failed,            // It says so itself.
    failed_retriable,  // Likewise, but it may be asked again.
    unreachable,
    timed_out,
    told,  // By a response to somebody else.
  };
  struct Connection;
  struct Followed;
  // One host.
  struct Session {
    Session(std::shared_ptr<Followed> f, EndpointPtr e);
    ~Session();
    const std::shared_ptr<Followed> cluster;
    const EndpointPtr endpoint;
    std::unique_ptr<Connection> connection;  // Null: none is kept.
    std::uint32_t healthy_in_a_row = 0, unhealthy_in_a_row = 0;
    bool first = true;
    bool excluded_anew = false;  // Or no longer: what counts hosts is to hear of it.
    StopSource* stop = nullptr;
  };
  struct Followed {
    HealthChecks& owner;
    ClusterPtr cluster;
    const HealthCheckOptions& options;
    StatBlock& stats;
    std::vector<std::shared_ptr<Session>> sessions;
  };

  static Task<> keep_asking(std::shared_ptr<Session> session);
  Task<Result> ask(Session& session);
  Task<Result> ask_http(Session& session);
  Task<Result> ask_tcp(Session& session);
  Task<Result> read_answer(Session& session, Exchange& x);
  Task<bool> connect(Session& session);
  Result judge(Session& session, const ResponseHead& head) const;
  // How long to wait before the host is asked again.
  std::chrono::milliseconds take(Session& session, Result result);
  bool take_success(Session& session, bool degraded);
  bool take_failure(Session& session, Result result);
  std::chrono::milliseconds interval(const Followed& f, bool healthy, bool changed) const;
  void set_gauges(Followed& f);
  static void end(Session& session);

  Worker& worker_;
  std::function<void(Cluster&)> changed_;
  std::function<void(const Cluster&, const Endpoint&)> passed_;
  HttpOptions options_;
  StatScope scope_;  // Nobody reads it: the numbers that count are the cluster's.
  DownstreamConnection connection_;
  Network& network_;
  Scope tasks_;
  std::map<const Cluster*, std::shared_ptr<Followed>> followed_;
  Signal asked_;
};

}  // namespace outrider
