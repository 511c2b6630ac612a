// The proxy as a whole: main thread, workers, configuration, signals. Constructed once, in main.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "config/compile.h"
#include "discovery/resource_discovery.h"
#include "discovery/service_discovery.h"
#include "observe/server_stats.h"
#include "server/admin_listener.h"
#include "server/flags.h"
#include "server/listeners.h"
#include "server/proxy_worker.h"
#include "server/signals.h"
#include "server/stat_sinks.h"
#include "server/symlink_watch.h"
#include "server/watchdog.h"
#include "server/worker_rest_client.h"
#include "upstream/discovery.h"
#include "upstream/health_check.h"
#include "upstream/outlier_detection.h"

namespace outrider {

class Proxy final : public HealthObserver, public ResourceTaker {
 public:
  explicit Proxy(Flags flags);
  Proxy(const Proxy&) = delete;
  ~Proxy();

  // Serves until a signal ends it. The exit code: 0, or 1 when the configuration or an address is refused.
  int run();
  // --mode validate: 0 if the configuration is right; else every error is printed.
  int validate();
  // What the configuration comes to, without serving it.
  std::expected<SnapshotPtr, std::vector<config::Problem>> read_snapshot() {
    process_.keep_sources = true;
    auto read = load_snapshot(nullptr);
    if (!read) return std::unexpected(std::move(read.error()));
    return std::move(read->snapshot);
  }

 private:
  // A snapshot, and what it was made of where answers of discovery may have to be put to it; else null.
  struct Read {
    SnapshotPtr snapshot;
    std::shared_ptr<const config::Loaded> file;
  };
  std::expected<Read, std::vector<config::Problem>> load_snapshot(const SnapshotPtr& previous);
  std::expected<SnapshotPtr, std::vector<config::Problem>> compile(const config::Loaded& file,
                                                                   const SnapshotPtr& previous,
                                                                   const config::Answers& answers);
  // Workers find clusters by name from now on as the snapshot has them.
  void name_clusters();
  void publish(Read next, std::vector<OpenListener> opened);
  // Publishes it once its new clusters have their hosts; or says why not.
  Task<std::expected<void, std::string>> bring_into_force(Read next);
  void reload();
  static constexpr std::string_view kDrains = "the proxy takes no more configuration";
  static Task<> reload_file(Proxy& self);
  // Says in the log what is wrong.
  Task<bool> reload_configuration();
  void announce_reload();
  // ResourceTaker.
  Task<std::expected<void, std::string>> take(config::Resources resources, const config::ResourceSource& source,
                                              const std::string& text) override;
  Task<std::expected<void, std::string>> take_answers(config::Answers answers);
  // Asks for the tables of routes that listeners of the snapshot need, and none had before; whether any came.
  Task<bool> fetch_routes(const Snapshot& next, config::Answers& answers);
  // One change of the configuration at a time: the others wait.
  struct Change {
    explicit Change(Proxy& p) : proxy(p) { proxy.changing_ = true; }
    Change(const Change&) = delete;
    ~Change() {
      proxy.changing_ = false;
      proxy.change_done_.notify_one();
    }
    Proxy& proxy;
  };
  Task<> until_unchanging() {
    while (changing_) co_await change_done_.wait();
  }

  static Task<> live(Proxy& self);
  static Task<> body(Proxy& self);
  static Task<> discover(Proxy& self);
  static Task<> discover_services(Proxy& self) { co_await self.services_.run(); }
  static Task<> discover_resources(Proxy& self) { co_await self.resources_.run(); }
  static Task<> check_health(Proxy& self) { co_await self.health_checks_.run(); }
  static Task<> watch_outliers(Proxy& self) { co_await self.outliers_.run(); }
  // HealthObserver, on workers' threads.
  void too_many_errors(ClusterPtr cluster, EndpointPtr host, EjectionReason reason) override;
  void fail_at_once(ClusterPtr cluster, EndpointPtr host) override;
  // The hosts are the same; who of them is to be chosen is not.
  void health_changed(Cluster& cluster);
  void refresh_cluster(const Cluster& cluster);
  void hosts_changed(const Cluster& cluster);
  void follow(const ClusterMap& clusters);
  static Task<> keep_stats(Proxy& self);
  static Task<> wait_for_drain(Proxy& self);
  void start_watchdogs();
  void heed_flags();
  void on_signal(int signal);
  void begin_drain();
  void reopen_logs();
  void set_server_stats();
  void before_stats();
  // As it is told: a server whose health fails calls itself draining.
  ServerState state() const;
  int next_slot();
  void give_slots_back();
  AdminView admin_view();
  // Reads the layers and tells all workers.
  void load_runtime();
  void take_runtime(const Snapshot& snapshot);

  const Flags flags_;
  RealClock clock_;
  const TimePoint started_;
  EpollPoller poller_;
  WatchedPoller turns_{poller_};
  Worker main_;
  TcpNetwork network_;
  StatRegistry stats_;
  StatSinks sinks_{stats_, network_};
  Signal stats_shown_;  // To somebody who asked for them.
  LogFiles logs_;
  ServerHealth health_;
  RuntimeLayers runtime_;
  config::Process process_;
  SnapshotPtr snapshot_;
  WallTime configured_;                      // When it came into force.
  std::optional<Address> admin_configured_;  // Where the admin page is, as the first configuration wrote it.
  std::vector<int> free_slots_;
  std::vector<int> taken_slots_;  // By the configuration that is being read.
  int slots_ = 0;
  bool reload_after_start_ = false;  // Asked for before.
  CaresResolver resolver_;
  WorkerRestClient rest_client_{main_, workers_};
  Discovery discovery_;
  ServiceDiscovery services_;
  ResourceDiscovery resources_;
  std::shared_ptr<const config::Loaded> file_;  // Null where nothing of the configuration is discovered.
  bool changing_ = false;
  Signal change_done_;
  HealthChecks health_checks_;
  OutlierDetection outliers_;
  ProxyWorkers workers_;
  std::vector<std::unique_ptr<Watchdog>> watchdogs_;
  Scope scope_;
  Listeners listeners_;
  AdminListener admin_;
  std::shared_ptr<StatScope> server_stats_, cluster_manager_stats_, runtime_stats_;
  ServerState state_ = ServerState::pre_initializing;
  SymlinkWatch runtime_watch_;
};

}  // namespace outrider
