#include "admin/admin.h"

#include <fmt/format.h>

#include "admin/page.h"
#include "admin/page_body.h"
#include "admin/query.h"
#include "admin/same_site.h"
#include "http/exchange.h"
#include "http/path_normalization.h"

namespace outrider {
namespace {

using enum PageParameter::Kind;

constexpr std::string_view kTextOrJson[] = {"text", "json"};
constexpr std::string_view kLevels[] = {"", "trace", "debug", "info", "warning", "error", "critical", "off"};
constexpr std::string_view kYesOrNo[] = {"y", "n"};
constexpr std::string_view kStatFormats[] = {"html", "active-html", "text", "json"};
constexpr std::string_view kStatTypes[] = {"All", "Counters", "Histograms", "Gauges", "TextReadouts"};
constexpr std::string_view kStatBuckets[] = {"cumulative", "disjoint", "detailed", "summary"};
constexpr std::string_view kPrometheusBuckets[] = {"cumulative", "summary"};

constexpr PageParameter kProfiler[] = {{"enable", choice, "start or stop it", kYesOrNo}};
constexpr PageParameter kClusters[] = {
    {"filter", text, "only clusters whose name matches this regular expression (RE2)"},
    {"format", choice, "form of the answer", kTextOrJson}};
constexpr PageParameter kConfigDump[] = {
    {"resource", text, "only the entries of one list, such as static_clusters or static_listeners"},
    {"mask", text, "only these fields, by commas; of the entries if a resource is named, else of the sections"},
    {"name_regex", text, "only what has a name that matches this regular expression (RE2) as a whole"},
    {"include_eds", flag, "with the hosts that each cluster has now"}};
constexpr PageParameter kDrain[] = {
    {"graceful", flag, "end the connections over the drain time first, then stop listening"},
    {"skip_exit", flag, "end the connections, and go on listening"},
    {"inboundonly", flag, "only listeners whose traffic_direction is INBOUND"}};
constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"};
constexpr PageParameter kExplain[] = {{"method", choice, "of the request", kMethods},
                                      {"url", text, "of the request: http://host/path"},
                                      {"fields", text, "of the request, a line each: name: value"},
                                      {"format", choice, "form of the answer", kTextOrJson}};
constexpr PageParameter kInitDump[] = {{"mask", text, "only targets of this part, such as listener"}};
constexpr PageParameter kListeners[] = {{"format", choice, "form of the answer", kTextOrJson}};
constexpr PageParameter kLogging[] = {
    {"paths", text, "levels of several loggers: <name>:<level>,<name>:<level>"},
    {"group", text, "level of a group of source files; they have none here: <name>:<level>"},
    {"level", choice, "level of all loggers; a single one is set by <name>=<level>", kLevels}};
constexpr PageParameter kStats[] = {
    {"usedonly", flag, "only what has been written since the start"},
    {"filter", text, "only statistics whose name matches this regular expression (RE2)"},
    {"invert_filter", flag, "only those that do not match"},
    {"format", choice, "form of the answer", kStatFormats},
    {"type", choice, "kind of statistics", kStatTypes},
    {"histogram_buckets", choice, "how histograms are shown", kStatBuckets}};
constexpr PageParameter kPrometheus[] = {
    {"usedonly", flag, "only what has been written since the start"},
    {"text_readouts", flag, "with texts, as gauges of value 0"},
    {"filter", text, "only statistics whose name matches this regular expression (RE2)"},
    {"invert_filter", flag, "only those that do not match"},
    {"histogram_buckets", choice, "how histograms are shown", kPrometheusBuckets}};

constexpr Page kPages[] = {
    {"/", home_page, "this overview as a page"},
    {"/allocprofiler", alloc_profiler_page, "profile allocations; not in this build", true, kProfiler},
    {"/certs", certs_page, "certificates in use"},
    {"/clusters", clusters_page, "clusters with their hosts and numbers", false, kClusters},
    {"/config_dump", config_dump_page, "the configuration in force", false, kConfigDump},
    {"/contention", contention_page, "how long mutexes were waited for"},
    {"/cpuprofiler", cpu_profiler_page, "profile the processor's time; not in this build", true, kProfiler},
    {"/drain_listeners", drain_listeners_page, "stop accepting connections", true, kDrain},
    {"/explain", explain_page, "where a request would go, and why; nothing is sent", false, kExplain},
    {"/healthcheck/fail", health_fail_page, "be found unhealthy, and end connections behind their response", true},
    {"/healthcheck/ok", health_ok_page, "be found healthy again", true},
    {"/heap_dump", heap_dump_page, "what lies on the heap; not in this build"},
    {"/heapprofiler", heap_profiler_page, "profile the heap; not in this build", true, kProfiler},
    {"/help", help_page, "this overview as text"},
    {"/hot_restart_version", hot_restart_version_page, "which processes could take over from this one"},
    {"/init_dump", init_dump_page, "what the start waits for", false, kInitDump},
    {"/listeners", listeners_page, "listeners with their addresses", false, kListeners},
    {"/logging", logging_page, "show or change log levels", true, kLogging},
    {"/memory", memory_page, "memory in use, in bytes"},
    {"/memory/tcmalloc", tcmalloc_page, "the allocator in detail; not in this build"},
    {"/peak_heap_dump", peak_heap_dump_page, "what lay on the heap at its peak; not in this build"},
    {"/quitquitquit", quit_page, "end the process", true},
    {"/ready", ready_page, "the state: 200 if LIVE, else 503"},
    {"/reopen_logs", reopen_logs_page, "open the log files again", true},
    {"/reset_counters", reset_counters_page, "set all counters to zero", true},
    {"/runtime", runtime_page, "the runtime's values, by layer"},
    {"/runtime_modify", runtime_modify_page,
     "set values of the runtime's admin layer: ?key1=value1&key2=value2; an empty value takes a key away", true},
    {"/server_info", server_info_page, "version, state and command line"},
    {"/sources", sources_page, "where clusters, listeners and routes stand in the configuration files"},
    {"/stats", stats_page, "statistics", false, kStats},
    {"/stats/prometheus", stats_prometheus_page, "statistics as Prometheus reads them", false, kPrometheus},
    {"/stats/recentlookups", recent_lookups_page, "statistics that were looked up by name"},
    {"/stats/recentlookups/clear", clear_lookups_page, "forget the look-ups", true},
    {"/stats/recentlookups/disable", disable_lookups_page, "do not note look-ups", true},
    {"/stats/recentlookups/enable", enable_lookups_page, "note look-ups", true},
};

// Takes the request's body to its end; what a form says goes to `form`. The status of a refusal, or 0.
Task<int> read_body(Exchange& x, std::string& form) {
  constexpr std::size_t kReadBytes = 16 * 1024;
  if (x.request.method == Method::connect) co_return 0;  // What follows it is no body.
  if (x.request_body->length().value_or(0) > Admin::kRequestBodyBytesMax) co_return 413;
  bool is_form = x.request.headers.value(Known::content_type).starts_with("application/x-www-form-urlencoded");
  std::size_t total = 0;
  for (;;) {
    Frame frame = x.request_body->poll(kReadBytes);
    if (frame.pending()) frame = co_await x.request_body->pull(kReadBytes);
    if (frame.is_reset()) co_return 400;
    if (!frame.is_data()) co_return 0;
    total += frame.data.size();
    if (total > Admin::kRequestBodyBytesMax) co_return 413;
    if (is_form) form += frame.data;
    if (frame.last) co_return 0;
  }
}

const Page* find_page(std::string_view path) {
  for (const Page& page : kPages) {
    if (page.path == path) return &page;
  }
  return nullptr;
}

PageAnswer answer(const AdminView& view, Exchange& x, std::string_view form) {
  // What is allowed and what is asked for is one path.
  std::string normalized;
  const PathVerdict verdict = normalize_path({.normalize = true, .merge_slashes = true}, x.request.path, normalized);
  if (verdict == PathVerdict::refused) return PageAnswer::plain("the path cannot be normalized\n", 400);
  const std::string_view target = verdict == PathVerdict::changed ? normalized : x.request.path;
  if (SnapshotPtr snapshot = view.snapshot();
      snapshot && !snapshot->admin_allow_paths.empty() && !any_matches(snapshot->admin_allow_paths, target)) {
    return PageAnswer::plain(fmt::format("request to path {} not allowed", target), 403);
  }
  auto [path, query_text] = split_target(target);
  const Page* page = find_page(path);
  if (!page) return PageAnswer::plain("invalid path. admin commands are:\n" + help_lines(), 404);
  if (page->post && x.request.method != Method::post) {
    return PageAnswer::plain(fmt::format("Method {} not allowed, POST required.", x.request.method_name), 405);
  }
  if (page->post && view.read_only) {
    return PageAnswer::plain(fmt::format("{}: the admin page is read-only (--admin-read-only)\n", path), 403);
  }
  if (page->post) {
    if (std::string why = foreign_order(x); !why.empty()) return PageAnswer::plain(why + "\n", 403);
  }
  auto query = parse_query(query_text, x.arena);
  if (query && query->empty()) query = parse_query(form, x.arena);
  if (!query) return PageAnswer::plain(query.error() + "\n", 400);
  PageRequest request{view, x.worker, *query};
  return page->answer(request);
}

enum class AdminStat : std::uint16_t { pages_refused, count };
constexpr StatDefinition kAdminStats[] = {{"pages_refused", StatKind::counter}};
constexpr StatTable kAdminStatTable{kAdminStats, ""};

// One of `taken` until the last copy is gone; null where there are `most` already.
std::shared_ptr<void> take_place(const std::shared_ptr<int>& taken, int most) {
  if (*taken >= most) return nullptr;
  ++*taken;
  return {taken.get(), [taken](void*) { --*taken; }};
}

}  // namespace

Admin::Admin(AdminView view) : view_(std::move(view)), stats_(view_.stats.scope("http.admin.", kAdminStatTable)) {}

std::span<const Page> admin_pages() { return kPages; }

Task<Response> Admin::handle(Exchange& x, Next) const {
  std::string form;
  if (int status = co_await read_body(x, form)) {
    co_return x.reply(status, reason_phrase(static_cast<std::uint16_t>(status)), "admin_request_body");
  }
  x.record.details = "admin_filter_response";
  PageAnswer page = answer(view_, x, form);
  if (page.rest && !page.rest->next(page.text, PageBody::kPieceBytes)) page.rest.reset();
  std::shared_ptr<void> place = page.rest ? take_place(large_answers_, kLargeAnswersMax) : nullptr;
  if (page.rest && !place) {
    stats_->local(x.worker.index())[AdminStat::pages_refused].add();
    page = PageAnswer::plain(fmt::format("{} large answers are being read already\n", kLargeAnswersMax), 503);
  }
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  head.status = static_cast<std::uint16_t>(page.status);
  head.headers.add(Known::content_type, page.content_type);
  head.headers.add("cache-control", "no-cache, max-age=0");
  head.headers.add("x-content-type-options", "nosniff");
  co_return Response{&head,
                     &x.arena.make_owned<PageBody>(std::move(page.text), std::move(page.rest), std::move(place))};
}

}  // namespace outrider
