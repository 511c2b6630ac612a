// Snapshot: all configuration, immutable. What changes fast (hosts, connections) is found through its clusters.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/answers.h"
#include "config/filter_chain_match.h"
#include "config/source_map.h"
#include "core/runtime_layers.h"
#include "http/http_options.h"
#include "http/matcher.h"
#include "net/network.h"
#include "observe/stats_options.h"
#include "upstream/pool.h"
#include "upstream/route_table.h"

namespace outrider {

// Where a listener listens, and how its socket is made. Without `reuse_port`, all workers share one socket.
struct ListenerAddress {
  Address address;
  ListenOptions options = {};
  std::uint32_t pipe_mode = 0;  // As set_pipe_mode() takes it.

  bool operator==(const ListenerAddress&) const = default;
};

// As many connections taken in a row as would ever be there at once.
inline constexpr std::uint32_t kAcceptsInARowLimit = 1 << 20;

// A listener and what its connections get.
struct ListenerConfig {
  std::string name;                        // As configured; else made from the address.
  std::size_t index = 0;                   // In static_resources.listeners.
  std::vector<ListenerAddress> addresses;  // At least one; statistics are named after the first.
  int accepts_in_a_row_max = 64;  // Connections that a worker takes before everything else that is ready gets its turn.
  bool inbound = false;           // traffic_direction
  std::array<std::uint64_t, 2> fingerprint{};  // Of its message: equal means unchanged.
  bool binds = true;                           // Else it gets what listeners with original_destination hand to it.
  // A connection that was led here by the kernel goes to the listener of the address that it was meant for.
  bool original_destination = false;
  std::shared_ptr<StatScope> stats;                        // listener.<address>.
  std::vector<std::shared_ptr<AccessLog>> access_logs;     // Of connections that no chain takes.
  std::shared_ptr<const HttpOptions> http;                 // Of the first chain.
  std::vector<FilterChainMatch> matches;                   // Of each chain; empty where one takes all.
  std::vector<std::shared_ptr<const HttpOptions>> chains;  // The default one behind those that match.

  const Address& address() const { return addresses.front().address; }
};

// Zero turns a time-out off.
struct WatchdogOptions {
  std::chrono::milliseconds miss{200}, megamiss{1000};
  std::chrono::milliseconds kill{0}, kill_jitter_max{0};
  std::chrono::milliseconds multikill{0};
  double multikill_percent = 0;  // Of the threads; at least two are needed.
};

struct Snapshot {
  std::string version;
  std::vector<ListenerConfig> listeners;
  ClusterMap clusters;
  std::vector<std::string> cluster_order;  // Their names as the file has them; an empty one for each without a name.
  std::optional<config::ResourceSource> cds, lds;  // Where clusters and listeners are asked for.
  config::ResourceSources rds;                     // And tables of routes.
  config::Answers answers;                         // What was answered, and is part of this.
  bool discovers() const { return cds || lds || !rds.empty(); }
  std::optional<Address> admin;
  std::uint32_t admin_pipe_mode = 0;  // As set_pipe_mode() takes it.
  std::vector<std::shared_ptr<AccessLog>> admin_logs;
  StringMatchers admin_allow_paths;  // Empty: the admin page answers every path.
  std::vector<RuntimeSource> runtime;
  std::string node_id, node_cluster, node_zone;
  std::string flags_path;  // Where a file `drain` lets the process start with failing health; empty: nowhere.
  WatchdogOptions main_watchdog, worker_watchdog;
  StatsOptions stats;     // In force once the snapshot is.
  std::string bootstrap;  // Serialized, for /config_dump.
  SourceMap sources;      // Empty without an admin page.
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace outrider
