#include "server/proxy.h"

#include <malloc.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <random>

#include "core/log_levels.h"
#include "server/command_line_options.h"
#include "server/logging.h"
#include "server/service_loop.h"

namespace outrider {

std::string to_text(const std::vector<config::Problem>& problems) {
  std::string text;
  for (const config::Problem& p : problems) text.append(text.empty() ? "" : "\n") += config::to_text(p);
  return text;
}

namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, s);
  return set;
}

}  // namespace

void block_signals() {
  sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void allow_signals_to_end() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT}) sigaddset(&set, s);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// Signals as events of the main thread.
class Proxy::Signals final : public EventTarget {
 public:
  explicit Signals(Proxy& proxy) : proxy_(proxy) {
    sigset_t set = handled_signals();
    fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    proxy_.poller_.watch(fd_, *this, EPOLLIN);
  }
  ~Signals() { close(fd_); }
  void on_events(std::uint32_t) override {
    signalfd_siginfo info;
    while (read(fd_, &info, sizeof info) == sizeof info) {
      int signal = static_cast<int>(info.ssi_signo);
      proxy_.main_.post([this, signal] { proxy_.on_signal(signal); });
    }
  }

 private:
  Proxy& proxy_;
  int fd_;
};

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

// The words between commas.
std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    words.emplace_back(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(list.size(), words.back().size() + 1));
  }
  return words;
}

bool reaches_beyond(const Address& address) {
  return !address.is_pipe() && !address.is_loopback() && !address.ip_text().starts_with("127.");
}

LogFiles::Options log_file_options(const Flags& flags, StatRegistry& stats) {
  LogFiles::Options o;
  o.workers = static_cast<int>(flags.concurrency) + 1;
  o.flush_interval = std::chrono::milliseconds(flags.file_flush_interval_ms);
  o.flush_bytes = flags.file_flush_min_size_kb * 1024;
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
               this},
      resolver_(poller_),
      discovery_(main_, resolver_, static_cast<int>(flags_.concurrency),
                 [this](const Cluster& c) {
                   refresh_cluster(c);
                   health_checks_.hosts_changed(c);
                 }),
      health_checks_(
          main_, network_, [this](Cluster& c) { health_changed(c); },
          [this](const Cluster& c, const Endpoint& host) { outliers_.passed_check(c, host); }),
      outliers_(main_, [this](Cluster& c) { health_changed(c); }),
      admin_service_{main_, network_, nullptr, nullptr, {}},
      server_stats_(stats_.scope("server.", server_stat_table())),
      listener_manager_stats_(stats_.scope("listener_manager.", listener_manager_stat_table())),
      cluster_manager_stats_(stats_.scope("cluster_manager.", cluster_manager_stat_table())),
      runtime_stats_(stats_.scope("runtime.", runtime_stat_table())),
      runtime_watch_(poller_, [this] { main_.post([this] { load_runtime(); }); }) {
  stats_.set_tags(flags_.stats_tags);
}

Proxy::~Proxy() = default;

