// Cluster: where a route may send requests, and how. Configuration never changes; what changes is its set of hosts.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http/h2_options.h"
#include "net/dns.h"
#include "net/network.h"
#include "observe/local_stats.h"
#include "upstream/balance.h"
#include "upstream/breaker.h"
#include "upstream/cluster_stats.h"
#include "upstream/consistent_hash.h"
#include "upstream/health_check_options.h"
#include "upstream/host_set.h"
#include "upstream/rest_source.h"
#include "upstream/subset.h"
#include "wire/h1.h"

namespace outrider {

enum class DiscoveryType : std::uint8_t { static_, strict_dns, logical_dns, original_dst, eds };

// A host as the configuration names it; for DNS clusters the address is a name.
struct ConfiguredHost {
  std::string address;  // A literal address, a path, or a name to resolve.
  std::uint16_t port = 0;
  bool is_pipe = false;
  std::string hostname;  // For auto_host_rewrite; empty: the address.
  std::uint32_t weight = 1;
  std::uint32_t priority = 0;
  HostHealth health = HostHealth::healthy;
  bool told_to_drain = false;
  std::string region, zone, sub_zone;
  std::shared_ptr<const Metadata> metadata;  // Null: none.
  Endpoint::Check check;                     // Its address is made of the host's, with `check_port` if that is not 0.
  std::uint16_t check_port = 0;
};

struct RetryBudget {
  double percent = 20;  // Of the requests in flight.
  std::uint64_t min = 3;
  bool operator==(const RetryBudget&) const = default;
};

// Where an ORIGINAL_DST cluster is told the address of the host; else it is where the client's connection was going.
struct OriginalDestination {
  std::string header;                                // Lower case, or ":authority"; empty: not asked.
  std::optional<std::uint16_t> port;                 // Instead of the one that was found.
  int workers = 0;                                   // Of the process.
  std::chrono::milliseconds cleanup_interval{5000};  // A host that is not used for so long is dropped.
};

struct ClusterOptions {
  std::string name;
  std::string alt_stat_name;  // In statistics and logs; empty: the name.
  DiscoveryType discovery = DiscoveryType::static_;
  LbPolicy policy = LbPolicy::round_robin;
  std::uint32_t least_request_choices = 2;
  std::shared_ptr<const HashOptions> hash;  // Of consistent_hash; else null.
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds idle_timeout = std::chrono::hours(1);  // Of a pooled connection; 0: none.
  std::chrono::milliseconds max_connection_duration{0};            // Of a connection; it ends when it is idle. 0: none.
  std::chrono::milliseconds max_stream_duration{0};                // Of a request on its connection; 0: none.
  std::uint32_t max_requests_per_connection = 0;                   // 0: no limit.
  bool proper_case_names = false;       // Field names of requests are Written-So (header_key_format).
  h1::Limits limits;                    // Of responses.
  std::shared_ptr<const H2Options> h2;  // How HTTP/2 is spoken to its hosts; null: it is not.
  bool as_downstream = false;           // To HTTP/2 requests only; the others go on as HTTP/1.
  bool speaks_h2(Version version) const { return h2 && (!as_downstream || version == Version::http2); }
  DnsFamily dns_family = DnsFamily::automatic;
  std::chrono::milliseconds dns_refresh_rate{5000};
  std::chrono::milliseconds dns_failure_rate{5000};  // Doubles with each failure, up to the next.
  std::chrono::milliseconds dns_failure_rate_max{5000};
  std::chrono::milliseconds dns_jitter{0};
  bool respect_dns_ttl = false;
  bool added_via_api = false;             // Discovery has found it: the file does not have it.
  bool ignore_health_on_removal = false;  // Else a host that the name has lost stays until it fails its health checks.
  // No read from a host takes more (per_connection_buffer_limit_bytes).
  std::size_t read_bytes_max = BlockPool::kBodyBytes;
  std::vector<ConfiguredHost> hosts;  // To be resolved; those of a STATIC cluster are endpoints at once.
  double panic_percent = kPanicPercent;
  std::shared_ptr<const Metadata> metadata;                // Null: none.
  std::shared_ptr<const HealthCheckOptions> health_check;  // Null: none.
  std::shared_ptr<const OutlierOptions> outlier;           // Null: none.
  std::shared_ptr<const SubsetOptions> subset;             // Null: none.
  OriginalDestination original_destination;
  std::shared_ptr<const ServiceSource> service;   // Of an EDS cluster; else null.
  std::shared_ptr<const ConnectOptions> connect;  // Of connections to its hosts; null: nothing is asked of them.
  const ConnectOptions& connection() const {
    static const ConnectOptions plain;
    return connect ? *connect : plain;
  }
  struct Threshold {
    std::uint64_t connections = 1024, pending_requests = 1024, requests = 1024, retries = 3;
    std::optional<RetryBudget> retry_budget = std::nullopt;  // Instead of `retries`.
    bool operator==(const Threshold&) const = default;
  };
  std::array<Threshold, 2> thresholds;         // By Priority.
  std::array<std::uint64_t, 2> fingerprint{};  // A hash of its whole configuration: equal means unchanged.
};

class Cluster;

// Who is told what requests find out about hosts. Its functions may be called on any thread.
class HealthObserver {
 public:
  // So many errors in a row.
  virtual void too_many_errors(std::shared_ptr<Cluster> cluster, EndpointPtr host, EjectionReason reason) = 0;
  // x-envoy-immediate-health-check-fail in a response.
  virtual void fail_at_once(std::shared_ptr<Cluster> cluster, EndpointPtr host) = 0;

