#include "observe/prometheus.h"

#include <algorithm>

#include "observe/code_counters.h"
#include "observe/prometheus_names.h"
#include "observe/stat_format.h"
#include "observe/stats_options.h"

namespace outrider {

using stat_format::append_line;
using stat_format::append_plain;
using stat_format::PaddedText;

using prometheus::append_label;
using prometheus::append_metric_name;
using prometheus::Family;
using prometheus::Group;
using prometheus::Labels;
using prometheus::Metric;
using prometheus::Scope;

namespace {

constexpr std::string_view kBoundEnd = "\"} ";
// The usual bounds, and what ends the label.
const PaddedText kBoundTexts[] = {
    PaddedText("0.5\"} "),    PaddedText("1\"} "),       PaddedText("5\"} "),      PaddedText("10\"} "),
    PaddedText("25\"} "),     PaddedText("50\"} "),      PaddedText("100\"} "),    PaddedText("250\"} "),
    PaddedText("500\"} "),    PaddedText("1000\"} "),    PaddedText("2500\"} "),   PaddedText("5000\"} "),
    PaddedText("10000\"} "),  PaddedText("30000\"} "),   PaddedText("60000\"} "),  PaddedText("300000\"} "),
    PaddedText("600000\"} "), PaddedText("1800000\"} "), PaddedText("3600000\"} ")};
constexpr std::size_t kBoundTextMax = 12;
static_assert(std::size(kBoundTexts) == kHistogramBoundCount);

}  // namespace

// One statistic; what it is called depends on the whole of its name.
struct PrometheusText::Stat {
  std::string name;
  StatKind kind;
  std::uint64_t value;
  std::size_t index;  // Of a histogram.
  std::shared_ptr<StatScope> scope;
  std::string labels;
};

PrometheusText::PrometheusText(const StatRegistry& registry, StatQuery query)
    : query_(std::move(query)), takes_all_(!query_.filter && !query_.used_only && !stats_options().exists) {
  for (const auto& [name, value] : registry.tags()) append_label(fixed_labels_, name, value);
  if (stats_options().finds_tags()) {
    by_stat_ = true;
    for (const std::shared_ptr<StatScope>& scope : registry.all()) {
      if (!query_.used_only || scope->used()) add_stats(scope);
    }
    order_stats();
    return;
  }
  for (std::shared_ptr<StatScope>& scope : registry.all()) {
    bool used = scope->used();
    if (!query_.used_only || used) all_.add(std::move(scope), used, fixed_labels_);
  }
  groups_ = all_.finish(query_);
}

PrometheusText::~PrometheusText() = default;

bool PrometheusText::next(std::string& out, std::size_t bytes) {
  std::size_t enough = out.size() + bytes;
  if (by_stat_) {
    while (stat_ < stats_.size() && out.size() < enough) stat_lines(stats_[stat_++], out);
    return stat_ < stats_.size();
  }
  while (group_ < groups_.size()) {
    const Group& group = groups_[group_];
    if (scope_ == 0) begin_metric(group.family->name, group.metric->name);
    bool plain = is_plain(group);
    std::size_t count = group.family->scopes.size();
    while (scope_ < count) {
      if (out.size() >= enough) return true;
      std::size_t end = plain ? std::min(count, scope_ + kLinesAtOnce) : scope_ + 1;
      if (plain) {
        plain_lines(group, scope_, end, out);
      } else {
        scope_lines(group, scope_, out);
      }
      scope_ = end;
    }
    group_++;
    scope_ = 0;
  }
  return false;
}

// Whether each scope has one line, whatever it has counted.
bool PrometheusText::is_plain(const Group& group) const {
  const Metric& metric = *group.metric;
  return metric.source == Metric::Source::cells && metric.kind != StatKind::histogram && metric.parts.size() == 1 &&
         metric.parts.front().response_class == 0 && takes_all_ && !group.family->plan->table->sparse;
}

void PrometheusText::plain_lines(const Group& group, std::size_t begin, std::size_t end, std::string& out) {
  const Family& family = *group.family;
  head(out, group.metric->kind == StatKind::counter ? "counter" : "gauge");
  std::size_t stat = group.metric->parts.front().definition;
  std::size_t bytes = family.tail_begin(end) - family.tail_begin(begin);
  bytes += (end - begin) * (open_.size() + stat_format::kNumberMax + 1);
  stat_format::append_with(out, bytes, [&](char* to) {
    for (std::size_t scope = begin; scope < end; scope++) {
      to = stat_format::put(to, open_);
      to = stat_format::put(to, family.labels(scope).tail);
      to = stat_format::put(to, family.value(stat, scope));
      *to++ = '\n';
    }
    return to;
  });
}

void PrometheusText::begin_metric(std::string_view family, std::string_view name) {
  metric_ = "envoy_";
  append_metric_name(metric_, family);
  append_metric_name(metric_, name);
  open_.assign(metric_ + "{");
  head_is_due_ = head_of_ != metric_;
}

void PrometheusText::head(std::string& out, std::string_view type) {
  if (!head_is_due_) return;
  head_is_due_ = false;
  head_of_ = metric_;
  out.append("# TYPE ").append(metric_).append(" ").append(type).append("\n");
}

bool PrometheusText::matches(const StatScope& scope, std::string_view name) {
  if (!query_.filter && !stats_options().exists) return true;
  scratch_.assign(scope.name()).append(name);
  if (stats_options().exists && !stats_options().exists(scratch_)) return false;
  return query_.matches(scratch_);
}

void PrometheusText::scope_lines(const Group& group, std::size_t scope, std::string& out) {
  const Metric& metric = *group.metric;
  const Family& family = *group.family;
  const Scope& of = family.scopes[scope];
  Labels labels = family.labels(scope);
  if (metric.source != Metric::Source::cells) {
    if (!of.codes.empty()) code_lines(metric, of, labels, out);
    return;
  }
  if (metric.kind == StatKind::histogram) {
    std::size_t index = metric.parts.front().definition;
    histogram_lines(*of.scope, index, family.is_written(index, scope), labels, out);
    return;
  }
  const auto& definitions = family.plan->table->definitions;
  for (const Metric::Part& part : metric.parts) {
    bool sparse = query_.used_only || family.plan->table->sparse;
    if (sparse && !family.is_written(part.definition, scope)) continue;
    if (!matches(*of.scope, definitions[part.definition].name)) continue;
    head(out, metric.kind == StatKind::counter ? "counter" : "gauge");
    std::string_view label = part.response_class ? kResponseCodeClassLabel : "";
    line(out, label, {&part.response_class, 1}, labels, family.value(part.definition, scope));
  }
}

void PrometheusText::code_lines(const Metric& metric, const Scope& scope, Labels labels, std::string& out) {
  std::string_view prefix = scope.scope->table().code_prefix;
  auto named = [&](std::string_view end) {
    if (!query_.filter && !stats_options().exists) return true;
    return matches(*scope.scope, std::string(prefix).append(end));
  };
  if (metric.source == Metric::Source::codes) {
    for (const CodeCount& c : scope.codes) {
      std::string code = std::to_string(c.status);
      if (!named(code)) continue;
      head(out, "counter");
      line(out, kResponseCodeLabel, code, labels, c.count);
    }
    return;
  }
  bool total = metric.source == Metric::Source::code_total;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < scope.codes.size(); i++) {
    sum += scope.codes[i].count;
    int digit = scope.codes[i].status / 100;
    bool last = i + 1 == scope.codes.size();
    if (!last && (total || scope.codes[i + 1].status / 100 == digit)) continue;
    char text[] = {static_cast<char>('0' + digit), 'x', 'x'};
    if (named(total ? "completed" : std::string_view(text, 3))) {
      head(out, "counter");
      line(out, total ? "" : kResponseCodeClassLabel, {text, 1}, labels, sum);
    }
    sum = 0;
  }
}

