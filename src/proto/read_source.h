// The bytes of a DataSource: given in the configuration, in a file or in the environment.
#pragma once
#include <optional>
#include <string>

#include "proto/report.h"

namespace envoy::config::core::v3 {
class DataSource;
}

namespace outrider::proto {

// Read now; files as read_file() does. Nothing: it cannot be read, and that is reported under `path`.
std::optional<std::string> read_data_source(Report& report, const envoy::config::core::v3::DataSource& source,
                                            const std::string& path);

}  // namespace outrider::proto
