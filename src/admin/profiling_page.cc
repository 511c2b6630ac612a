// What Envoy's allocator and profilers answer where they are not compiled in.
#include "admin/page.h"

namespace outrider {
namespace {

PageAnswer not_supported(std::string_view what) {
  return PageAnswer::plain("The current build does not support " + std::string(what) + "\n", 501);
}

}  // namespace

PageAnswer alloc_profiler_page(const PageRequest&) { return not_supported("allocation profiler"); }

PageAnswer contention_page(const PageRequest&) {
  return PageAnswer::plain("Mutex contention is not traced: no request waits for a mutex.");
}

// There is none to start; one that does not run can be stopped.
PageAnswer cpu_profiler_page(const PageRequest& request) {
  std::string_view enable = request.parameter("enable").value_or("");
  if (enable == "n") return PageAnswer::plain("OK\n");
  if (enable == "y") return PageAnswer::plain("failure to start the profiler", 500);
  return PageAnswer::plain("?enable=<y|n>\n", 400);
}

PageAnswer heap_dump_page(const PageRequest&) { return not_supported("heap dump"); }

PageAnswer heap_profiler_page(const PageRequest&) { return not_supported("heap profiler"); }

PageAnswer peak_heap_dump_page(const PageRequest&) { return not_supported("peak heap dump"); }

PageAnswer tcmalloc_page(const PageRequest&) { return not_supported("TCMalloc statistics; see /memory"); }

}  // namespace outrider
