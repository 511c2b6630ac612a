// From a ConfigSource to the cluster that is asked over REST; private to compile*.cc.
#pragma once
#include <optional>

#include "config/compile_parts.h"
#include "upstream/rest_source.h"

namespace envoy::config::core::v3 {
class ConfigSource;
}

namespace outrider::config {

// Nothing: it is wrong, and reported.
std::optional<RestSource> compile_rest_source(Compilation& c, const envoy::config::core::v3::ConfigSource& source,
                                              const std::string& path);

}  // namespace outrider::config
