// The admin page: a terminal filter on the main thread's worker, with Envoy's paths.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/shared_dump.h"
#include "config/snapshot.h"
#include "core/clock.h"
#include "core/runtime.h"
#include "http/filter.h"
#include "observe/counters.h"

namespace outrider {

enum class ServerState : std::uint8_t { live, draining, pre_initializing, initializing };

struct DrainOrder {
  bool graceful = false;      // Connections are ended over the drain time first; then the listeners stop.
  bool skip_exit = false;     // Connections are ended; no listener stops.
  bool inbound_only = false;  // Only listeners whose traffic_direction is INBOUND.
};

// What the page shows of the process, and what it may do to it. All functions are called on the main thread.
struct AdminView {
  StatRegistry& stats;
  std::function<SnapshotPtr()> snapshot;  // Null before the first one.
  std::function<ServerState()> state;
  std::function<std::string()> version;                                     // As --version prints it.
  std::function<std::vector<std::pair<std::string, Address>>()> listeners;  // Name and bound address of each open one.
  // Name and value, as /server_info lists them under command_line_options: {"concurrency", "2"}.
  std::vector<std::pair<std::string, std::string>> command_line;
  std::function<TimePoint()> now;
  TimePoint started;
  std::function<void()> quit;  // /quitquitquit; must leave time for the answer.
  std::function<void(DrainOrder)> drain_listeners;
  std::function<void()> reopen_logs;      // /reopen_logs
  std::function<void(bool)> fail_health;  // /healthcheck/fail: true; /healthcheck/ok: false
  // /logging. An empty logger name means all of them. Says what is wrong, or nothing.
  std::function<std::string(std::string_view logger, std::string_view level)> set_level;
  std::function<RuntimePtr()> runtime;
  // Writes the admin's layer, an empty value removing the key; false if there is no such layer.
  std::function<bool(const std::vector<std::pair<std::string, std::string>>&)> modify_runtime;
  // What takes a POST is refused.
  bool read_only = false;
  std::shared_ptr<bool> track_lookups = std::make_shared<bool>(false);  // /stats/recentlookups/enable and disable.
  // When the snapshot came into force, for /config_dump. Empty: the dump has no times.
  std::function<WallTime()> configured = {};
  // Called before statistics are shown: brings up to date what is only known when somebody asks. Empty: nothing is.
  std::function<void()> before_stats = {};
  std::shared_ptr<SharedDump> dump = std::make_shared<SharedDump>();
};

class Admin final : public Filter {
 public:
  explicit Admin(AdminView view);
  Task<Response> handle(Exchange& x, Next next) const override;

  // A request with a body beyond this is answered 413.
  static constexpr std::size_t kRequestBodyBytesMax = 64 * 1024;
  // So many answers of more than one piece (PageBody) are on their way at once, since each may hold some KB for every
  // cluster. One more is answered 503; `http.admin.pages_refused` counts them.
  static constexpr int kLargeAnswersMax = 8;

 private:
  AdminView view_;
  std::shared_ptr<StatScope> stats_;
  std::shared_ptr<int> large_answers_ = std::make_shared<int>(0);  // On their way.
};

}  // namespace outrider
