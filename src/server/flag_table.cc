#include "server/flag_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <type_traits>
#include <utility>

#include "core/log_levels.h"

namespace outrider {
namespace {

template <auto Member>
Outcome set(Flags& flags, std::string_view value) {
  auto& member = flags.*Member;
  if constexpr (std::is_same_v<decltype(member), bool&>) {
    member = true;
  } else if constexpr (std::is_same_v<decltype(member), std::string&>) {
    member = value;
  } else {
    auto [end, error] = std::from_chars(value.begin(), value.end(), member);
    if (error != std::errc() || end != value.end()) return std::unexpected(std::string());
  }
  return {};
}

Outcome accept(Flags&, std::string_view) { return {}; }

Outcome accept_number(Flags&, std::string_view value) {
  std::uint64_t number;
  auto [end, error] = std::from_chars(value.begin(), value.end(), number);
  if (error != std::errc() || end != value.end()) return std::unexpected(std::string());
  return {};
}

template <class Choice>
using Choices = std::span<const std::pair<std::string_view, Choice>>;

template <class Choice>
Outcome choose(Choice& member, std::string_view what, std::string_view value,
               std::type_identity_t<Choices<Choice>> choices) {
  auto name = [](const auto& choice) { return choice.first; };
  auto found = std::ranges::find(choices, value, name);
  if (found != choices.end()) return member = found->second, Outcome();
  std::string names;
  for (const auto& choice : choices) names += fmt::format("{}{}", names.empty() ? "" : ", ", choice.first);
  return std::unexpected(fmt::format("unknown {} '{}': one of {}", what, value, names));
}

Outcome set_concurrency(Flags& flags, std::string_view value) {
  if (auto read = set<&Flags::concurrency>(flags, value); !read) return read;
  if (flags.concurrency <= kConcurrencyMax) return {};
  return std::unexpected(fmt::format("--concurrency is at most {}", kConcurrencyMax));
}

Outcome set_mode(Flags& flags, std::string_view value) {
  static constexpr std::pair<std::string_view, Mode> kModes[] = {
      {"serve", Mode::serve}, {"validate", Mode::validate}, {"init_only", Mode::init_only}};
  return choose(flags.mode, "mode", value, kModes);
}

Outcome set_drain_strategy(Flags& flags, std::string_view value) {
  static constexpr std::pair<std::string_view, DrainStrategy> kStrategies[] = {{"gradual", DrainStrategy::gradual},
                                                                               {"immediate", DrainStrategy::immediate}};
  return choose(flags.drain_strategy, "drain-strategy", value, kStrategies);
}

Outcome set_address_version(Flags& flags, std::string_view value) {
  static constexpr std::pair<std::string_view, AddressVersion> kVersions[] = {{"v4", AddressVersion::v4},
                                                                              {"v6", AddressVersion::v6}};
  return choose(flags.local_address_version, "IP address version", value, kVersions);
}

std::expected<LogLevel, std::string> level_of(std::string_view value) {
  if (auto level = parse_log_level(value)) return *level;
  return std::unexpected(
      fmt::format("invalid log level specified '{}': one of {}", value, fmt::join(kLogLevelNames, ", ")));
}

Outcome set_log_level_of_all(Flags& flags, std::string_view value) {
  auto level = level_of(value);
  if (!level) return std::unexpected(level.error());
  flags.log_level = *level;
  return {};
}

// name:level,name:level
Outcome set_component_levels(Flags& flags, std::string_view value) {
  flags.component_log_level = value;
  for (std::size_t at = 0; !value.empty() && at <= value.size();) {
    std::string_view each = value.substr(at, value.find(',', at) - at);
    at += each.size() + 1;
    std::size_t colon = each.find(':');
    if (colon == each.npos || each.find(':', colon + 1) != each.npos) {
      return std::unexpected(fmt::format("component log level not correctly specified '{}': NAME:LEVEL", each));
    }
    auto level = level_of(each.substr(colon + 1));
    if (!level) return std::unexpected(level.error());
    std::string_view name = each.substr(0, colon);
    if (!known_component(name)) return std::unexpected(fmt::format("invalid component specified '{}'", name));
    flags.component_log_levels.emplace_back(name, *level);
  }
  return {};
}

// Octal, as chmod takes it.
Outcome set_socket_mode(Flags& flags, std::string_view value) {
  auto [end, error] = std::from_chars(value.begin(), value.end(), flags.socket_mode, 8);
  if (error == std::errc() && end == value.end()) return {};
  return std::unexpected(fmt::format("invalid socket-mode '{}'", value));
}

// A name of letters, digits and '_', and a value without '.'.
Outcome add_stats_tag(Flags& flags, std::string_view value) {
  auto is_name = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  std::size_t colon = value.find(':');
  std::string_view name = value.substr(0, colon);
  std::string_view rest = colon == value.npos ? std::string_view() : value.substr(colon + 1);
  if (name.empty() || rest.empty() || !std::ranges::all_of(name, is_name) || rest.find('.') != rest.npos) {
    return std::unexpected(fmt::format("misformatted stats-tag '{}': NAME:VALUE, no '.' in VALUE", value));
  }
  if (std::ranges::count(flags.stats_tags, name, &std::pair<std::string, std::string>::first) > 0) {
    return std::unexpected(fmt::format("stats-tag '{}' is given twice", name));
  }
  flags.stats_tags.emplace_back(name, rest);
  return {};
}

constexpr std::string_view kNoHotRestart = "hot restart is not built yet";
constexpr std::string_view kNoDiscovery = "configuration is not discovered from servers yet";
constexpr std::string_view kAllDialects = "v1, v2 and v3 are read, each as what it is";
constexpr std::string_view kNoLimit = "outrider has no such limit";
constexpr std::string_view kNotNeeded = "it chose between parts of old versions of Envoy";

// The order is that of --help.
constexpr Flag kFlags[] = {
    {"config-path", 'c', Takes::text,
     "Configuration file: v1 JSON, v2 or v3, YAML or JSON. Default: /etc/envoy/envoy.yaml, if it exists.",
     set<&Flags::config_path>},
    {"config-yaml", 0, Takes::text, "Configuration as YAML text, merged over that of --config-path.",
     set<&Flags::config_yaml>},
    {"mode", 0, Takes::text,
     "serve (default); validate: check the configuration and end; init_only: the same, with everything set up but "
     "the listeners.",
     set_mode},
    {"concurrency", 0, Takes::number,
     "Worker threads. Default: one for each hardware thread that this process may use.", set_concurrency},
    {"no-environment", 0, Takes::nothing,
     "Leave ${NAME} and ${NAME:-default} in the configuration as they stand (outrider's own flag).",
     [](Flags& flags, std::string_view) -> Outcome { return flags.substitute_environment = false, Outcome(); }},
    {"allow-unknown-fields", 0, Takes::nothing, "The older name of --allow-unknown-static-fields.",
     set<&Flags::allow_unknown_fields>},
    {"allow-unknown-static-fields", 0, Takes::nothing, "A field that the API does not have is noted, and is no error.",
     set<&Flags::allow_unknown_fields>},
    {"reject-unknown-dynamic-fields", 0, Takes::nothing, "Unknown fields in discovered configuration are errors.",
     set<&Flags::reject_unknown_dynamic_fields>, kNoDiscovery},
    {"ignore-unknown-dynamic-fields", 0, Takes::nothing,
     "Unknown fields in discovered configuration are neither errors nor noted.",
     set<&Flags::ignore_unknown_dynamic_fields>, kNoDiscovery},
    {"skip-deprecated-logs", 0, Takes::nothing, "Do not log the use of deprecated fields.",
     set<&Flags::skip_deprecated_logs>, "deprecated spellings are not logged"},
    {"service-cluster", 0, Takes::text, "Name of the cluster that this proxy belongs to.",
     set<&Flags::service_cluster>},
    {"service-node", 0, Takes::text, "Name of this proxy.", set<&Flags::service_node>},
    {"service-zone", 0, Takes::text, "Availability zone of this proxy.", set<&Flags::service_zone>},
    {"local-address-ip-version", 0, Takes::text, "v4 (default) or v6: the kind of this machine's own address.",
     set_address_version},
    {"admin-address-path", 0, Takes::text, "File to write the address of the admin listener to.",
     set<&Flags::admin_address_path>},
    {"admin-read-only", 0, Takes::nothing,
     "The admin page shows everything and changes nothing: what takes a POST is refused with 403 (outrider's own "
     "flag).",
     set<&Flags::admin_read_only>},
    {"log-level", 'l', Takes::text, "trace, debug, info (default), warning or warn, error, critical, off.",
     set_log_level_of_all},
    {"component-log-level", 0, Takes::text, "Levels of single loggers: upstream:debug,config:trace",
     set_component_levels},
    {"log-path", 0, Takes::text, "File to log to. Default: stderr.", set<&Flags::log_path>},
    {"log-format", 0, Takes::text, "Pattern of spdlog. Default: [%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v",
     set<&Flags::log_format>},
    {"log-format-escaped", 0, Takes::nothing, "Write line breaks, quotes and the like in log lines as \\n, \\\" ...",
     set<&Flags::log_format_escaped>},
    {"enable-fine-grain-logging", 0, Takes::nothing, "Log levels by source file.",
     set<&Flags::enable_fine_grain_logging>, "log levels are set by logger"},
    {"log-stacktrace-single-entry", 0, Takes::nothing, "One log entry for a whole stack trace.",
     set<&Flags::log_stacktrace_single_entry>, "outrider logs no stack traces"},
    {"file-flush-interval-msec", 0, Takes::number, "Access logs are written this often, in ms. Default: 10000.",
     set<&Flags::file_flush_interval_ms>},
    {"file-flush-min-size-kb", 0, Takes::number, "Access logs are written at this size, in KiB. Default: 64.",
     set<&Flags::file_flush_min_size_kb>},
    {"stats-tag", 0, Takes::text, "NAME:VALUE, a tag of every statistic; may be given again.", add_stats_tag, {}, true},
    {"drain-time-s", 0, Takes::number, "Time for requests in flight to end, in s. Default: 600.",
     set<&Flags::drain_time_s>},
    {"drain-strategy", 0, Takes::text,
     "gradual (default): drained connections are closed over --drain-time-s; or "
     "immediate.",
     set_drain_strategy},
    {"parent-shutdown-time-s", 0, Takes::number, "Hot restart: the parent ends after this time, in s. Default: 900.",
     set<&Flags::parent_shutdown_time_s>, kNoHotRestart},
    {"disable-hot-restart", 0, Takes::nothing, "No hot restart.", set<&Flags::disable_hot_restart>},
    {"restart-epoch", 0, Takes::number, "Hot restart: how often this proxy was restarted. Default: 0.",
     set<&Flags::restart_epoch>, kNoHotRestart},
    {"base-id", 0, Takes::number, "Hot restart: tells apart the proxies of one machine. Default: 0.",
     set<&Flags::base_id>, kNoHotRestart},
    {"use-dynamic-base-id", 0, Takes::nothing, "Hot restart: choose a free base id.", set<&Flags::use_dynamic_base_id>,
     kNoHotRestart},
    {"base-id-path", 0, Takes::text, "Hot restart: file to write the base id to.", set<&Flags::base_id_path>,
     kNoHotRestart},
    {"socket-path", 0, Takes::text, "Hot restart: path of the socket.", set<&Flags::socket_path>, kNoHotRestart},
    {"socket-mode", 0, Takes::text, "Hot restart: permissions of the socket.", set_socket_mode, kNoHotRestart},
    {"skip-hot-restart-on-no-parent", 0, Takes::nothing, "Hot restart: start even if there is no parent.",
     set<&Flags::skip_hot_restart_on_no_parent>, kNoHotRestart},
    {"skip-hot-restart-parent-stats", 0, Takes::nothing, "Hot restart: do not take over statistics.",
     set<&Flags::skip_hot_restart_parent_stats>, kNoHotRestart},
    {"cpuset-threads", 0, Takes::nothing, "Count worker threads by the CPU set of the process.",
     set<&Flags::cpuset_threads>, "they are always counted so"},
    {"disable-extensions", 0, Takes::text, "Comma-separated extensions to turn off.", set<&Flags::disabled_extensions>},
    {"enable-mutex-tracing", 0, Takes::nothing, "Trace waiting for mutexes.", set<&Flags::enable_mutex_tracing>,
     "no request waits for a mutex"},
    {"enable-core-dump", 0, Takes::nothing, "Allow core dumps.", set<&Flags::enable_core_dump>},
    {"v2-config-only", 0, Takes::nothing, "Envoy 1.3-1.9: refuse v1 configuration.", accept, kAllDialects},
    {"allow-deprecated-v1-api", 0, Takes::nothing, "Envoy 1.8-1.9: read v1 configuration.", accept, kAllDialects},
    {"bootstrap-version", 0, Takes::number, "Envoy 1.16-1.19: API version of the configuration.", accept_number,
     kAllDialects},
    {"max-stats", 0, Takes::number, "Envoy 1.5-1.13: number of statistics.", accept_number, kNoLimit},
    {"max-obj-name-len", 0, Takes::number, "Envoy 1.5-1.13: length of names.", accept_number, kNoLimit},
    {"log-format-prefix-with-location", 0, Takes::number, "Envoy 1.14-1.17: 1 puts the place in the source before %v.",
     accept_number, "%g and %# in --log-format stand for the place in the source"},
    {"use-libevent-buffers", 0, Takes::number, "Envoy 1.10-1.13.", accept_number, kNotNeeded},
    {"use-fake-symbol-table", 0, Takes::number, "Envoy 1.12-1.21.", accept_number, kNotNeeded},
    {"hot-restart-version", 0, Takes::nothing, "Print the version of hot restart, and end.", nullptr},
    {"version", 0, Takes::nothing, "Print the version, and end.", nullptr},
    {"help", 'h', Takes::nothing, "Print this text, and end.", nullptr},
};

}  // namespace

std::span<const Flag> all_flags() { return kFlags; }

}  // namespace outrider
