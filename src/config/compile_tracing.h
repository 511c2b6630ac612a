// From the API's tracing to that of a connection manager.
#pragma once
#include <memory>
#include <string>

namespace envoy::config::route::v3 {
class Route;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace outrider {
struct HttpOptions;
struct RouteTracing;
}  // namespace outrider

namespace outrider::config {

struct Compilation;

// Before the filters that the manager names.
void compile_tracing(Compilation& c,
                     const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& m,
                     const std::string& path, HttpOptions& o);
// Null: the route says nothing.
std::shared_ptr<const RouteTracing> compile_route_tracing(Compilation& c, const envoy::config::route::v3::Route& route,
                                                          const std::string& path);

}  // namespace outrider::config
