// Connections of one worker to the hosts of its clusters: made when needed, kept while idle.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "core/scope.h"
#include "http/body.h"
#include "net/network.h"
#include "upstream/cluster.h"

namespace outrider {

class WorkerCluster;
class UpstreamConnection;
class H2UpstreamConnection;

enum class UpstreamProtocol : std::uint8_t {
  http1,
  http2,
  other,  // For one client only: what passes is nobody's to understand.
};

// One of these, or what failed.
struct Acquired {
  UpstreamConnection* connection = nullptr;
  H2UpstreamConnection* h2 = nullptr;
  Failure failure = Failure::none;
  std::string_view reason = {};  // Of a failed connect: static text such as "Connection refused".
};

// Those of HTTP/2 to one endpoint, which requests share.
struct H2Connections {
  void drain();

  H2UpstreamConnection* newest = nullptr;        // All of them.
  H2UpstreamConnection* ready_newest = nullptr;  // Of these, those with room.
  std::size_t connecting = 0;
  std::size_t waiting = 0;     // Requests that wait for a stream.
  std::uint64_t failures = 0;  // Connections that never stood.
  Acquired last_failure = {};  // Of the last of them.
  Signal changed;              // A connection has room, or there is another reason to look again.
};

// One worker's connections to one endpoint.
struct EndpointPool {
  EndpointPool(WorkerCluster& owner, EndpointPtr endpoint);
  EndpointPool(const EndpointPool&) = delete;
  ~EndpointPool();

  // The connection that was idle for the shortest time, if any is still good.
  UpstreamConnection* take_idle();
  void give_idle(UpstreamConnection& connection);
  void close_idle();
  // Closes what has been idle for too long, and asks to be called again.
  void sweep();
  // Whether there may be another connection; it is counted then.
  bool take_connection(Breaker& breaker);
  // No connection is kept from now on.
  void drain();

  WorkerCluster& owner;
  const EndpointPtr endpoint;
  UpstreamConnection* idle_newest = nullptr;
  UpstreamConnection* idle_oldest = nullptr;
  H2Connections h2;
  long connections = 0;   // Idle and busy ones.
  long streams = 0;       // Requests that hold on to this pool.
  bool draining = false;  // The host has left the cluster: no connection is kept.
  Signal freed;           // A connection became idle or was closed.

 private:
  struct Sweep {
    Timer timer;
    EndpointPool* owner;
  };
  // Counts it, too.
  bool too_old(const UpstreamConnection& connection);
  Sweep sweep_;
};

// One connection; owned by the pool while idle, by an H1UpstreamStream while busy, or by an H2UpstreamConnection.
// Destroying it closes it.
class UpstreamConnection : public Transport::HangupHook, public Runnable {
 public:
  UpstreamConnection(EndpointPool& pool, std::unique_ptr<Transport> transport, Breaker& breaker,
                     UpstreamProtocol protocol = UpstreamProtocol::http1);
  ~UpstreamConnection();

  EndpointPool& pool;
  const std::unique_ptr<Transport> transport;
  const std::uint64_t id;   // Of all upstream connections of the process.
  const TimePoint created;  // When it was begun.
  TimePoint connected{};    // When it stood.
  std::uint32_t requests = 0;
  TimePoint idle_since;
  bool closed_by_peer = false;
  bool broken = false;  // What came is no HTTP: it is we who end it, whatever the peer has done meanwhile.

 private:
  friend struct EndpointPool;
  void leave_idle();

  Breaker& breaker_;
  bool idle_ = false;
  UpstreamConnection* newer_ = nullptr;
  UpstreamConnection* older_ = nullptr;
};

// What consistent hashing goes by.
struct HashChoice {
  std::optional<std::uint64_t> hash = std::nullopt;  // Of the request; nothing: chance decides.
  std::uint32_t attempt = 0;                         // How many choices have been declined.
};

// What one worker has of one cluster.
class WorkerCluster {
 public:
  // `connections` runs those that are shared; it outlives what uses them.
  WorkerCluster(Worker& worker, Network& network, Scope& connections, ClusterPtr cluster);
  WorkerCluster(const WorkerCluster&) = delete;
  ~WorkerCluster();

