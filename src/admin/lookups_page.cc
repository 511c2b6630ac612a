// `/stats/recentlookups` and its orders: which statistics were looked up by name. Every statistic is found by its place
// in a table, so there is nothing to list; tools that ask are answered in Envoy's form.
#include "admin/page.h"

namespace outrider {

PageAnswer recent_lookups_page(const PageRequest& request) {
  return PageAnswer::plain(
      std::string(*request.view.track_lookups
                      ? "   Count Lookup\n"
                      : "Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n") +
      "\ntotal: 0\n");
}

PageAnswer clear_lookups_page(const PageRequest&) { return PageAnswer::plain("OK\n"); }

PageAnswer disable_lookups_page(const PageRequest& request) {
  *request.view.track_lookups = false;
  return PageAnswer::plain("OK\n");
}

PageAnswer enable_lookups_page(const PageRequest& request) {
  *request.view.track_lookups = true;
  return PageAnswer::plain("OK\n");
}

}  // namespace outrider
