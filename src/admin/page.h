// One path of the admin page: how it is asked for, and the text that it answers with.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "admin/admin.h"
#include "core/worker.h"
#include "observe/stat_query.h"

namespace outrider {

// The parameters are decoded, their names differ. Lives as long as the exchange.
struct PageRequest {
  const AdminView& view;
  Worker& worker;
  std::span<const QueryParameter> parameters;

  std::optional<std::string_view> parameter(std::string_view name) const {
    for (const QueryParameter& p : parameters) {
      if (p.name == name) return p.value;
    }
    return std::nullopt;
  }
  // Whether `?format=json` was asked for. As Envoy, any other value means text.
  bool wants_json() const { return parameter("format") == "json"; }
};

// A text that is made while it is sent, so that a large one is never in memory as a whole.
class PageText {
 public:
  virtual ~PageText() = default;
  // Appends about that many bytes or more; false when nothing is left.
  virtual bool next(std::string& out, std::size_t bytes) = 0;
};

namespace content_type {
inline constexpr std::string_view kPlain = "text/plain; charset=UTF-8";
inline constexpr std::string_view kHtml = "text/html; charset=UTF-8";
inline constexpr std::string_view kJson = "application/json";
}  // namespace content_type

struct PageAnswer {
  int status = 200;
  std::string_view content_type = content_type::kPlain;
  std::string text;
  std::unique_ptr<PageText> rest = {};  // Follows the text.

  static PageAnswer plain(std::string text, int status = 200) {
    return {status, content_type::kPlain, std::move(text)};
  }
  static PageAnswer json(std::string text) { return {200, content_type::kJson, std::move(text)}; }
};

struct PageParameter {
  enum class Kind : std::uint8_t { text, flag, choice };
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::span<const std::string_view> choices = {};  // Of a choice; the first is the default.
};

struct Page {
  std::string_view path;
  PageAnswer (*answer)(const PageRequest&);
  std::string_view help;
  bool post = false;  // Only POST is answered, since it changes something.
  std::span<const PageParameter> parameters = {};
};

// All of them, by path.
std::span<const Page> admin_pages();

// The lines of `/help`, behind "admin commands are:".
std::string help_lines();

PageAnswer alloc_profiler_page(const PageRequest& request);
PageAnswer certs_page(const PageRequest& request);
PageAnswer clear_lookups_page(const PageRequest& request);
PageAnswer clusters_page(const PageRequest& request);
PageAnswer config_dump_page(const PageRequest& request);
PageAnswer contention_page(const PageRequest& request);
PageAnswer cpu_profiler_page(const PageRequest& request);
PageAnswer disable_lookups_page(const PageRequest& request);
PageAnswer drain_listeners_page(const PageRequest& request);
PageAnswer enable_lookups_page(const PageRequest& request);
PageAnswer explain_page(const PageRequest& request);
PageAnswer health_fail_page(const PageRequest& request);
PageAnswer health_ok_page(const PageRequest& request);
PageAnswer heap_dump_page(const PageRequest& request);
PageAnswer heap_profiler_page(const PageRequest& request);
PageAnswer help_page(const PageRequest& request);
PageAnswer home_page(const PageRequest& request);
PageAnswer hot_restart_version_page(const PageRequest& request);
PageAnswer init_dump_page(const PageRequest& request);
PageAnswer listeners_page(const PageRequest& request);
PageAnswer logging_page(const PageRequest& request);
PageAnswer memory_page(const PageRequest& request);
PageAnswer peak_heap_dump_page(const PageRequest& request);
PageAnswer quit_page(const PageRequest& request);
PageAnswer ready_page(const PageRequest& request);
PageAnswer recent_lookups_page(const PageRequest& request);
PageAnswer reopen_logs_page(const PageRequest& request);
PageAnswer reset_counters_page(const PageRequest& request);
PageAnswer runtime_modify_page(const PageRequest& request);
PageAnswer runtime_page(const PageRequest& request);
PageAnswer server_info_page(const PageRequest& request);
PageAnswer sources_page(const PageRequest& request);
PageAnswer stats_page(const PageRequest& request);
PageAnswer stats_prometheus_page(const PageRequest& request);
PageAnswer tcmalloc_page(const PageRequest& request);

}  // namespace outrider