void PrometheusText::line(std::string& out, std::string_view label, std::string_view label_value, Labels labels,
                          std::uint64_t value) {
  if (label.empty()) {
    append_line(out, value, open_, labels.tail);
  } else {
    std::string_view end = labels.all().empty() ? "\"" : "\",";
    append_line(out, value, open_, label, std::string_view("=\""), label_value, end, labels.tail);
  }
}

void PrometheusText::histogram_lines(const StatScope& scope, std::size_t index, bool recorded, Labels labels,
                                     std::string& out) {
  std::string_view name = scope.table().definitions[index].name;
  bool summary = query_.buckets == StatQuery::Buckets::summary;
  HistogramTotals& totals = totals_;
  totals.clear();
  if (recorded) scope.histogram(index, totals);
  bool sparse = query_.used_only || appears_when_used(scope.table(), name);
  if (sparse && totals.count == 0) return;
  if (!matches(scope, name)) return;
  head(out, summary ? "summary" : "histogram");
  if (summary) {
    totals.clear();
    scope.interval(index, totals);
    summary_lines(totals, labels, out);
  } else {
    bucket_lines(totals, stats_options().bounds_of(scope.name(), name), labels, out);
  }
  append_line(out, totals.sum, metric_, std::string_view("_sum{"), labels.tail);
  append_line(out, totals.count, metric_, std::string_view("_count{"), labels.tail);
}

