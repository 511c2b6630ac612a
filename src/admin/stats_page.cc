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

PageAnswer prometheus(const PageRequest& request, StatQuery query) {
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
  if (auto format = request.parameter("format"); format == "html" || format == "active-html") {
    return PageAnswer::plain("/stats: this form is not built, use text, json or prometheus\n", 400);
  }
  auto query = StatQuery::parse(request.parameters);
  if (!query) return PageAnswer::plain(std::move(query.error()), 400);
  if (query->format == StatQuery::Format::prometheus) return prometheus(request, std::move(*query));
  if (query->buckets == StatQuery::Buckets::prometheus_native) {
    return PageAnswer::plain("Invalid histogram_buckets type for non prometheus stats type", 400);
  }
  bool json = query->format == StatQuery::Format::json;
  auto text = std::make_unique<StatsPage<StatsText>>(request.view.stats, std::move(*query));
  return {200, json ? content_type::kJson : content_type::kPlain, "", std::move(text)};
}

PageAnswer stats_prometheus_page(const PageRequest& request) {
  auto query = StatQuery::parse(request.parameters);
  if (!query) return PageAnswer::plain(std::move(query.error()), 400);
  return prometheus(request, std::move(*query));
}

}  // namespace outrider
