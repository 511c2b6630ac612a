// Http2ProtocolOptions, of either side of the proxy.
#pragma once
#include <string>

#include "config/compile_parts.h"
#include "http/h2_options.h"

namespace envoy::config::core::v3 {
class Http2ProtocolOptions;
}

namespace outrider::config {

// The limits of heads and the statistics are for the caller to set.
H2Options compile_h2(Compilation& c, const envoy::config::core::v3::Http2ProtocolOptions& proto,
                     const std::string& path);

}  // namespace outrider::config
