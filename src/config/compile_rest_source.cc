#include "config/compile_rest_source.h"

#include "envoy/config/core/v3/config_source.pb.h"

namespace outrider::config {

std::optional<RestSource> compile_rest_source(Compilation& c, const envoy::config::core::v3::ConfigSource& source,
                                              const std::string& path) {
  const std::string at = path + ".api_config_source";
  const auto& api = source.api_config_source();
  RestSource out;
  if (api.cluster_names_size() != 1) {
    c.fail(at + ".cluster_names", "the name of one cluster was expected");
    return std::nullopt;
  }
  out.cluster = api.cluster_names(0);
  if (c.cluster_names_known && !c.primary_clusters.contains(out.cluster)) {
    c.fail(at + ".cluster_names[0]",
           "'" + out.cluster + "' is no cluster of the file, or one that needs discovery itself");
    return std::nullopt;
  }
  if (api.has_refresh_delay()) out.refresh_delay = to_ms(api.refresh_delay());
  if (!api.has_refresh_delay() || out.refresh_delay.count() <= 0) {
    c.fail(at + ".refresh_delay", "a time longer than 0 was expected");
    return std::nullopt;
  }
  if (api.has_request_timeout()) out.request_timeout = to_ms(api.request_timeout());
  if (source.has_initial_fetch_timeout()) out.initial_fetch_timeout = to_ms(source.initial_fetch_timeout());
  return out;
}

}  // namespace outrider::config
