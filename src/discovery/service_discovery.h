// Service discovery of Envoy v1 (SDS): asks for the hosts of EDS clusters, on the main thread's worker.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/scope.h"
#include "discovery/rest_client.h"
#include "upstream/cluster.h"
#include "upstream/discovery.h"

namespace outrider {

class ServiceDiscovery {
 public:
  // `names`: nothing is asked before its clusters have been looked up, those of the services among them. `workers`: how
  // many serve requests. `changed` is called on this worker when the hosts of a cluster have changed.
  ServiceDiscovery(Worker& worker, RestClient& client, Discovery& names, StatRegistry& stats, int workers,
                   std::function<void(const Cluster&)> changed);
  ~ServiceDiscovery();

  // The whole life of the discovery; to be spawned or awaited. Ends by stop.
  Task<> run();
  // Only while run() is in progress. Clusters of other types are ignored.
  void follow(const ClusterPtr& cluster);
  void forget(const Cluster& cluster);
  // Ends when each cluster that is followed now has had an answer, or has waited for one as long as its source says.
  Task<> first_answers();

 private:
  class Followed;
  static Task<> poll(std::shared_ptr<Followed> followed);

  Worker& worker_;
  RestClient& client_;
  Discovery& names_;
  StatRegistry& stats_;
  const int workers_;
  std::function<void(const Cluster&)> changed_;
  Scope scope_;
  std::map<const Cluster*, std::shared_ptr<Followed>> followed_;
};

}  // namespace outrider
