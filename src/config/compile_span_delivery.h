// From the API's collectors to where spans go.
#pragma once
#include <string>

namespace envoy::config::core::v3 {
class HttpService;
}

namespace outrider {
struct SpanDelivery;
}

namespace outrider::config {

struct Compilation;

// Cluster, host, path, time-out and fields; those that are there already stay, unless they are named.
void read_http_service(Compilation& c, const envoy::config::core::v3::HttpService& from, const std::string& path,
                       SpanDelivery& to);
// A cluster that is named must be there.
void check_collector(Compilation& c, const std::string& cluster, const std::string& path);

}  // namespace outrider::config