void Proxy::follow(const ClusterPtr& cluster) {
  health_checks_.follow(cluster);
  outliers_.follow(cluster);
  discovery_.follow(cluster);
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
  if (free_slots_.empty()) return slots_++;
  int slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

std::expected<SnapshotPtr, std::vector<config::Problem>> Proxy::load_snapshot(const SnapshotPtr& previous) {
  config::Source source;
  source.path = flags_.config_path;
  source.overlay_yaml = flags_.config_yaml;
  source.substitute_environment = flags_.substitute_environment;
  source.allow_unknown_fields = flags_.allow_unknown_fields;
  source.disabled_extensions = split(flags_.disabled_extensions);
  auto loaded = config::load_with_mistakes(source);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  for (const config::Problem& note : loaded->notes) log(Logger::config, LogLevel::warning, config::to_text(note));
  server_stats_->local(main_.index())[ServerStat::static_unknown_fields].add(
      static_cast<std::uint64_t>(std::ranges::count(loaded->notes, true, &config::Problem::unknown_field)));
  auto compiled = config::compile(*loaded, previous, process_);
  loaded = std::unexpected(std::vector<config::Problem>{});  // Frees the tree.
  malloc_trim(0);
  return compiled;
}

int Proxy::validate() {
  auto snapshot = load_snapshot(nullptr);
  if (!snapshot) {
    std::fprintf(stderr, "%s\n", to_text(snapshot.error()).c_str());
    return 1;
  }
  std::printf("configuration '%s' OK\n", flags_.config_path.c_str());
  return 0;
}

std::expected<std::vector<Proxy::OpenListener>, std::string> Proxy::open_listeners(const Snapshot& next) {
  std::vector<OpenListener> opened;
  std::string error;
  for (const ListenerConfig& l : next.listeners) {
    bool kept = std::any_of(listeners_.begin(), listeners_.end(), [&](const OpenListener& o) { return o.is(l); });
    if (kept) continue;
    OpenListener open{l.name, l.address, l.address, {}, l.backlog, l.binds};
    if (!l.binds) {
      opened.push_back(std::move(open));
      continue;
    }
    bool ours = std::any_of(listeners_.begin(), listeners_.end(),
                            [&](const OpenListener& o) { return o.configured == l.address; });
    if (auto free = probe_free(l.address); !free && !ours) {
      error = free.error();
      break;
    }
    for (std::size_t w = 0; w < flags_.concurrency && error.empty(); w++) {
      if (l.address.is_pipe() && w > 0) {
        open.sockets.push_back(dup(open.sockets[0]));
        continue;
      }
      auto fd = listen_on(open.address, {.backlog = l.backlog, .bind_only = true});
      if (fd) {
        open.sockets.push_back(*fd);
        open.address = bound_address(*fd);  // Port 0 becomes a real one, the same for every worker.
      } else {
        error = fd.error();
      }
    }
    opened.push_back(std::move(open));
    if (!error.empty()) break;
  }
  if (error.empty()) return opened;
  for (OpenListener& o : opened) {
    for (int fd : o.sockets) close(fd);
  }
  return std::unexpected(error);
}

void Proxy::hand_over(std::vector<OpenListener> opened, const Snapshot& snapshot) {
  StatBlock& stats = listener_manager_stats_->local(main_.index());
  for (OpenListener& o : opened) {
    auto config = std::find_if(snapshot.listeners.begin(), snapshot.listeners.end(),
                               [&](const auto& l) { return l.name == o.name; });
    for (std::size_t w = 0; w < workers_.size(); w++) {
      if (config->binds) ::listen(o.sockets[w], o.backlog);
      workers_[w]->add_listener(*config, config->binds ? o.sockets[w] : -1);
    }
    o.sockets.clear();
    stats[ListenerManagerStat::listener_added].add();
    stats[ListenerManagerStat::listener_create_success].add();
    listeners_.push_back(std::move(o));
  }
  stats[ListenerManagerStat::total_listeners_active].set(listeners_.size());
}

void Proxy::name_clusters() {
  std::shared_ptr<const ClusterMap> clusters(snapshot_, &snapshot_->clusters);
  for (auto& w : workers_) w->set_clusters(clusters);
}

void Proxy::publish(SnapshotPtr next, std::vector<OpenListener> opened) {
  SnapshotPtr previous = std::exchange(snapshot_, std::move(next));
  name_clusters();
  configured_ = clock_.wall();
  StatBlock& lm = listener_manager_stats_->local(main_.index());
  StatBlock& cm = cluster_manager_stats_->local(main_.index());
  std::erase_if(listeners_, [&](const OpenListener& o) {
    auto config =
        std::find_if(snapshot_->listeners.begin(), snapshot_->listeners.end(), [&](const auto& l) { return o.is(l); });
    bool gone = config == snapshot_->listeners.end();
    for (auto& w : workers_) gone ? w->remove_listener(o.name) : w->update_listener(*config);
    lm[gone ? ListenerManagerStat::listener_removed : ListenerManagerStat::listener_modified].add();
    return gone;
  });
  for (const auto& [name, cluster] : snapshot_->clusters) follow(cluster);
  for (const auto& [name, cluster] : previous->clusters) {
    auto now = snapshot_->clusters.find(name);
    if (now != snapshot_->clusters.end() && now->second == cluster) continue;
    discovery_.forget(*cluster);
    health_checks_.forget(*cluster);
    outliers_.forget(*cluster);
    for (auto& w : workers_) w->remove_cluster(cluster->slot);
    free_slots_.push_back(cluster->slot);
    cm[now == snapshot_->clusters.end() ? ClusterManagerStat::cluster_removed : ClusterManagerStat::cluster_modified]
        .add();
  }
  cm[ClusterManagerStat::active_clusters].set(snapshot_->clusters.size());
  take_runtime(*snapshot_);
  hand_over(std::move(opened), *snapshot_);
}

void Proxy::reload() {
  const bool done = reload_configuration();
  server_stats_->local(main_.index())[done ? ServerStat::config_reload_success : ServerStat::config_reload_failure]
      .add();
}

bool Proxy::reload_configuration() {
  struct stat file;
  if (stat(flags_.config_path.c_str(), &file) == 0 && !S_ISREG(file.st_mode)) {
    log(Logger::config, LogLevel::error,
        "the configuration was not reloaded: '" + flags_.config_path + "' is not a regular file");
    return false;
  }
  auto next = load_snapshot(snapshot_);
  if (!next) {
    log(Logger::config, LogLevel::error,
        "the configuration was not reloaded; the old one stays:\n" + to_text(next.error()));
    return false;
  }
  if ((*next)->admin != admin_configured_) {
    log(Logger::config, LogLevel::warning, "the admin address has changed; it takes a restart to move the admin page");
  }
  auto opened = open_listeners(**next);
  if (!opened) {
    log(Logger::config, LogLevel::error, "the configuration was not reloaded; the old one stays: " + opened.error());
    return false;
  }
  publish(std::move(*next), std::move(*opened));
  announce_reload();
  return true;
}

// When it holds everywhere: who reads the line and sends a request gets the new configuration.
void Proxy::announce_reload() {
  auto behind = std::make_shared<std::size_t>(workers_.size());
  for (auto& w : workers_) {
    w->when_settled([this, behind] {
      main_.post([behind] {
        if (--*behind == 0) log(Logger::config, LogLevel::info, "the configuration was reloaded");
      });
    });
  }
}

int Proxy::run() {
  signals_ = std::make_unique<Signals>(*this);
  log(Logger::main, LogLevel::info, "starting outrider " OUTRIDER_VERSION);
  for (const std::string& note : flags_.without_effect) log(Logger::main, LogLevel::warning, note);
  if (flags_.enable_core_dump) {
    if (auto allowed = allow_core_dumps(); !allowed) log(Logger::main, LogLevel::warning, allowed.error());
  }
  allow_signals_to_end();
  auto snapshot = load_snapshot(nullptr);
  block_signals();
  if (!snapshot) {
    log(Logger::main, LogLevel::critical, "the configuration is refused:\n" + to_text(snapshot.error()));
    return 1;
  }
  snapshot_ = std::move(*snapshot);
  configured_ = clock_.wall();
  auto opened = open_listeners(*snapshot_);
  if (!opened) {
    log(Logger::main, LogLevel::critical, opened.error());
    return 1;
  }
  if (!open_admin(*snapshot_)) return 1;
  admin_configured_ = snapshot_->admin;
  for (std::uint32_t i = 0; i < flags_.concurrency; i++) {
    workers_.push_back(std::make_unique<ProxyWorker>(static_cast<int>(i), clock_, seed()));
    workers_.back()->start();
  }
  take_runtime(*snapshot_);
  heed_flags();
  start_watchdogs();
  pending_ = std::move(*opened);
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
  self.scope_.spawn(check_health, self);
  self.scope_.spawn(watch_outliers, self);
  if (self.admin_acceptor_) self.scope_.spawn(admin_accept, self);
  self.scope_.spawn(keep_stats, self);
  self.state_ = ServerState::initializing;
  for (const auto& [name, cluster] : self.snapshot_->clusters) self.follow(cluster);
  StatBlock& clusters = self.cluster_manager_stats_->local(self.main_.index());
  clusters[ClusterManagerStat::cluster_added].add(self.snapshot_->clusters.size());
  clusters[ClusterManagerStat::active_clusters].set(self.snapshot_->clusters.size());
  co_await self.discovery_.first_answers();
  co_await self.health_checks_.first_results();
  log(Logger::main, LogLevel::info, "all clusters initialized; starting to listen");
  self.name_clusters();
  self.hand_over(std::move(self.pending_), *self.snapshot_);
  self.listener_manager_stats_->local(self.main_.index())[ListenerManagerStat::workers_started].set(1);
  if (self.state_ == ServerState::initializing) self.state_ = ServerState::live;
  self.set_server_stats();
  self.server_stats_->local(self.main_.index())
      .record(ServerStat::initialization_time_ms,
              static_cast<std::uint64_t>((self.clock_.now() - self.started_) / std::chrono::milliseconds(1)));
  for (;;) co_await sleep(std::chrono::hours(24));
}

Task<> Proxy::discover(Proxy& self) { co_await self.discovery_.run(); }

Task<> Proxy::keep_stats(Proxy& self) {
  for (;;) {
    self.set_server_stats();
    if (stats_options().flush_on_admin) {
      co_await self.stats_shown_.wait();
    } else {
      co_await sleep(stats_options().flush_interval);
      self.stats_.flush_histograms();
    }
    SnapshotPtr snapshot = self.snapshot_;
    co_await self.sinks_.flush(*snapshot);
  }
}

void Proxy::before_stats() {
  set_server_stats();
  if (!stats_options().flush_on_admin) return;
  stats_.flush_histograms();
  stats_shown_.notify_one();
}

void Proxy::set_server_stats() {
  StatBlock& s = server_stats_->local(main_.index());
  ProcessMemory memory = process_memory();
  std::uint64_t connections = 0;
  for (auto& w : workers_) connections += w->connections();
  s[ServerStat::uptime].set(static_cast<std::uint64_t>((clock_.now() - started_) / std::chrono::seconds(1)));
  s[ServerStat::state].set(static_cast<std::uint64_t>(state()));
  s[ServerStat::live].set(state() == ServerState::live);
  s[ServerStat::concurrency].set(flags_.concurrency);
  s[ServerStat::total_connections].set(connections);
  s[ServerStat::memory_allocated].set(memory.allocated);
  s[ServerStat::memory_heap_size].set(memory.heap_size);
  s[ServerStat::memory_physical_size].set(memory.physical_size);
  s[ServerStat::version].set(version_number());
  s[ServerStat::days_until_first_cert_expiring].set(UINT32_MAX);
  if (!snapshot_) return;
  for (const auto& [name, cluster] : snapshot_->clusters) {
    if (cluster->stats->used()) cluster->show_breakers(cluster->stats->local(main_.index()));
  }
}

bool Proxy::open_admin(const Snapshot& snapshot) {
  if (!snapshot.admin) return true;
  if (auto free = probe_free(*snapshot.admin); !free) {
    log(Logger::main, LogLevel::critical, "admin: " + free.error());
    return false;
  }
  auto fd = listen_on(*snapshot.admin, ListenOptions{128, false, true});
  if (!fd) {
    log(Logger::main, LogLevel::critical, "admin: " + fd.error());
    return false;
  }
  Address address = bound_address(*fd);
  admin_acceptor_ = network_.acceptor(*fd);
  auto options = std::make_shared<HttpOptions>();
  options->stat_prefix = "admin";
  options->stats = stats_.scope("http.admin.", http_stat_table());
  options->edge = false;
  options->accept_http_10 = true;
  options->access_logs = snapshot.admin_logs;
  options->filters.add(std::make_unique<Admin>(admin_view()));
  admin_slot_ = std::make_shared<HttpSlot>(std::move(options), main_.index());
  admin_stats_ = stats_.scope("listener.admin.", listener_stat_table());
  log(Logger::admin, LogLevel::info, "admin address: " + address.text());
  if (reaches_beyond(address) && !flags_.admin_read_only) {
    log(Logger::admin, LogLevel::warning,
        "the admin page at " + address.text() +
            " can be reached from other machines, and whoever reaches it can end this process: bind it to 127.0.0.1, "
            "or start with --admin-read-only");
  }
  if (!flags_.admin_address_path.empty()) {
    if (std::FILE* f = std::fopen(flags_.admin_address_path.c_str(), "w")) {
      std::fputs(address.text().c_str(), f);
      std::fclose(f);
    } else {
      log(Logger::admin, LogLevel::error, "cannot write '" + flags_.admin_address_path + "'");
    }
  }
  return true;
}

Task<> Proxy::admin_accept(Proxy& self) {
  co_await accept_and_serve(*self.admin_acceptor_, self.admin_service_, self.admin_slot_,
                            self.admin_stats_->local(self.main_.index()), self.scope_);
}

AdminView Proxy::admin_view() {
  AdminView view{.stats = stats_,
                 .snapshot = [this] { return snapshot_; },
                 .state = [this] { return state(); },
                 .version = [] { return version_text(); },
                 .listeners =
                     [this] {
                       std::vector<std::pair<std::string, Address>> list;
                       for (const OpenListener& l : listeners_) list.emplace_back(l.name, l.address);
                       return list;
                     },
                 .command_line = {},
                 .now = [this] { return clock_.now(); },
                 .started = started_,
                 .quit = [this] { main_.post([this] { main_.stop(); }); },
                 .drain_listeners = [this](DrainOrder order) { drain_listeners(order); },
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

void Proxy::take_runtime(const Snapshot& snapshot) {
  runtime_.set(snapshot.runtime);
  std::vector<std::string> links;
  for (const RuntimeSource& s : snapshot.runtime) {
    if (s.kind == RuntimeSource::Kind::disk) links.push_back(s.symlink);
  }
  runtime_watch_.watch(links);
  load_runtime();
}

void Proxy::load_runtime() {
  bool whole = true;
  RuntimePtr runtime = runtime_.load(&whole);
  StatBlock& s = runtime_stats_->local(main_.index());
  s[whole ? RuntimeStat::load_success : RuntimeStat::load_error].add();
  s[RuntimeStat::num_keys].set(runtime->keys());
  s[RuntimeStat::num_layers].set(runtime->layers().size());
  s[RuntimeStat::admin_overrides_active].set(runtime_.overrides() > 0);
  if (!whole) log(Logger::runtime, LogLevel::warning, "not all files of the runtime could be read");
  for (auto& w : workers_) w->set_runtime(runtime);
  main_.set_runtime(std::move(runtime));
}

ServerState Proxy::state() const {
  return state_ == ServerState::live && health_.fails() ? ServerState::draining : state_;
}

void Proxy::reopen_logs() {
  logs_.reopen();
  if (auto done = reopen_log(); !done) log(Logger::main, LogLevel::error, done.error());
}

void Proxy::stop_listeners(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (auto& w : workers_) w->stop_listening(name);
    log(Logger::config, LogLevel::info, "the listener '" + name + "' takes no more connections");
  }
  listener_manager_stats_->local(main_.index())[ListenerManagerStat::listener_stopped].add(names.size() *
                                                                                           workers_.size());
}

void Proxy::drain_listeners(DrainOrder order) {
  std::vector<std::string> names;
  for (const ListenerConfig& l : snapshot_->listeners) {
    if (l.inbound || !order.inbound_only) names.push_back(l.name);
  }
  bool at_once = !order.graceful && !order.skip_exit;
  if (std::exchange(draining_listeners_, true) && !at_once) return;
  constexpr Duration kImmediate{1};
  bool gradual = flags_.drain_strategy == DrainStrategy::gradual && flags_.drain_time_s > 0;
  Duration time = gradual ? Duration(std::chrono::seconds(flags_.drain_time_s)) : kImmediate;
  for (const std::string& name : names) {
    for (auto& w : workers_) w->drain_listener(name, time);
  }
  if (at_once) return stop_listeners(names);
  if (!order.skip_exit) scope_.spawn(stop_after, *this, std::move(names));
}

Task<> Proxy::stop_after(Proxy& self, std::vector<std::string> names) {
  co_await sleep(std::chrono::seconds(self.flags_.drain_time_s));
  self.stop_listeners(names);
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