 protected:
  ~HealthObserver() = default;
};

// Shared by all workers and by the snapshots that name it. Thread-safe.
class Cluster : public std::enable_shared_from_this<Cluster> {
 public:
  Cluster(ClusterOptions options, std::shared_ptr<StatScope> stats, int slot,
          LocalStats retry_codes = {std::make_shared<StatScope>("", retry_stat_table()), 0});
  Cluster(const Cluster&) = delete;

  const ClusterOptions options;
  const std::shared_ptr<StatScope> stats;
  const int slot;                    // Its place in every worker's table; another's once it has left the configuration.
  std::array<Breakers, 2> breakers;  // By Priority.
  const LocalStats retry_codes;      // cluster.<name>.retry.: the statuses of answers that were tried again.
  std::atomic<std::uint64_t> turn{0};  // The rotation, one for the whole process: call n goes to host n mod hosts.

  const std::string& name() const { return options.name; }
  bool by_dns() const {
    return options.discovery == DiscoveryType::strict_dns || options.discovery == DiscoveryType::logical_dns;
  }
  std::shared_ptr<StatScope> health_check_stats, outlier_stats;  // Null where there is none of it.
  std::shared_ptr<StatScope> hash_scope;  // ring_hash_lb. or maglev_lb.; null where the cluster does not hash.
  StatBlock* hash_stats = nullptr;        // Of that the block of the main thread, which sets the hosts.
  SuccessRates success_rates, local_origin_success_rates;  // Outlier detection's; the main thread's.
  HealthObserver* observer = nullptr;                      // Before it serves; outlives it. Null: nobody.

  // A host as it is configured, at that address.
  EndpointPtr make_endpoint(const ConfiguredHost& host, Address address, int workers) const;
  // With the limit that holds now.
  Breaker& retry_breaker(Priority priority);
  HostSetPtr hosts() const;
  // Shows which circuit breakers are open, in `stats` as below.
  void show_breakers(StatBlock& stats) const;
  // The block of that copy of the codes on that worker; made when it is first needed. Keep the reference.
  StatBlock& copy_stats(CodeCopy copy, int worker);
  // The block of a filter's counters on that worker: "ext_authz." is "cluster.<name>.ext_authz.". Made when it is first
  // asked for; takes a lock.
  StatBlock& stats_below(const std::string& name, const StatTable& table, int worker);
  // `stats`: this cluster's block of the calling thread, which keeps the membership gauges.
  void set_hosts(HostSetPtr hosts, StatBlock& stats);
  void set_hosts(std::vector<EndpointPtr> all, StatBlock& stats);
  // Of an ORIGINAL_DST cluster, from any thread: the host of that address, which is added if there is none.
  EndpointPtr add_host(const Address& address, int workers, StatBlock& stats);
  // Drops those hosts; whether there were any.
  bool remove_hosts(const std::function<bool(const Endpoint&)>& condition, StatBlock& stats);

 private:
  void show_places(const HostSet& hosts);

  mutable std::mutex mutex_;
  HostSetPtr hosts_;
  std::array<std::shared_ptr<StatScope>, static_cast<std::size_t>(CodeCopy::count)> copies_;
  std::unique_ptr<std::map<std::string, std::shared_ptr<StatScope>>> below_;  // Null: no filter has asked.
};

using ClusterPtr = std::shared_ptr<Cluster>;

}  // namespace outrider
