// Proxy: how a configuration is read, comes into force and is replaced.
#include <malloc.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/log.h"
#include "observe/stats_options.h"
#include "server/proxy.h"

namespace outrider {

namespace {

// The words between commas.
std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    words.emplace_back(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(list.size(), words.back().size() + 1));
  }
  return words;
}

}  // namespace

std::expected<SnapshotPtr, std::vector<config::Problem>> Proxy::compile(const config::Loaded& file,
                                                                        const SnapshotPtr& previous,
                                                                        const config::Answers& answers) {
  taken_slots_.clear();
  auto compiled = config::compile(file, previous, process_, answers);
  if (!compiled) give_slots_back();
  return compiled;
}

std::expected<Proxy::Read, std::vector<config::Problem>> Proxy::load_snapshot(const SnapshotPtr& previous) {
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
  auto compiled = compile(*loaded, previous, previous ? previous->answers : config::Answers());
  std::shared_ptr<const config::Loaded> file;
  if (compiled && (*compiled)->discovers()) file = std::make_shared<const config::Loaded>(std::move(*loaded));
  loaded = std::unexpected(std::vector<config::Problem>{});  // Frees the tree.
  malloc_trim(0);
  if (!compiled) return std::unexpected(std::move(compiled.error()));
  return Read{std::move(*compiled), std::move(file)};
}

int Proxy::validate() {
  auto snapshot = load_snapshot(nullptr);
  if (!snapshot) {
    std::fprintf(stderr, "%s\n", config::to_text(snapshot.error()).c_str());
    return 1;
  }
  std::printf("configuration '%s' OK\n", flags_.config_path.c_str());
  return 0;
}

void Proxy::name_clusters() {
  std::shared_ptr<const ClusterMap> clusters(snapshot_, &snapshot_->clusters);
  for (auto& w : workers_) w->set_clusters(clusters);
}

void Proxy::publish(Read next, std::vector<OpenListener> opened) {
  SnapshotPtr previous = std::exchange(snapshot_, std::move(next.snapshot));
  const bool same_file = next.file && next.file == file_;
  file_ = std::move(next.file);
  set_stats_options(snapshot_->stats);
  name_clusters();
  configured_ = clock_.wall();
  StatBlock& cm = cluster_manager_stats_->local(main_.index());
  listeners_.update(*snapshot_);
  follow(snapshot_->clusters);
  for (const auto& [name, cluster] : snapshot_->clusters) {
    if (!previous->clusters.contains(name)) cm[ClusterManagerStat::cluster_added].add();
  }
  for (const auto& [name, cluster] : previous->clusters) {
    auto now = snapshot_->clusters.find(name);
    if (now != snapshot_->clusters.end() && now->second == cluster) continue;
    discovery_.forget(*cluster);
    services_.forget(*cluster);
    health_checks_.forget(*cluster);
    outliers_.forget(*cluster);
    for (auto& w : workers_) w->remove_cluster(cluster->slot);
    free_slots_.push_back(cluster->slot);
    cm[now == snapshot_->clusters.end() ? ClusterManagerStat::cluster_removed : ClusterManagerStat::cluster_modified]
        .add();
  }
  cm[ClusterManagerStat::active_clusters].set(snapshot_->clusters.size());
  if (!same_file) take_runtime(*snapshot_);
  const bool starting = state_ == ServerState::initializing;
  starting ? listeners_.wait(std::move(opened)) : listeners_.hand_over(std::move(opened), *snapshot_);
  resources_.follow(*snapshot_);
}

Task<std::expected<void, std::string>> Proxy::bring_into_force(Read next) {
  auto opened = listeners_.open(*next.snapshot);
  if (!opened) {
    give_slots_back();
    co_return std::unexpected(opened.error());
  }
  // Discovery may have to ask some of the new ones.
  auto all = std::make_shared<ClusterMap>(snapshot_->clusters);
  all->insert(next.snapshot->clusters.begin(), next.snapshot->clusters.end());
  for (auto& w : workers_) w->set_clusters(all);
  follow(next.snapshot->clusters);
  co_await discovery_.first_answers();
  co_await services_.first_answers();
  if (state_ == ServerState::draining) {  // Meanwhile.
    give_slots_back();
    Listeners::close(std::move(*opened));
    co_return std::unexpected(std::string(kDrains));
  }
  publish(std::move(next), std::move(*opened));
  co_return {};
}

void Proxy::reload() {
  if (state_ == ServerState::draining) {
    return log(Logger::config, LogLevel::warning, "draining: the configuration is not reloaded");
  }
  // What is bound must not lose its configuration before it listens.
  reload_after_start_ = state_ != ServerState::live;
  if (reload_after_start_) {
    return log(Logger::config, LogLevel::info, "the configuration will be reloaded once all clusters are initialized");
  }
  scope_.spawn(reload_file, *this);
}

Task<> Proxy::reload_file(Proxy& self) {
  co_await self.until_unchanging();
  Change change(self);
  const bool done = co_await self.reload_configuration();
  self.server_stats_
      ->local(self.main_.index())[done ? ServerStat::config_reload_success : ServerStat::config_reload_failure]
      .add();
}

Task<bool> Proxy::reload_configuration() {
  struct stat file;
  if (stat(flags_.config_path.c_str(), &file) == 0 && !S_ISREG(file.st_mode)) {
    log(Logger::config, LogLevel::error,
        "the configuration was not reloaded: '" + flags_.config_path + "' is not a regular file");
    co_return false;
  }
  auto next = load_snapshot(snapshot_);
  if (!next) {
    log(Logger::config, LogLevel::error,
        "the configuration was not reloaded; the old one stays:\n" + to_text(next.error()));
    co_return false;
  }
  if (next->snapshot->admin != admin_configured_) {
    log(Logger::config, LogLevel::warning, "the admin address has changed; it takes a restart to move the admin page");
  }
  auto done = co_await bring_into_force(std::move(*next));
  if (!done) {
    log(Logger::config, LogLevel::error, "the configuration was not reloaded; the old one stays: " + done.error());
    co_return false;
  }
  announce_reload();
  co_return true;
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

}  // namespace outrider
