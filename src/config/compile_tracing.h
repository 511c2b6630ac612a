// From the API's tracing to that of a connection manager.
#pragma once
#include <string>

namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class HttpConnectionManager;
}

namespace outrider {
struct HttpOptions;
}

namespace outrider::config {

struct Compilation;

// Before the filters that the manager names.
void compile_tracing(Compilation& c,
                     const envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager& m,
                     const std::string& path, HttpOptions& o);
}  // namespace outrider::config
