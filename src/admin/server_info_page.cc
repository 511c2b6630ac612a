#include <algorithm>
#include <charconv>
#include <chrono>

#include "admin/indented_json.h"
#include "admin/page.h"
#include "admin/server_state.h"

namespace outrider {
namespace {

// The fields of envoy.admin.v3.CommandLineOptions that are no text.
constexpr std::string_view kNumbers[] = {"concurrency", "file_flush_min_size", "restart_epoch", "socket_mode"};
constexpr std::string_view kTruths[] = {"allow_unknown_static_fields",   "cpuset_threads",
                                        "disable_hot_restart",           "enable_core_dump",
                                        "enable_fine_grain_logging",     "enable_mutex_tracing",
                                        "ignore_unknown_dynamic_fields", "log_format_escaped",
                                        "log_stacktrace_single_entry",   "reject_unknown_dynamic_fields",
                                        "skip_deprecated_logs",          "skip_hot_restart_on_no_parent",
                                        "skip_hot_restart_parent_stats", "use_dynamic_base_id"};
constexpr std::string_view kLists[] = {"disabled_extensions", "stats_tag"};

bool listed(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

void append_list(std::string_view name, std::string_view values, IndentedJson& json) {
  json.open_list(name);
  while (!values.empty()) {
    std::size_t comma = std::min(values.find(','), values.size());
    json.text_element(values.substr(0, comma));
    values.remove_prefix(std::min(comma + 1, values.size()));
  }
  json.close_list();
}

void append_option(std::string_view name, std::string_view value, IndentedJson& json) {
  std::uint64_t number = 0;
  if (listed(kLists, name)) {
    append_list(name, value, json);
  } else if (listed(kTruths, name)) {
    json.truth(name, value == "true");
  } else if (listed(kNumbers, name) &&
             std::from_chars(value.data(), value.data() + value.size(), number).ec == std::errc()) {
    json.number(name, number);
  } else {
    json.text(name, value);
  }
}

}  // namespace

std::string_view name_of(ServerState state) {
  switch (state) {
    case ServerState::live:
      return "LIVE";
    case ServerState::draining:
      return "DRAINING";
    case ServerState::pre_initializing:
      return "PRE_INITIALIZING";
    case ServerState::initializing:
      return "INITIALIZING";
  }
  return "";
}

std::string version_line(std::string_view text) {
  constexpr std::string_view kLabel = "version:", kBlank = " \t\r\n";
  if (std::size_t at = text.find(kLabel); at != text.npos) text.remove_prefix(at + kLabel.size());
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return std::string(text.substr(0, text.find_last_not_of(kBlank) + 1));
}

// envoy.admin.v3.ServerInfo. The times of all epochs are those of this one: there is no hot restart.
PageAnswer server_info_page(const PageRequest& request) {
  const AdminView& view = request.view;
  auto uptime = std::chrono::floor<std::chrono::seconds>(view.now() - view.started).count();
  std::string uptime_text = std::to_string(uptime) + "s";
  std::string out;
  IndentedJson json(out);
  json.text("version", version_line(view.version()));
  json.text("state", name_of(view.state()));
  json.text("uptime_current_epoch", uptime_text);
  json.text("uptime_all_epochs", uptime_text);
  json.text("hot_restart_version", kHotRestartVersion);
  json.open_object("command_line_options");
  for (const auto& [name, value] : view.command_line) append_option(name, value, json);
  json.close_object();
  if (SnapshotPtr snapshot = view.snapshot()) {
    json.open_object("node");
    json.text("id", snapshot->node_id);
    json.text("cluster", snapshot->node_cluster);
    json.text("user_agent_name", "outrider");
    json.close_object();
  }
  json.truth("hot_restart_initializing", false);
  json.finish();
  return PageAnswer::json(std::move(out));
}

}  // namespace outrider
