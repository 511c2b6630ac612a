#include <algorithm>

#include "admin/html.h"
#include "admin/page.h"
#include "observe/prometheus.h"
#include "observe/stats_text.h"

namespace outrider {
namespace {

// One of the renderings of observe.
template <class Text>
class StatsPage final : public PageText {
 public:
  StatsPage(const StatRegistry& stats, StatQuery query) : text_(stats, std::move(query)) {}
  bool next(std::string& out, std::size_t bytes) override { return text_.next(out, bytes); }

 private:
  Text text_;
};

// The text, escaped, in a page with the form that asked for it.
class HtmlStats final : public PageText {
 public:
  HtmlStats(const StatRegistry& stats, StatQuery query) : text_(stats, std::move(query)) {}
  bool next(std::string& out, std::size_t bytes) override {
    plain_.clear();
    bool more = text_.next(plain_, bytes);
    append_html(out, plain_);
    if (!more) out += "</pre>\n</main>\n</body>\n</html>\n";
    return more;
  }

 private:
  StatsText text_;
  std::string plain_;
};

PageAnswer html_page(const PageRequest& request, StatQuery query) {
  const Page* page = &*std::ranges::find(admin_pages(), std::string_view("/stats"), &Page::path);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>outrider statistics</title>\n"
      "<link rel=\"icon\" href=\"data:,\">\n<style>\n";
  out.append(page_css()).append("</style>\n</head>\n<body>\n<main>\n<h1><a href=\"./\">outrider</a> statistics</h1>\n");
  out.append("<div class=\"scroll\"><table class=\"commands\">\n").append(command_rows(*page, request.parameters));
  out += "</table></div>\n<pre class=\"stats\">\n";
  return {200, content_type::kHtml, std::move(out), std::make_unique<HtmlStats>(request.view.stats, std::move(query))};
}

PageAnswer prometheus_page(const PageRequest& request, StatQuery query) {
  using enum StatQuery::Buckets;
  if (query.buckets == prometheus_native) {
    return PageAnswer::plain("unsupported prometheusnative histogram type when not using protobuf exposition format",
                             400);
  }
  if (query.buckets == disjoint || query.buckets == detailed) {
    return PageAnswer::plain("unsupported prometheus histogram bucket mode", 400);
  }
  query.format = StatQuery::Format::prometheus;
  auto text = std::make_unique<StatsPage<PrometheusText>>(request.view.stats, std::move(query));
  return {200, content_type::kPlain, "", std::move(text)};
}

}  // namespace

PageAnswer stats_page(const PageRequest& request) {
  auto query = StatQuery::parse(request.parameters);
  if (!query) return PageAnswer::plain(std::move(query.error()), 400);
  if (request.view.before_stats) request.view.before_stats();
  if (query->format == StatQuery::Format::prometheus) return prometheus_page(request, std::move(*query));
  if (query->buckets == StatQuery::Buckets::prometheus_native) {
    return PageAnswer::plain("Invalid histogram_buckets type for non prometheus stats type", 400);
  }
  if (query->format == StatQuery::Format::active_html) return home_page(request);
  if (query->format == StatQuery::Format::html) return html_page(request, std::move(*query));
  bool json = query->format == StatQuery::Format::json;
  auto text = std::make_unique<StatsPage<StatsText>>(request.view.stats, std::move(*query));
  return {200, json ? content_type::kJson : content_type::kPlain, "", std::move(text)};
}

PageAnswer stats_prometheus_page(const PageRequest& request) {
  auto query = StatQuery::parse(request.parameters);
  if (!query) return PageAnswer::plain(std::move(query.error()), 400);
  if (request.view.before_stats) request.view.before_stats();
  return prometheus_page(request, std::move(*query));
}

}  // namespace outrider