void PrometheusText::bucket_lines(const HistogramTotals& totals, std::span<const double> bounds, Labels labels,
                                  std::string& out) {
  counts_.assign(bounds.size(), 0);
  if (totals.count) totals.cumulative(bounds, counts_);
  scratch_.assign(metric_).append("_bucket{").append(labels.all()).append(labels.all().empty() ? "le=\"" : ",le=\"");
  bucket_.assign(scratch_);
  if (bounds.data() == kHistogramBounds) {
    std::size_t each = bucket_.size() + kBoundTextMax + stat_format::kNumberMax + 1;
    stat_format::append_with(out, bounds.size() * each, [&](char* to) {
      for (std::size_t i = 0; i < bounds.size(); i++) {
        to = stat_format::put(to, bucket_);
        to = stat_format::put(to, kBoundTexts[i]);
        to = stat_format::put(to, counts_[i]);
        *to++ = '\n';
      }
      return to;
    });
  } else {
    for (std::size_t i = 0; i < bounds.size(); i++) {
      scratch_.clear();
      append_plain(scratch_, bounds[i]);
      append_line(out, counts_[i], bucket_, scratch_, kBoundEnd);
    }
  }
  append_line(out, totals.count, bucket_, std::string_view("+Inf"), kBoundEnd);
}

void PrometheusText::summary_lines(const HistogramTotals& totals, Labels labels, std::string& out) {
  std::array<double, kHistogramQuantileCount> values;
  totals.quantiles(kHistogramQuantiles, values);
  for (std::size_t i = 0; i < values.size(); i++) {
    out.append(metric_).push_back('{');
    out.append(labels.all()).append(labels.all().empty() ? "quantile=\"" : ",quantile=\"");
    append_plain(out, kHistogramQuantiles[i]);
    out += "\"} ";
    append_plain(out, values[i]);
    out.push_back('\n');
  }
}

void PrometheusText::add_stats(const std::shared_ptr<StatScope>& scope) {
  const auto definitions = scope->table().definitions;
  std::vector<std::uint64_t> values(definitions.size());
  auto written = std::make_unique<bool[]>(definitions.size());
  scope->read(values, {written.get(), definitions.size()});
  auto add = [&](std::string_view name, StatKind kind, std::uint64_t value, std::size_t index) {
    if (!query_.wants(kind)) return;
    TaggedName tagged = tags_of(scope->name(), name, stats_options());
    if (!matches(*scope, name)) return;
    Stat& stat = stats_.emplace_back(std::move(tagged.name), kind, value, index, scope, fixed_labels_);
    for (const StatTag& tag : tagged.tags) append_label(stat.labels, tag.label, tag.value);
  };
  for (std::size_t i = 0; i < definitions.size(); i++) {
    bool histogram = definitions[i].kind == StatKind::histogram;
    if ((query_.used_only || scope->table().sparse) && !histogram && !written[i]) continue;
    add(definitions[i].name, definitions[i].kind, values[i], i);
  }
  std::vector<NamedCount> codes;
  append_code_counters(scope->table().code_prefix, scope->codes(), codes);
  for (const NamedCount& code : codes) add(code.name, StatKind::counter, code.value, 0);
}

void PrometheusText::order_stats() {
  std::ranges::sort(stats_, [](const Stat& a, const Stat& b) {
    if (a.kind != b.kind) return a.kind < b.kind;
    return a.name != b.name ? a.name < b.name : a.labels < b.labels;
  });
}

void PrometheusText::stat_lines(const Stat& stat, std::string& out) {
  begin_metric(stat.name, "");
  tail_.assign(stat.labels + std::string(Labels::kEnd));
  if (stat.kind == StatKind::histogram) {
    histogram_lines(*stat.scope, stat.index, true, {tail_}, out);
    return;
  }
  head(out, stat.kind == StatKind::counter ? "counter" : "gauge");
  line(out, "", "", {tail_}, stat.value);
}

std::string prometheus_text(const StatRegistry& registry, const StatQuery& query) {
  PrometheusText rendering(registry, query);
  std::string out;
  while (rendering.next(out, 1 << 20)) {
  }
  return out;
}

}  // namespace outrider
