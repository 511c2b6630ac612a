// Discovery by DNS: follows the names of STRICT_DNS and LOGICAL_DNS clusters, on the main thread's worker. Of
// ORIGINAL_DST clusters it drops the hosts that nobody asks for any more.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/scope.h"
#include "net/dns.h"
#include "upstream/cluster.h"

namespace outrider {

// A host that discovery does not name any more stays while its health checks say that it is there, if its cluster has
// some: they know better.
bool outlives_discovery(const Cluster& cluster, const Endpoint& lost);

class Discovery {
 public:
  // `changed` is called on this worker when the hosts of a cluster have changed. `workers`: how many serve requests.
  // Counters go to the block of this worker.
  Discovery(Worker& worker, Resolver& resolver, int workers, std::function<void(const Cluster&)> changed)
      : worker_(worker), resolver_(resolver), workers_(workers), changed_(std::move(changed)) {}

  // The whole life of the discovery; to be spawned or awaited. Ends by stop.
  Task<> run();
  // Only while run() is in progress. Clusters without names are ignored.
  void follow(const ClusterPtr& cluster);
  void forget(const Cluster& cluster);
  // Ends when every cluster that is followed has had an answer, or a failure, to each first query.
  Task<> first_answers();

 private:
  struct Followed;
  // One name of a cluster.
  struct Name {
    Followed& cluster;
    const ConfiguredHost& host;
    std::vector<EndpointPtr> endpoints;
    std::chrono::milliseconds failure_wait{0};
    bool answered = false;
    StopSource* stop = nullptr;
  };
  struct Followed {
    Discovery& owner;
    ClusterPtr cluster;
    StatBlock& stats;
    std::vector<std::unique_ptr<Name>> names;
    // Of an ORIGINAL_DST cluster, how often each host had been used when it was looked at.
    std::map<const Endpoint*, std::uint64_t> uses;
    StopSource* sweep = nullptr;
    int running = 0;
    bool forgotten = false;
  };

  // One task of a cluster; the last one of a forgotten cluster takes it along.
  struct Running {
    explicit Running(Followed& f) : followed(f) {}
    Running(const Running&) = delete;
    ~Running();
    Followed& followed;
  };
  static Task<> follow_name(Name& name);
  static Task<> sweep_hosts(Followed& f);
  std::chrono::milliseconds take_answer(Name& name, const DnsAnswer& answer);
  std::chrono::milliseconds take_failure(Name& name, const DnsFailure& failure);
  void set_addresses(Name& name, const std::vector<Address>& addresses);
  void publish(Followed& f);

  Worker& worker_;
  Resolver& resolver_;
  const int workers_;
  std::function<void(const Cluster&)> changed_;
  Scope scope_;
  std::map<const Cluster*, std::unique_ptr<Followed>> followed_;
  std::vector<std::unique_ptr<Followed>> forgotten_;
  Signal answered_;
};

}  // namespace outrider
