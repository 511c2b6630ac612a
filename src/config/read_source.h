// The bytes of a DataSource: given in the configuration, in a file or in the environment.
#pragma once
#include <string>

#include "config/compile_parts.h"

namespace envoy::config::core::v3 {
class DataSource;
}

namespace outrider::config {

// Read now. What cannot be read is reported under `path`, and is empty.
std::string read_data_source(Compilation& c, const envoy::config::core::v3::DataSource& source,
                             const std::string& path);

}  // namespace outrider::config
