// Outlier detection: hosts that answer badly get no requests for a while. Envoy's document: "Outlier detection".
#pragma once
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/scope.h"
#include "upstream/cluster.h"
#include "upstream/health_check_stats.h"

namespace outrider {

// Watches the clusters that want it, on the main thread's worker.
class OutlierDetection {
 public:
  // `changed` is called on this worker when the health of a cluster's host has changed.
  OutlierDetection(Worker& worker, std::function<void(Cluster&)> changed)
      : worker_(worker), changed_(std::move(changed)) {}

  // The whole life of the detection; to be spawned or awaited. Ends by stop.
  Task<> run() { co_await tasks_.run(until_stopped()); }
  // Only while run() is in progress.
  void follow(const ClusterPtr& cluster);
  void forget(const Cluster& cluster);
  // So many errors of that kind in a row have come from the host.
  void too_many_errors(const Cluster& cluster, const Endpoint& host, EjectionReason reason);
  // An active health check was passed by the host.
  void passed_check(const Cluster& cluster, const Endpoint& host);

 private:
  struct Watched {
    OutlierDetection& owner;
    ClusterPtr cluster;
    const OutlierOptions& options;
    StatBlock& stats;
    StopSource* stop = nullptr;
  };
  struct Rates;

  static Task<> look_now_and_then(std::shared_ptr<Watched> watched);
  void look(Watched& w);
  void look_at_rates(Watched& w, const HostSet& hosts, bool local_origin);
  bool try_back(Watched& w, Endpoint& host);
  void put_back(Watched& w, Endpoint& host);
  // True: the host is out now.
  bool eject(Watched& w, Endpoint& host, EjectionReason reason);
  bool enforces(const Watched& w, EjectionReason reason) const;

  Worker& worker_;
  std::function<void(Cluster&)> changed_;
  Scope tasks_;
  std::map<const Cluster*, std::shared_ptr<Watched>> watched_;
};

}  // namespace outrider
