#include "proto/read_source.h"

#include <cstdlib>

#include "core/read_file.h"
#include "envoy/config/core/v3/base.pb.h"

namespace outrider::proto {

std::optional<std::string> read_data_source(Report& report, const envoy::config::core::v3::DataSource& source,
                                            const std::string& path) {
  if (source.has_filename()) {
    auto text = read_file(source.filename());
    if (text) return std::move(*text);
    report.fail(path + ".filename", text.error());
    return std::nullopt;
  }
  if (source.has_environment_variable()) {
    const char* value = std::getenv(source.environment_variable().c_str());
    if (value) return value;
    report.fail(path + ".environment_variable", "'" + source.environment_variable() + "' is not set");
    return std::nullopt;
  }
  return source.inline_string().empty() ? source.inline_bytes() : source.inline_string();
}

}  // namespace outrider::proto
