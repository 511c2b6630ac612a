#include "server/proxy.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "core/log_levels.h"
#include "server/command_line_options.h"
#include "server/logging.h"
#include "server/service_loop.h"

namespace outrider {

namespace {

std::uint64_t seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// The admin page has checked both names; no logger means all.
std::string change_level(std::string_view logger, std::string_view level) {
  std::optional<LogLevel> parsed = parse_log_level(level);
  if (!parsed) return "unknown level";
  logger.empty() ? set_log_levels(*parsed) : set_component_level(logger, *parsed);
  return {};
}

std::string machine_address(const Flags& flags) {
  bool v6 = flags.local_address_version == AddressVersion::v6;
  return Address::of_this_machine(v6 ? AF_INET6 : AF_INET).ip_text();
}

LogFiles::Options log_file_options(const Flags& flags, StatRegistry& stats) {
  LogFiles::Options o;
  o.workers = static_cast<int>(flags.concurrency) + 1;
  o.flush_interval = std::max(std::chrono::milliseconds(1), std::chrono::milliseconds(flags.file_flush_interval_ms));
  o.flush_bytes = std::size_t{flags.file_flush_min_size_kb} * 1024;
  o.touches_files = flags.opens_logs;
  o.stats = stats.scope("filesystem.", file_stat_table());
  o.writer_stats_index = static_cast<int>(flags.concurrency) + 1;
  return o;
}

}  // namespace

Proxy::Proxy(Flags flags)
    : flags_(std::move(flags)),
      started_(clock_.now()),
      main_(static_cast<int>(flags_.concurrency), clock_, turns_, seed()),
      network_(poller_),
      logs_(log_file_options(flags_, stats_)),
      process_{stats_,
               logs_,
               static_cast<int>(flags_.concurrency),
               [this] { return next_slot(); },
               flags_.service_node,
               flags_.service_cluster,
               flags_.service_zone,
               machine_address(flags_),
               &health_,
               this,
               flags_.may_lack_name},
      resolver_(poller_),
      discovery_(main_, resolver_, static_cast<int>(flags_.concurrency),
                 [this](const Cluster& c) { hosts_changed(c); }),
      services_(main_, rest_client_, discovery_, stats_, static_cast<int>(flags_.concurrency),
                [this](const Cluster& c) { hosts_changed(c); }),
      resources_(main_, rest_client_, stats_, *this),
      health_checks_(
          main_, network_, [this](Cluster& c) { health_changed(c); },
          [this](const Cluster& c, const Endpoint& host) { outliers_.passed_check(c, host); }),
      outliers_(main_, [this](Cluster& c) { health_changed(c); }),
      listeners_(main_, stats_, flags_, workers_),
      admin_(main_, network_, stats_),
      server_stats_(stats_.scope("server.", server_stat_table())),
      cluster_manager_stats_(stats_.scope("cluster_manager.", cluster_manager_stat_table())),
      runtime_stats_(stats_.scope("runtime.", runtime_stat_table())),
      runtime_watch_(poller_, [this] { main_.post([this] { load_runtime(); }); }) {
  stats_.set_tags(flags_.stats_tags);
}

Proxy::~Proxy() = default;

void Proxy::follow(const ClusterMap& clusters) {
  for (const auto& [name, cluster] : clusters) {
    health_checks_.follow(cluster);
    outliers_.follow(cluster);
    discovery_.follow(cluster);
  }
  // Once all names are followed: the services that are asked have some.
  for (const auto& [name, cluster] : clusters) services_.follow(cluster);
}

void Proxy::hosts_changed(const Cluster& cluster) {
  refresh_cluster(cluster);
  health_checks_.hosts_changed(cluster);
}

void Proxy::refresh_cluster(const Cluster& cluster) {
  for (auto& w : workers_) w->refresh_cluster(cluster.slot);
}

void Proxy::health_changed(Cluster& cluster) {
  cluster.set_hosts(cluster.hosts()->all, cluster.stats->local(main_.index()));
  refresh_cluster(cluster);
}

void Proxy::too_many_errors(ClusterPtr cluster, EndpointPtr host, EjectionReason reason) {
  main_.post([this, cluster = std::move(cluster), host = std::move(host), reason] {
    outliers_.too_many_errors(*cluster, *host, reason);
  });
}

void Proxy::fail_at_once(ClusterPtr cluster, EndpointPtr host) {
  main_.post(
      [this, cluster = std::move(cluster), host = std::move(host)] { health_checks_.fail_at_once(*cluster, *host); });
}

int Proxy::next_slot() {
  if (free_slots_.empty()) free_slots_.push_back(slots_++);
  taken_slots_.push_back(free_slots_.back());
  free_slots_.pop_back();
  return taken_slots_.back();
}

void Proxy::give_slots_back() {
  free_slots_.insert(free_slots_.end(), taken_slots_.begin(), taken_slots_.end());
  taken_slots_.clear();
}

int Proxy::run() {
  Signals signals(poller_, [this](int signal) { main_.post([this, signal] { on_signal(signal); }); });
  log(Logger::main, LogLevel::info, "starting outrider " OUTRIDER_VERSION);
  for (const std::string& note : flags_.without_effect) log(Logger::main, LogLevel::warning, note);
  if (flags_.enable_core_dump) {
    if (auto allowed = allow_core_dumps(); !allowed) log(Logger::main, LogLevel::warning, allowed.error());
  }
  allow_signals_to_end();
  auto snapshot = load_snapshot(nullptr);
  block_signals();
  if (!snapshot) {
    log(Logger::main, LogLevel::critical, "the configuration is refused:\n" + config::to_text(snapshot.error()));
    return 1;
  }
  snapshot_ = std::move(snapshot->snapshot);
  file_ = std::move(snapshot->file);
  set_stats_options(snapshot_->stats);
  configured_ = clock_.wall();
  auto opened = listeners_.open(*snapshot_);
  if (!opened) {
    log(Logger::main, LogLevel::critical, opened.error());
    return 1;
  }
  if (!admin_.open(*snapshot_, flags_, admin_view())) return 1;
  admin_configured_ = snapshot_->admin;
  for (std::uint32_t i = 0; i < flags_.concurrency; i++) {
    workers_.push_back(std::make_unique<ProxyWorker>(static_cast<int>(i), clock_, seed()));
    workers_.back()->start();
  }
  take_runtime(*snapshot_);
  heed_flags();
  start_watchdogs();
  listeners_.wait(std::move(*opened));
  main_.run(live(*this));
  watchdogs_.clear();
  allow_signals_to_end();
  for (auto& w : workers_) w->stop();
  logs_.flush();
  log(Logger::main, LogLevel::info, "exiting");
  return 0;
}

void Proxy::heed_flags() {
  if (snapshot_->flags_path.empty()) return;
  if (access((snapshot_->flags_path + "/drain").c_str(), F_OK) != 0) return;
  log(Logger::main, LogLevel::info, "there is a flag '" + snapshot_->flags_path + "/drain': health checks fail");
  health_.set_failing(true);
}

void Proxy::start_watchdogs() {
  auto add = [&](const char* name, const WatchdogOptions& options) -> Watchdog& {
    watchdogs_.push_back(std::make_unique<Watchdog>(name, options, stats_, clock_, seed()));
    return *watchdogs_.back();
  };
  Watchdog& of_main = add("main_thread", snapshot_->main_watchdog);
  of_main.watch("main_thread", turns_);
  Watchdog& of_workers = add("workers", snapshot_->worker_watchdog);
  for (std::size_t i = 0; i < workers_.size(); i++) {
    of_workers.watch("worker_" + std::to_string(i), workers_[i]->turns());
  }
  for (auto& each : watchdogs_) each->start();
}

Task<> Proxy::live(Proxy& self) { co_await self.scope_.run(body(self)); }

Task<> Proxy::body(Proxy& self) {
  self.scope_.spawn(discover, self);
  self.scope_.spawn(discover_services, self);
  self.scope_.spawn(discover_resources, self);
  self.scope_.spawn(check_health, self);
  self.scope_.spawn(watch_outliers, self);
  if (self.admin_.is_open()) self.scope_.spawn(AdminListener::serve, self.admin_, self.scope_);
  self.scope_.spawn(keep_stats, self);
  self.state_ = ServerState::initializing;
  self.name_clusters();  // Discovery asks some of them.
  self.follow(self.snapshot_->clusters);
  StatBlock& clusters = self.cluster_manager_stats_->local(self.main_.index());
  clusters[ClusterManagerStat::cluster_added].add(self.snapshot_->clusters.size());
  clusters[ClusterManagerStat::active_clusters].set(self.snapshot_->clusters.size());
  co_await self.discovery_.first_answers();
  co_await self.services_.first_answers();
  co_await self.resources_.begin(config::Resources::clusters, *self.snapshot_);
  co_await self.resources_.begin(config::Resources::listeners, *self.snapshot_);
  co_await self.resources_.begin(config::Resources::routes, *self.snapshot_);
  co_await self.health_checks_.first_results();
  log(Logger::main, LogLevel::info, "all clusters initialized; starting to listen");
  self.listeners_.start_waiting(*self.snapshot_);
  self.listeners_.mark_started();
  if (self.state_ == ServerState::initializing) self.state_ = ServerState::live;
  if (self.reload_after_start_) self.reload();
  self.set_server_stats();
  self.server_stats_->local(self.main_.index())
      .record(ServerStat::initialization_time_ms,
              static_cast<std::uint64_t>((self.clock_.now() - self.started_) / std::chrono::milliseconds(1)));
  co_await until_stopped();
}

Task<> Proxy::discover(Proxy& self) { co_await self.discovery_.run(); }

AdminView Proxy::admin_view() {
  AdminView view{.stats = stats_,
                 .snapshot = [this] { return snapshot_; },
                 .state = [this] { return state(); },
                 .version = [] { return version_text(); },
                 .listeners = [this] { return listeners_.addresses(); },
                 .command_line = {},
                 .now = [this] { return clock_.now(); },
                 .started = started_,
                 .quit = [this] { main_.post([this] { main_.stop(); }); },
                 .drain_listeners = [this](DrainOrder order) { listeners_.drain(*snapshot_, order, scope_); },
                 .reopen_logs = [this] { reopen_logs(); },
                 .fail_health =
                     [this](bool fails) {
                       health_.set_failing(fails);
                       set_server_stats();
                     },
                 .set_level = change_level,
                 .runtime = [this] { return main_.runtime(); },
                 .modify_runtime =
                     [this](const RuntimeValues& changes) {
                       bool taken = runtime_.modify(changes);
                       if (taken) load_runtime();
                       return taken;
                     },
                 .read_only = flags_.admin_read_only,
                 .configured = [this] { return configured_; },
                 .before_stats = [this] { before_stats(); }};
  view.command_line = command_line_options(flags_);
  return view;
}

ServerState Proxy::state() const {
  return state_ == ServerState::live && health_.fails() ? ServerState::draining : state_;
}

void Proxy::reopen_logs() {
  logs_.reopen();
  if (auto done = reopen_log(); !done) log(Logger::main, LogLevel::error, done.error());
}

void Proxy::begin_drain() {
  if (state_ == ServerState::draining) {
    main_.stop();
    return;
  }
  log(Logger::main, LogLevel::info, "draining: no new connections; a second signal ends at once");
  state_ = ServerState::draining;
  set_server_stats();
  for (auto& w : workers_) {
    w->stop_listening();
    w->drain();
  }
  scope_.spawn(wait_for_drain, *this);
}

Task<> Proxy::wait_for_drain(Proxy& self) {
  constexpr auto kLookInterval = std::chrono::milliseconds(50);
  TimePoint end = self.main_.now() + std::chrono::seconds(self.flags_.drain_time_s);
  for (;;) {
    co_await sleep(kLookInterval);
    bool open =
        std::any_of(self.workers_.begin(), self.workers_.end(), [](const auto& w) { return w->connections() > 0; });
    if (!open || self.main_.now() >= end) break;
    for (auto& w : self.workers_) w->drain();  // Those that were accepted meanwhile.
  }
  self.main_.stop();
  for (;;) co_await sleep(kLookInterval);
}

void Proxy::on_signal(int signal) {
  switch (signal) {
    case SIGHUP:
      reload();
      break;
    case SIGUSR1:
      reopen_logs();
      break;
    default:
      begin_drain();
  }
}

}  // namespace outrider
