// The proxy's command line: the flags of Envoy 1.40 and those that Envoy dropped on the way there.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/log.h"

namespace outrider {

// Where the image of Envoy keeps its configuration: read when neither -c nor --config-yaml is given.
inline constexpr std::string_view kConfigPathDefault = "/etc/envoy/envoy.yaml";
inline constexpr std::string_view kLogFormatDefault = "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v";

inline constexpr std::uint32_t kConcurrencyMax = 4096;

enum class Mode : unsigned char {
  serve,
  validate,   // read the configuration, say whether it is right, end
  init_only,  // like validate, and everything is set up as far as it goes without opening a listener
};
enum class DrainStrategy : unsigned char { gradual, immediate };
enum class AddressVersion : unsigned char { v4, v6 };

// Defaults are Envoy's.
struct Flags {
  std::string config_path;  // empty: there is only config_yaml
  std::string config_yaml;  // merged over the file
  Mode mode = Mode::serve;
  std::uint32_t concurrency = 0;  // worker threads; parse_flags makes 0 the number of hardware threads
  bool substitute_environment = true;
  bool opens_logs = true;  // False for who only looks at a configuration: no file is made.
  bool allow_unknown_fields = false;
  bool reject_unknown_dynamic_fields = false;
  bool ignore_unknown_dynamic_fields = false;
  std::string disabled_extensions;  // comma-separated
  bool enable_core_dump = false;

  bool may_lack_name = false;  // True for who only looks at a configuration: nothing is asked in the proxy's name.
  std::string service_cluster;
  std::string service_node;
  std::string service_zone;
  AddressVersion local_address_version = AddressVersion::v4;
  std::vector<std::pair<std::string, std::string>> stats_tags;  // name, value

  bool admin_read_only = false;
  std::string admin_address_path;  // the admin's address is written to this file; empty: it is not
  LogLevel log_level = LogLevel::info;
  std::vector<std::pair<std::string, LogLevel>> component_log_levels;  // in the order given
  std::string component_log_level;                                     // the same as it was given
  std::string log_format{kLogFormatDefault};
  bool log_format_escaped = false;
  std::string log_path;                          // empty: stderr
  std::uint32_t file_flush_interval_ms = 10000;  // access logs
  std::uint32_t file_flush_min_size_kb = 64;

  std::uint32_t drain_time_s = 600;
  DrainStrategy drain_strategy = DrainStrategy::gradual;
  std::uint32_t parent_shutdown_time_s = 900;
  std::uint32_t base_id = 0;
  std::uint32_t restart_epoch = 0;
  std::string socket_path = "@envoy_domain_socket";
  std::uint32_t socket_mode = 0600;
  bool disable_hot_restart = false;

  // Taken and shown; nothing depends on them.
  std::string base_id_path;
  bool use_dynamic_base_id = false;
  bool skip_hot_restart_on_no_parent = false;
  bool skip_hot_restart_parent_stats = false;
  bool skip_deprecated_logs = false;
  bool enable_fine_grain_logging = false;
  bool log_stacktrace_single_entry = false;
  bool enable_mutex_tracing = false;
  bool cpuset_threads = false;

  // The flags given that change nothing, each with the reason, for one line of the log at the start.
  std::vector<std::string> without_effect;
};

// Why parse_flags gave no Flags. With code 0 the text was asked for and belongs to stdout (--help, --version,
// --hot-restart-version), else it is for stderr.
struct FlagError {
  std::string text;  // ends with a newline
  int exit_code = 1;
};

// `--flag value`, `--flag=value`, `-c value`; no flag may be given twice but --stats-tag; what follows `--` is ignored.
// argv[0] is the program. When no configuration is named and the file config_path_default exists, it is the one.
std::expected<Flags, FlagError> parse_flags(int argc, const char* const* argv,
                                            std::string_view config_path_default = kConfigPathDefault);

std::string help_text();  // ends with a newline
std::string version_text();
// 1.2.3 as 1002003.
std::uint64_t version_number();  // ends with a newline

}  // namespace outrider
