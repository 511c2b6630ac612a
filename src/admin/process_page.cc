// The pages of a line or two: the state of the process, and the orders that it takes.
#include "admin/indented_json.h"
#include "admin/page.h"
#include "admin/server_state.h"
#include "observe/server_stats.h"

namespace outrider {

PageAnswer ready_page(const PageRequest& request) {
  ServerState state = request.view.state();
  return PageAnswer::plain(std::string(name_of(state)) + "\n", state == ServerState::live ? 200 : 503);
}

// Without TLS there is none.
PageAnswer certs_page(const PageRequest&) {
  std::string out;
  IndentedJson json(out);
  json.open_list("certificates");
  json.close_list();
  json.finish();
  return PageAnswer::json(std::move(out));
}

PageAnswer hot_restart_version_page(const PageRequest&) { return PageAnswer::plain(std::string(kHotRestartVersion)); }

// Nothing is prepared behind the listeners' backs: what is not ready at the start holds them back, and /ready tells.
PageAnswer init_dump_page(const PageRequest&) { return PageAnswer::json("{}\n"); }

// envoy.admin.v3.Memory. What only tcmalloc has is 0.
PageAnswer memory_page(const PageRequest&) {
  ProcessMemory memory = process_memory();
  std::string out;
  IndentedJson json(out);
  json.wide_number("allocated", memory.allocated);
  json.wide_number("heap_size", memory.heap_size);
  json.wide_number("pageheap_unmapped", 0);
  json.wide_number("pageheap_free", memory.heap_size - memory.allocated);
  json.wide_number("total_thread_cache", 0);
  json.wide_number("total_physical_bytes", memory.physical_size);
  json.finish();
  return PageAnswer::json(std::move(out));
}

PageAnswer quit_page(const PageRequest& request) {
  request.view.quit();
  return PageAnswer::plain("OK\n");
}

PageAnswer drain_listeners_page(const PageRequest& request) {
  DrainOrder order;
  order.graceful = request.parameter("graceful").has_value();
  order.skip_exit = request.parameter("skip_exit").has_value();
  order.inbound_only = request.parameter("inboundonly").has_value();
  request.view.drain_listeners(order);
  return PageAnswer::plain("OK\n");
}

PageAnswer health_fail_page(const PageRequest& request) {
  request.view.fail_health(true);
  return PageAnswer::plain("OK\n");
}

PageAnswer health_ok_page(const PageRequest& request) {
  request.view.fail_health(false);
  return PageAnswer::plain("OK\n");
}

PageAnswer reopen_logs_page(const PageRequest& request) {
  request.view.reopen_logs();
  return PageAnswer::plain("OK\n");
}

PageAnswer reset_counters_page(const PageRequest& request) {
  request.view.stats.reset_counters();
  return PageAnswer::plain("OK\n");
}

}  // namespace outrider
