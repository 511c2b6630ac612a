// The parts of compile(); private to compile*.cc.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "config/compile.h"

namespace google::protobuf {
class Any;
class Duration;
}  // namespace google::protobuf
namespace envoy::config {
namespace accesslog::v3 {
class AccessLog;
}
namespace cluster::v3 {
class Cluster;
}
namespace core::v3 {
class Address;
}
namespace listener::v3 {
class Listener;
}
namespace route::v3 {
class RouteConfiguration;
}
}  // namespace envoy::config

namespace outrider::config {

// What all parts share: where errors go, and what names mean.
struct Compilation {
  const Loaded& loaded;
  Process& process;
  const SnapshotPtr& previous;
  Snapshot& snapshot;
  std::vector<Problem> problems;

  void fail(const std::string& path, std::string message) { problems.push_back(loaded.at(path, std::move(message))); }
};

// What a per_connection_buffer_limit_bytes lets one read take. 0 is no limit.
std::size_t read_bytes_max(std::uint32_t limit);
std::chrono::milliseconds to_ms(const google::protobuf::Duration& d);
// Reports malformed addresses under `path`.
Address to_address(Compilation& c, const envoy::config::core::v3::Address& address, const std::string& path);

ClusterPtr compile_cluster(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster, const std::string& path);
void compile_listener(Compilation& c, const envoy::config::listener::v3::Listener& listener, const std::string& path);
std::shared_ptr<const RouteTable> compile_routes(Compilation& c,
                                                 const envoy::config::route::v3::RouteConfiguration& routes,
                                                 const std::string& path);
std::shared_ptr<AccessLog> compile_access_log(Compilation& c, const envoy::config::accesslog::v3::AccessLog& log,
                                              const std::string& path);

}  // namespace outrider::config
