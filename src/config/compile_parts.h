// The parts of compile(); private to compile*.cc.
#pragma once
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "config/compile.h"
#include "proto/http_filter.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
class Any;
class Duration;
}  // namespace google::protobuf
namespace envoy::config {
namespace bootstrap::v3 {
class LayeredRuntime;
}
namespace accesslog::v3 {
class AccessLog;
class AccessLogFilter;
}  // namespace accesslog::v3
namespace cluster::v3 {
class Cluster;
}
namespace core::v3 {
class Address;
class BindConfig;
class CidrRange;
}  // namespace core::v3
namespace listener::v3 {
class Listener;
}
namespace route::v3 {
class RouteConfiguration;
}
namespace trace::v3 {
class Tracing;
}
}  // namespace envoy::config
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
class LocalReplyConfig;
}  // namespace envoy::extensions::filters::network::http_connection_manager::v3

namespace outrider {
struct AccessLogFilter;
}

namespace outrider::config {

// Where the messages that are being compiled stand: in the file, or in the answer of a service.
class Origin {
 public:
  explicit Origin(const Loaded& loaded) : loaded_(&loaded) {}
  // As those of Loaded. A message that is the whole of an answer has an empty path: those below begin with a dot.
  Problem at(std::string_view path, std::string message) const { return loaded_->at(plain(path), std::move(message)); }
  bool lacks(std::string_view path) const { return loaded_->lacks(plain(path)); }
  bool doubts(std::string_view path) const { return loaded_->doubts(plain(path)); }

 private:
  static std::string_view plain(std::string_view path) { return path.starts_with('.') ? path.substr(1) : path; }
  const Loaded* loaded_;
};

// What all parts share: where errors go, and what names mean.
struct Compilation final : proto::Report, proto::FilterHost {
  Compilation(const Loaded& l, const Answers& a, Process& p, const SnapshotPtr& before, Snapshot& s)
      : loaded(l), answers(a), process(p), previous(before), snapshot(s), problems(l.mistakes) {}

  Origin loaded;
  const Answers& answers;
  Process& process;
  const SnapshotPtr& previous;
  Snapshot& snapshot;
  Problems problems;  // The load's mistakes first.
  // Of all clusters, also of those that are wrong: whoever names one of them is right to do so.
  std::set<std::string, std::less<>> cluster_names;
  // Those that can be asked for others: of the file, and with hosts that no service has to tell.
  std::set<std::string, std::less<>> primary_clusters;
  // Of the listeners so far: their names, and who has which address in which network namespace.
  std::set<std::string, std::less<>> listener_names;
  std::map<std::pair<Address, std::string>, std::string> listener_addresses;
  std::map<std::string, std::string> filters_of_routes;  // What routes have a word on, and where, by name.
  std::map<std::string, int, std::less<>> filter_slots;  // By the name that a listener gives a filter.
  // The bootstrap's: of every connection manager that traces and names no provider. Null: none.
  const envoy::config::trace::v3::Tracing* tracing = nullptr;
  // The cluster_manager's: of every cluster that has none. Null: none.
  const envoy::config::core::v3::BindConfig* upstream_bind = nullptr;
  bool routes_upgrade = false;      // A route of the connection manager that is being compiled allows an upgrade.
  bool egress = false;              // The traffic of the listener that is being compiled goes out.
  bool cluster_names_known = true;  // No cluster has lost its name to a mistake.

  StatRegistry& stats() override { return process.stats; }
  int workers() override { return process.workers; }
  bool has_cluster(std::string_view name) override { return !cluster_names_known || cluster_names.contains(name); }
  const std::string& local_cluster() override { return snapshot.node_cluster; }
  int filter_slot(const std::string& name) {
    return filter_slots.try_emplace(name, static_cast<int>(filter_slots.size())).first->second;
  }
  // What is taken, and is hardly meant.
  void warn(const std::string& path, std::string message);
  // Nothing is said of what may be a consequence of a mistake that is known.
  void fail(const std::string& path, std::string message) override {
    if (!loaded.doubts(path)) problems.add(loaded.at(path, std::move(message)));
  }
};

// What a per_connection_buffer_limit_bytes lets one read take. 0 is no limit.
std::size_t read_bytes_max(std::uint32_t limit);
// Of a serialized message: equal means unchanged.
std::array<std::uint64_t, 2> fingerprint_of(std::string_view message);
std::chrono::milliseconds to_ms(const google::protobuf::Duration& d);
std::vector<CidrRange> to_ranges(Compilation& c,
                                 const google::protobuf::RepeatedPtrField<envoy::config::core::v3::CidrRange>& list,
                                 const std::string& path);
// Only listeners can be in another network namespace.
enum class AddressOf : std::uint8_t { listener, other };
// Reports malformed addresses under `path`.
Address to_address(Compilation& c, const envoy::config::core::v3::Address& address, const std::string& path,
                   AddressOf of = AddressOf::other);

// The layers, in the order of the configuration, and what they say of regular expressions; the node must be known.
void compile_runtime(Compilation& c, const envoy::config::bootstrap::v3::LayeredRuntime& runtime);
// How its connections are made.
ConnectOptions compile_connections(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster,
                                   const std::string& path);
// `added_via_api`: discovery has found it.
ClusterPtr compile_cluster(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster, const std::string& path,
                           bool added_via_api = false);
// Null if it cannot be used.
std::shared_ptr<HttpOptions> compile_connection_manager(Compilation& c, const google::protobuf::Any& any,
                                                        const StatScope& listener_stats, const std::string& path);
// static_resources.listeners[index], of all the listeners number `number`.
void compile_listener(Compilation& c, const envoy::config::listener::v3::Listener& listener, std::size_t index,
                      std::size_t number);
void compile_local_replies(
    Compilation& c, const envoy::extensions::filters::network::http_connection_manager::v3::LocalReplyConfig& proto,
    const std::string& path, HttpOptions& options);
void compile_edge(Compilation& c,
                  const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& m,
                  const std::string& path, HttpOptions& options);
std::shared_ptr<const RouteTable> compile_routes(Compilation& c,
                                                 const envoy::config::route::v3::RouteConfiguration& routes,
                                                 const std::string& path);
std::optional<AccessLogFilter> compile_access_log_filter(Compilation& c,
                                                         const envoy::config::accesslog::v3::AccessLogFilter& filter,
                                                         const std::string& path);
std::shared_ptr<AccessLog> compile_access_log(Compilation& c, const envoy::config::accesslog::v3::AccessLog& log,
                                              const std::string& path);

}  // namespace outrider::config
