// Discovery of clusters, listeners and routes; private to compile*.cc.
#pragma once
#include "config/compile_parts.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class Rds;
}

namespace outrider::config {

// Where clusters and listeners are asked for; the node and the clusters' names must be known.
void compile_sources(Compilation& c, const envoy::config::bootstrap::v3::Bootstrap& bootstrap);
// Behind those of the file, of which those with the same name stay.
void compile_discovered_clusters(Compilation& c, const Answers& answers);
// `of_file`: how many listeners the file has.
void compile_discovered_listeners(Compilation& c, const Answers& answers, std::size_t of_file);
// Without an answer, a table that has no routes.
std::shared_ptr<const RouteTable> compile_discovered_routes(
    Compilation& c, const envoy::extensions::filters::network::http_connection_manager::v3::Rds& rds,
    const std::string& stat_prefix, const std::string& path);

}  // namespace outrider::config
