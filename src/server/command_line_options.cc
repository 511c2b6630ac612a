#include "server/command_line_options.h"

#include <fmt/format.h>

#include "core/log_levels.h"

namespace outrider {
namespace {

std::string_view name_of(Mode mode) {
  switch (mode) {
    case Mode::validate:
      return "Validate";
    case Mode::init_only:
      return "InitOnly";
    case Mode::serve:
      break;
  }
  return "Serve";
}

std::string text(bool truth) { return truth ? "true" : "false"; }

// As protobuf writes a Duration.
std::string seconds(std::uint32_t ms) {
  return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
}

std::string tags(const Flags& flags) {
  std::string out;
  for (const auto& [name, value] : flags.stats_tags) out += fmt::format("{}{}:{}", out.empty() ? "" : ",", name, value);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> command_line_options(const Flags& f) {
  return {{"base_id", std::to_string(f.base_id)},
          {"concurrency", std::to_string(f.concurrency)},
          {"config_path", f.config_path},
          {"config_yaml", f.config_yaml},
          {"allow_unknown_static_fields", text(f.allow_unknown_fields)},
          {"admin_address_path", f.admin_address_path},
          {"local_address_ip_version", f.local_address_version == AddressVersion::v6 ? "v6" : "v4"},
          {"log_level", std::string(name_of(f.log_level))},
          {"component_log_level", f.component_log_level},
          {"log_format", f.log_format},
          {"log_path", f.log_path},
          {"service_cluster", f.service_cluster},
          {"service_node", f.service_node},
          {"service_zone", f.service_zone},
          {"file_flush_interval", seconds(f.file_flush_interval_ms)},
          {"drain_time", fmt::format("{}s", f.drain_time_s)},
          {"parent_shutdown_time", fmt::format("{}s", f.parent_shutdown_time_s)},
          {"mode", std::string(name_of(f.mode))},
          {"disable_hot_restart", text(f.disable_hot_restart)},
          {"enable_mutex_tracing", text(f.enable_mutex_tracing)},
          {"restart_epoch", std::to_string(f.restart_epoch)},
          {"cpuset_threads", text(f.cpuset_threads)},
          {"reject_unknown_dynamic_fields", text(f.reject_unknown_dynamic_fields)},
          {"log_format_escaped", text(f.log_format_escaped)},
          {"disabled_extensions", f.disabled_extensions},
          {"ignore_unknown_dynamic_fields", text(f.ignore_unknown_dynamic_fields)},
          {"use_dynamic_base_id", text(f.use_dynamic_base_id)},
          {"base_id_path", f.base_id_path},
          {"drain_strategy", f.drain_strategy == DrainStrategy::immediate ? "Immediate" : "Gradual"},
          {"enable_fine_grain_logging", text(f.enable_fine_grain_logging)},
          {"socket_path", f.socket_path},
          {"socket_mode", std::to_string(f.socket_mode)},
          {"enable_core_dump", text(f.enable_core_dump)},
          {"stats_tag", tags(f)},
          {"skip_hot_restart_on_no_parent", text(f.skip_hot_restart_on_no_parent)},
          {"skip_hot_restart_parent_stats", text(f.skip_hot_restart_parent_stats)},
          {"skip_deprecated_logs", text(f.skip_deprecated_logs)},
          {"file_flush_min_size", std::to_string(f.file_flush_min_size_kb)},
          {"log_stacktrace_single_entry", text(f.log_stacktrace_single_entry)}};
}

}  // namespace outrider
