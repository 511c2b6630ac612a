#include "admin/admin.h"

#include <fmt/format.h>

#include "admin/page.h"
#include "admin/page_body.h"
#include "admin/query.h"
#include "http/exchange.h"

namespace outrider {
namespace {

using enum PageParameter::Kind;

constexpr std::string_view kTextOrJson[] = {"text", "json"};
constexpr std::string_view kLevels[] = {"", "trace", "debug", "info", "warning", "error", "critical", "off"};
constexpr std::string_view kStatFormats[] = {"text", "json", "prometheus"};
constexpr std::string_view kStatTypes[] = {"All", "Counters", "Gauges", "Histograms", "TextReadouts"};
constexpr std::string_view kStatBuckets[] = {"none", "cumulative", "disjoint", "detailed", "summary"};
constexpr std::string_view kPrometheusBuckets[] = {"cumulative", "summary"};

constexpr PageParameter kClusters[] = {
    {"filter", text, "only clusters whose name matches this regular expression (RE2)"},
    {"format", choice, "form of the answer", kTextOrJson}};
constexpr std::string_view kConfigDumpNotBuilt[] = {"resource", "mask", "name_regex", "include_eds"};
constexpr std::string_view kDrainNotBuilt[] = {"graceful", "skip_exit", "inboundonly"};
constexpr PageParameter kListeners[] = {{"format", choice, "form of the answer", kTextOrJson}};
constexpr PageParameter kLogging[] = {
    {"paths", text, "levels of several loggers: <name>:<level>,<name>:<level>"},
    {"level", choice, "level of all loggers; a single one is set by <name>=<level>", kLevels}};
constexpr std::string_view kLoggingNotBuilt[] = {"group"};
constexpr PageParameter kStats[] = {
    {"usedonly", flag, "only what has been written since the start"},
    {"filter", text, "only statistics whose name matches this regular expression (RE2)"},
    {"format", choice, "form of the answer", kStatFormats},
    {"type", choice, "kind of statistics", kStatTypes},
    {"histogram_buckets", choice, "how histograms are shown", kStatBuckets}};
constexpr std::string_view kStatsNotBuilt[] = {"invert_filter"};
constexpr PageParameter kPrometheus[] = {
    {"usedonly", flag, "only what has been written since the start"},
    {"filter", text, "only statistics whose name matches this regular expression (RE2)"},
    {"histogram_buckets", choice, "how histograms are shown", kPrometheusBuckets}};
constexpr std::string_view kPrometheusNotBuilt[] = {"invert_filter", "text_readouts"};

constexpr Page kPages[] = {
    {"/", home_page, "this overview as a page"},
    {"/certs", certs_page, "certificates in use"},
    {"/clusters", clusters_page, "clusters with their hosts and numbers", false, kClusters},
    {"/config_dump", config_dump_page, "the configuration in force", false, {}, kConfigDumpNotBuilt},
    {"/drain_listeners", drain_listeners_page, "stop accepting connections", true, {}, kDrainNotBuilt},
    {"/healthcheck/fail", health_fail_page, "cause the server to fail health checks", true},
    {"/healthcheck/ok", health_ok_page, "cause the server to pass health checks", true},
    {"/help", help_page, "this overview as text"},
    {"/hot_restart_version", hot_restart_version_page, "which processes could take over from this one"},
    {"/listeners", listeners_page, "listeners with their addresses", false, kListeners},
    {"/logging", logging_page, "show or change log levels", true, kLogging, kLoggingNotBuilt},
    {"/memory", memory_page, "memory in use, in bytes"},
    {"/quitquitquit", quit_page, "end the process", true},
    {"/ready", ready_page, "the state: 200 if LIVE, else 503"},
    {"/reopen_logs", reopen_logs_page, "open the log files again", true},
    {"/reset_counters", reset_counters_page, "set all counters to zero", true},
    {"/server_info", server_info_page, "version, state and command line"},
    {"/stats", stats_page, "statistics", false, kStats, kStatsNotBuilt},
    {"/stats/prometheus", stats_prometheus_page, "statistics as Prometheus reads them", false, kPrometheus,
     kPrometheusNotBuilt},
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
  auto [path, query_text] = split_target(x.request.path, x.arena);
  const Page* page = find_page(path);
  if (!page) return PageAnswer::plain("invalid path. admin commands are:\n" + help_lines(), 404);
  if (page->post && x.request.method != Method::post) {
    return PageAnswer::plain(fmt::format("Method {} not allowed, POST required.", x.request.method_name), 405);
  }
  auto query = parse_query(query_text, x.arena);
  if (query && query->empty()) query = parse_query(form, x.arena);
  if (!query) return PageAnswer::plain(query.error() + "\n", 400);
  PageRequest request{view, x.worker, *query};
  for (std::string_view name : page->not_built) {
    if (request.parameter(name)) {
      return PageAnswer::plain(fmt::format("{}: the parameter '{}' is not built\n", path, name), 400);
    }
  }
  return page->answer(request);
}

}  // namespace

std::span<const Page> admin_pages() { return kPages; }

Task<Response> Admin::handle(Exchange& x, Next) const {
  std::string form;
  if (int status = co_await read_body(x, form)) {
    co_return x.reply(status, reason_phrase(static_cast<std::uint16_t>(status)), "admin_request_body");
  }
  x.record.details = "admin_filter_response";
  PageAnswer page = answer(view_, x, form);
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  head.status = static_cast<std::uint16_t>(page.status);
  head.headers.add(Known::content_type, page.content_type);
  head.headers.add("cache-control", "no-cache, max-age=0");
  head.headers.add("x-content-type-options", "nosniff");
  co_return Response{&head, &x.arena.make_owned<PageBody>(std::move(page.text), std::move(page.rest))};
}

}  // namespace outrider