  // The load balancer's choice; null: there is no host.
  Endpoint* pick() { return pick(*hosts_); }
  // Among those hosts, which are the cluster's.
  Endpoint* pick(const HostSet& hosts, const HashChoice& by = {});
  // Of an ORIGINAL_DST cluster: the host of that address.
  Endpoint* host_at(const Address& address);
  // This worker's block of that copy of the cluster's codes.
  StatBlock& copy(CodeCopy copy) {
    StatBlock*& block = copies_[static_cast<std::size_t>(copy)];
    if (!block) block = &cluster->copy_stats(copy, worker.index());
    return *block;
  }
  EndpointPool& pool(Endpoint& endpoint) {
    EndpointPool* p = endpoint.local[static_cast<std::size_t>(worker.index())];
    return p ? *p : make_pool(endpoint);
  }
  const HostSet& hosts() const { return *hosts_; }
  const HostSetPtr& host_set() const { return hosts_; }
  bool has_hosts() const { return !hosts_->eligible.empty(); }
  // Takes the cluster's present hosts; pools of hosts that left are drained.
  void refresh();
  // Deletes drained pools that nobody uses. True if none is left at all.
  bool reap();

  Worker& worker;
  Network& network;
  Scope& connections;
  const ClusterPtr cluster;
  StatBlock& stats;
  long users = 0;        // Exchanges that hold on to this.
  bool removed = false;  // Gone from the configuration.

 private:
  Endpoint* choose(std::span<Endpoint* const> hosts);
  Endpoint* choose_by_hash(const HostSet& hosts, const HashChoice& by);
  EndpointPool& make_pool(Endpoint& endpoint);
  HostSetPtr hosts_;
  std::vector<std::unique_ptr<EndpointPool>> pools_;
  std::array<StatBlock*, static_cast<std::size_t>(CodeCopy::count)> copies_{};
};

// Keeps a worker's cluster as long as an exchange uses it.
struct ClusterUse {
  explicit ClusterUse(WorkerCluster& c) : cluster(c) { cluster.users++; }
  ClusterUse(const ClusterUse&) = delete;
  ~ClusterUse() { cluster.users--; }
  WorkerCluster& cluster;
};

// All clusters of a configuration, by name.
using ClusterMap = std::map<std::string, ClusterPtr, std::less<>>;

// All clusters of one worker, by slot.
class WorkerClusters {
 public:
  // `connections` runs while requests are served.
  WorkerClusters(Worker& worker, Network& network, Scope& connections)
      : worker_(worker), network_(network), connections_(connections) {}
  ~WorkerClusters() { clear(); }

  // Made at the first use: a cluster that gets no request costs a worker nothing.
  WorkerCluster& get(Cluster& cluster) {
    auto slot = static_cast<std::size_t>(cluster.slot);
    if (slot < table_.size() && table_[slot] && table_[slot]->cluster.get() == &cluster) return *table_[slot];
    return make(cluster.shared_from_this());
  }
  WorkerCluster& get(const ClusterPtr& cluster) { return get(*cluster); }
  // Null if there is none of that name.
  ClusterPtr find(std::string_view name) const {
    auto at = names_ ? names_->find(name) : ClusterMap::const_iterator();
    return names_ && at != names_->end() ? at->second : nullptr;
  }
  // What find() knows from now on.
  void set_names(std::shared_ptr<const ClusterMap> names);
  // The hosts of that cluster have changed.
  void refresh(int slot);
  // The cluster has left the configuration: its connections end as they become idle.
  void remove(int slot);
  void clear();

 private:
  WorkerCluster& make(const ClusterPtr& cluster);
  void reap();
  Worker& worker_;
  Network& network_;
  Scope& connections_;
  std::shared_ptr<const ClusterMap> names_;
  std::vector<std::unique_ptr<WorkerCluster>> table_;
  std::vector<std::unique_ptr<WorkerCluster>> removed_;
};

// A connection to that host: an idle one, or a new one within the circuit breakers' limits. Waits where the limit of
// connections is reached. Of HTTP/2 see h2_upstream_connection.h.
Task<Acquired> acquire(EndpointPool& pool, Breakers& breakers, UpstreamProtocol protocol = UpstreamProtocol::http1);

}  // namespace outrider
