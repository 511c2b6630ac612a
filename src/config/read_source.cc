#include "config/read_source.h"

#include "config/read_file.h"
#include "envoy/config/core/v3/base.pb.h"

namespace outrider::config {

std::string read_data_source(Compilation& c, const envoy::config::core::v3::DataSource& source,
                             const std::string& path) {
  if (source.has_filename()) {
    auto text = read_file(source.filename());
    if (!text) c.fail(path + ".filename", text.error());
    return text.value_or("");
  }
  if (!source.environment_variable().empty()) {
    const char* value = std::getenv(source.environment_variable().c_str());
    if (!value) c.fail(path + ".environment_variable", "'" + source.environment_variable() + "' is not set");
    return value ? value : "";
  }
  return source.inline_string().empty() ? source.inline_bytes() : source.inline_string();
}

}  // namespace outrider::config
