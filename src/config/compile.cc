#include "config/compile.h"

#include <algorithm>

#include "config/compile_discovery.h"
#include "config/compile_parts.h"
#include "config/compile_stats.h"
#include "core/log.h"
#include "core/worker.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proto/matcher.h"

namespace outrider::config {

void Compilation::warn(const std::string& path, std::string message) {
  Problem note = loaded.at(path, std::move(message));
  note.fatal = false;
  log(Logger::config, LogLevel::warning, to_text(note));
}

std::size_t read_bytes_max(std::uint32_t limit) {
  return limit == 0 ? BlockPool::kBodyBytes : std::min<std::size_t>(limit, BlockPool::kBodyBytes);
}

std::chrono::milliseconds to_ms(const google::protobuf::Duration& d) {
  // Rounded up: a short time-out must not become none. What is as good as for ever must not overflow when it is added.
  constexpr auto kLongest = std::chrono::floor<std::chrono::milliseconds>(Worker::kTimeoutMax);
  return std::min(kLongest, std::chrono::milliseconds(d.seconds() * 1000 + (d.nanos() + 999'999) / 1'000'000));
}

namespace {

Address to_pipe(Compilation& c, const envoy::config::core::v3::Pipe& pipe, const std::string& path) {
  if (pipe.path().size() > Address::kPipePathMax) {
    c.fail(path + ".path", "has " + std::to_string(pipe.path().size()) + " bytes; the path of a socket has at most " +
                               std::to_string(Address::kPipePathMax));
  }
  if (pipe.mode() != 0 && pipe.path().starts_with('@')) {
    c.fail(path + ".mode", "an abstract socket has no file, and so no permissions");
  }
  return Address::pipe(pipe.path());
}

}  // namespace

Address to_address(Compilation& c, const envoy::config::core::v3::Address& address, const std::string& path,
                   AddressOf of) {
  if (address.has_pipe()) return to_pipe(c, address.pipe(), path + ".pipe");
  const auto& socket = address.socket_address();
  if (socket.protocol() == envoy::config::core::v3::SocketAddress::UDP) {
    c.fail(path + ".socket_address.protocol", "UDP is not built into outrider yet here");
  }
  auto parsed = Address::parse(socket.address(), static_cast<std::uint16_t>(socket.port_value()));
  if (!parsed) {
    c.fail(path + ".socket_address.address", parsed.error());
    return {};
  }
  if (socket.ipv4_compat() && !parsed->takes_ipv4_too()) {
    c.fail(path + ".socket_address.ipv4_compat", "only '::' or an IPv4-mapped address (::ffff:127.0.0.1) can have it");
  }
  if (!socket.network_namespace_filepath().empty() && of != AddressOf::listener) {
    c.fail(path + ".socket_address.network_namespace_filepath", "is not built into outrider yet, but for listeners");
  }
  return *parsed;
}

namespace {

void compile_admin(Compilation& c, const envoy::config::bootstrap::v3::Admin& admin) {
  if (admin.has_address()) c.snapshot.admin = to_address(c, admin.address(), "admin.address");
  c.snapshot.admin_pipe_mode = admin.address().pipe().mode();
  if (!admin.profile_path().empty()) {
    log(Logger::config, LogLevel::warning, "admin.profile_path has no effect: there is no profiler in this build");
  }
  c.snapshot.admin_allow_paths = proto::compile_list<StringMatcher>(c, admin.allow_paths(), "admin.allow_paths");
  for (int i = 0; i < admin.access_log_size(); i++) {
    auto log = compile_access_log(c, admin.access_log(i), "admin.access_log[" + std::to_string(i) + "]");
    if (log) c.snapshot.admin_logs.push_back(std::move(log));
  }
}

using WatchdogProto = envoy::config::bootstrap::v3::Watchdog;

WatchdogOptions to_watchdog(const WatchdogProto& proto) {
  WatchdogOptions o;
  if (proto.has_miss_timeout()) o.miss = to_ms(proto.miss_timeout());
  if (proto.has_megamiss_timeout()) o.megamiss = to_ms(proto.megamiss_timeout());
  if (proto.has_kill_timeout()) o.kill = to_ms(proto.kill_timeout());
  if (proto.has_max_kill_timeout_jitter()) o.kill_jitter_max = to_ms(proto.max_kill_timeout_jitter());
  if (proto.has_multikill_timeout()) o.multikill = to_ms(proto.multikill_timeout());
  o.multikill_percent = proto.multikill_threshold().value();
  return o;
}

void compile_watchdogs(Compilation& c, const envoy::config::bootstrap::v3::Bootstrap& bootstrap) {
  if (bootstrap.has_watchdog() && bootstrap.has_watchdogs()) {
    c.fail("watchdog", "only one of watchdog and watchdogs may be set");
  }
  bool one = bootstrap.has_watchdog();
  c.snapshot.main_watchdog = to_watchdog(one ? bootstrap.watchdog() : bootstrap.watchdogs().main_thread_watchdog());
  c.snapshot.worker_watchdog = to_watchdog(one ? bootstrap.watchdog() : bootstrap.watchdogs().worker_watchdog());
}

void compile_clusters(Compilation& c, const envoy::config::bootstrap::v3::Bootstrap::StaticResources& resources) {
  const std::string all = "static_resources.clusters";
  c.cluster_names_known = !c.loaded.lacks(all);
  for (const auto& proto : resources.clusters()) {
    if (proto.type() != envoy::config::cluster::v3::Cluster::EDS) c.primary_clusters.insert(proto.name());
  }
  for (int i = 0; i < resources.clusters_size(); i++) {
    const auto& proto = resources.clusters(i);
    std::string path = all + "[" + std::to_string(i) + "]";
    c.snapshot.cluster_order.push_back(proto.name());
    if (proto.name().empty()) {
      c.cluster_names_known = false;
    } else if (!c.cluster_names.insert(proto.name()).second) {
      c.fail(path + ".name", "a cluster named '" + proto.name() + "' exists already");
    }
    if (ClusterPtr cluster = compile_cluster(c, proto, path)) c.snapshot.clusters.emplace(proto.name(), cluster);
  }
}

}  // namespace

std::expected<SnapshotPtr, std::vector<Problem>> compile(const Loaded& loaded, const SnapshotPtr& previous,
                                                         Process& process, const Answers& answers) {
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  auto snapshot = std::make_shared<Snapshot>();
  Compilation c(loaded, answers, process, previous, *snapshot);
  if (!bootstrap.ParseFromString(loaded.bootstrap)) {
    c.fail("", "the configuration does not survive its own encoding");
    return std::unexpected(c.problems.take());
  }
  snapshot->node_id = process.service_node.empty() ? bootstrap.node().id() : process.service_node;
  snapshot->node_cluster = process.service_cluster.empty() ? bootstrap.node().cluster() : process.service_cluster;
  snapshot->flags_path = bootstrap.flags_path();
  compile_watchdogs(c, bootstrap);
  snapshot->node_zone = process.service_zone.empty() ? bootstrap.node().locality().zone() : process.service_zone;
  if (bootstrap.has_tracing()) c.tracing = &bootstrap.tracing();
  compile_admin(c, bootstrap.admin());  // Before the runtime: as in Envoy, its expressions may be of any size.
  compile_runtime(c, bootstrap.layered_runtime());
  if (bootstrap.cluster_manager().has_upstream_bind_config()) {
    c.upstream_bind = &bootstrap.cluster_manager().upstream_bind_config();
  }
  compile_clusters(c, bootstrap.static_resources());
  compile_sources(c, bootstrap);
  compile_discovered_clusters(c, answers);
  const auto listeners = static_cast<std::size_t>(bootstrap.static_resources().listeners_size());
  for (std::size_t i = 0; i < listeners; i++) {
    compile_listener(c, bootstrap.static_resources().listeners(static_cast<int>(i)), i, i);
  }
  compile_discovered_listeners(c, answers, listeners);
  c.regex_sizes = {};  // Those of statistics may, too.
  snapshot->stats = compile_stats(c, bootstrap);
  if (c.problems.any_fatal()) return std::unexpected(c.problems.take());
  snapshot->bootstrap = loaded.bootstrap;
  if ((snapshot->admin || process.keep_sources) && loaded.tree) snapshot->sources = source_map(*loaded.tree);
  return SnapshotPtr(std::move(snapshot));
}

}  // namespace outrider::config
