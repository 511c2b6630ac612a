// Http2ProtocolOptions, of either side of the proxy.
#pragma once
#include <string>

#include "config/compile_parts.h"
#include "http/h2_options.h"

namespace envoy::config::core::v3 {
class Http2ProtocolOptions;
}

namespace outrider::config {

// `heads` are the limits of heads and trailers; `prefix` is what "http2." of its statistics stands behind.
std::shared_ptr<H2Options> compile_h2(Compilation& c, const envoy::config::core::v3::Http2ProtocolOptions& proto,
                                      const std::string& path, const h1::Limits& heads, const std::string& prefix);

}  // namespace outrider::config
