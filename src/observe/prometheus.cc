#include "observe/prometheus.h"

#include <algorithm>
#include <unordered_map>

#include "observe/code_counters.h"
#include "observe/stat_format.h"
#include "observe/stats_options.h"

namespace outrider {

using stat_format::append_line;
using stat_format::append_plain;

namespace {

// The bounds, and what ends the label.
constexpr std::string_view kBoundTexts[] = {"0.5\"} ",    "1\"} ",      "5\"} ",       "10\"} ",     "25\"} ",
                                            "50\"} ",     "100\"} ",    "250\"} ",     "500\"} ",    "1000\"} ",
                                            "2500\"} ",   "5000\"} ",   "10000\"} ",   "30000\"} ",  "60000\"} ",
                                            "300000\"} ", "600000\"} ", "1800000\"} ", "3600000\"} "};
static_assert(std::size(kBoundTexts) == kHistogramBoundCount);

void append_metric_name(std::string& out, std::string_view name) {
  for (char c : name) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
    out.push_back(plain ? c : '_');
  }
}

void append_label_value(std::string& out, std::string_view value) {
  for (char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
}

// label="value", behind a comma if labels stand there already.
void append_label(std::string& labels, std::string_view label, std::string_view value) {
  if (!labels.empty()) labels.push_back(',');
  append_metric_name(labels, label);
  labels += "=\"";
  append_label_value(labels, value);
  labels.push_back('"');
}

}  // namespace

struct PrometheusText::Scope {
  std::shared_ptr<StatScope> scope;
  std::string labels;  // envoy_cluster_name="backend"
  std::string tail;    // The labels and what ends them: "} ".
  // Of a scope that no worker touched both are empty: its numbers are 0.
  std::unique_ptr<std::uint64_t[]> values;
  std::unique_ptr<bool[]> written;
  std::vector<CodeCount> codes;
};

// The statistics of one table that share a name once the tags are out of it.
struct PrometheusText::Metric {
  enum class Source : std::uint8_t { cells, codes, code_classes, code_total };
  std::string name;  // "upstream_rq_xx"
  StatKind kind;
  Source source = Source::cells;
  std::vector<std::size_t> definitions;
};

struct PrometheusText::Plan {
  const StatTable* table;
  std::vector<Metric> metrics;
};

// The scopes of one kind: what differs is in their labels.
struct PrometheusText::Family {
  std::string name;  // "cluster."
  const Plan* plan;
  std::vector<Scope> scopes;
};

struct PrometheusText::Group {
  const Family* family;
  const Metric* metric;
};

// One statistic; what it is called depends on the whole of its name.
struct PrometheusText::Stat {
  std::string name;
  StatKind kind;
  std::uint64_t value;
  std::size_t index;  // Of a histogram.
  Scope scope;        // With the statistic's own labels.
};

const PrometheusText::Plan& PrometheusText::plan(const StatTable& table) {
  for (const auto& p : plans_) {
    if (p->table == &table) return *p;
  }
  auto made = std::make_unique<Plan>();
  made->table = &table;
  auto add = [&](std::string name, StatKind kind, Metric::Source source) -> Metric& {
    for (Metric& m : made->metrics) {
      if (m.name == name && m.kind == kind && m.source == source) return m;
    }
    return made->metrics.emplace_back(std::move(name), kind, source);
  };
  for (std::size_t i = 0; i < table.definitions.size(); i++) {
    const StatDefinition& d = table.definitions[i];
    std::string name(d.name);
    char digit;
    if (response_class_of(name, digit)) name.erase(name.size() - 3, 1);
    add(std::move(name), d.kind, Metric::Source::cells).definitions.push_back(i);
  }
  if (!table.code_prefix.empty()) {
    std::string_view prefix = table.code_prefix;
    std::string_view bare = prefix.substr(0, prefix.size() - 1);  // Without the final underscore.
    add(std::string(bare), StatKind::counter, Metric::Source::codes);
    add(std::string(prefix) + "xx", StatKind::counter, Metric::Source::code_classes);
    add(std::string(prefix) + "completed", StatKind::counter, Metric::Source::code_total);
  }
  plans_.push_back(std::move(made));
  return *plans_.back();
}

PrometheusText::PrometheusText(const StatRegistry& registry, StatQuery query) : query_(std::move(query)) {
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
    if (!query_.used_only || scope->used()) add_scope(std::move(scope));
  }
  order_groups();
}

PrometheusText::~PrometheusText() = default;

void PrometheusText::add_scope(std::shared_ptr<StatScope> scope) {
  TaggedName tagged = tags_of(scope->name(), stats_options());
  const Plan& p = plan(scope->table());
  // Scopes come by name, so one of the last families is nearly always the right one.
  Family* family = nullptr;
  std::size_t tried = 0;
  for (std::size_t i = families_.size(); i-- > 0 && tried < 16 && !family; tried++) {
    if (families_[i]->plan == &p && families_[i]->name == tagged.name) family = families_[i].get();
  }
  if (!family) {
    families_.push_back(std::make_unique<Family>(std::move(tagged.name), &p));
    family = families_.back().get();
  }
  Scope& s = family->scopes.emplace_back();
  s.labels = fixed_labels_;
  for (const StatTag& tag : tagged.tags) append_label(s.labels, tag.label, tag.value);
  s.tail = s.labels + "} ";
  if (scope->used()) {
    std::size_t count = scope->table().definitions.size();
    s.values = std::make_unique_for_overwrite<std::uint64_t[]>(count);
    s.written = std::make_unique_for_overwrite<bool[]>(count);
    scope->read({s.values.get(), count}, {s.written.get(), count});
    if (!scope->table().code_prefix.empty()) s.codes = scope->codes();
  }
  s.scope = std::move(scope);
}

void PrometheusText::order_groups() {
  for (const auto& family : families_) {
    for (const Metric& m : family->plan->metrics) {
      if (query_.wants(m.kind)) groups_.push_back({family.get(), &m});
    }
  }
  // Compares family name + metric name without putting them together.
  auto less = [](const Group& a, const Group& b) {
    if (a.metric->kind != b.metric->kind) return a.metric->kind < b.metric->kind;
    if (a.family == b.family) return a.metric->name < b.metric->name;
    std::string_view af = a.family->name, bf = b.family->name;
    std::size_t common = std::min(af.size(), bf.size());
    int c = af.substr(0, common).compare(bf.substr(0, common));
    if (c != 0) return c < 0;
    std::string_view am = a.metric->name, bm = b.metric->name;
    if (af.size() == bf.size()) return am < bm;
    if (af.size() > bf.size()) {
      af.remove_prefix(common);
      std::string_view bfront = bm.substr(0, af.size());
      c = af.compare(bfront);
      return c != 0 ? c < 0 : am < bm.substr(bfront.size());
    }
    bf.remove_prefix(common);
    std::string_view afront = am.substr(0, bf.size());
    c = afront.compare(bf);
    return c != 0 ? c < 0 : am.substr(afront.size()) < bm;
  };
  std::ranges::sort(groups_, less);
}

// What a group needs of thousands of scopes lies far apart: without this the processor waits for memory most of the
// time.
void PrometheusText::prefetch(const Group& group, const std::vector<Scope>& scopes, std::size_t at) {
  if (at >= scopes.size()) return;
  const Scope& scope = scopes[at];
  __builtin_prefetch(scope.tail.data());
  if (scope.values && !group.metric->definitions.empty()) {
    __builtin_prefetch(&scope.values[group.metric->definitions.front()]);
  }
}

bool PrometheusText::next(std::string& out, std::size_t bytes) {
  std::size_t enough = out.size() + bytes;
  if (by_stat_) {
    while (stat_ < stats_.size() && out.size() < enough) stat_lines(stats_[stat_++], out);
    return stat_ < stats_.size();
  }
  while (group_ < groups_.size()) {
    const Group& group = groups_[group_];
    if (scope_ == 0) begin_group(group);
    const std::vector<Scope>& scopes = group.family->scopes;
    while (scope_ < scopes.size()) {
      if (out.size() >= enough) return true;
      prefetch(group, scopes, scope_ + 16);
      scope_lines(group, scopes[scope_++], out);
    }
    group_++;
    scope_ = 0;
  }
  return false;
}

void PrometheusText::begin_group(const Group& group) {
  metric_ = "envoy_";
  append_metric_name(metric_, group.family->name);
  append_metric_name(metric_, group.metric->name);
  open_ = metric_ + "{";
}

void PrometheusText::head(std::string& out, std::string_view type) {
  if (head_of_ == metric_) return;
  head_of_ = metric_;
  out.append("# TYPE ").append(metric_).append(" ").append(type).append("\n");
}

bool PrometheusText::matches(const Scope& scope, std::string_view name) {
  if (!query_.filter && !stats_options().exists) return true;
  scratch_.assign(scope.scope->name()).append(name);
  if (stats_options().exists && !stats_options().exists(scratch_)) return false;
  return query_.matches(scratch_);
}

void PrometheusText::scope_lines(const Group& group, const Scope& scope, std::string& out) {
  const Metric& metric = *group.metric;
  if (metric.source != Metric::Source::cells) {
    if (!scope.codes.empty()) code_lines(metric, scope, out);
    return;
  }
  if (metric.kind == StatKind::histogram) {
    histogram_lines(metric, scope, out);
    return;
  }
  const auto& definitions = scope.scope->table().definitions;
  for (std::size_t i : metric.definitions) {
    if (query_.used_only && !(scope.written && scope.written[i])) continue;
    if (!matches(scope, definitions[i].name)) continue;
    head(out, metric.kind == StatKind::counter ? "counter" : "gauge");
    std::uint64_t value = scope.values ? scope.values[i] : 0;
    char digit;
    bool tagged = response_class_of(definitions[i].name, digit);
    line(out, tagged ? kResponseCodeClassLabel : "", {&digit, 1}, scope, value);
  }
}

void PrometheusText::code_lines(const Metric& metric, const Scope& scope, std::string& out) {
  std::string_view prefix = scope.scope->table().code_prefix;
  auto named = [&](std::string_view end) {
    if (!query_.filter && !stats_options().exists) return true;
    return matches(scope, std::string(prefix).append(end));
  };
  if (metric.source == Metric::Source::codes) {
    for (const CodeCount& c : scope.codes) {
      std::string code = std::to_string(c.status);
      if (!named(code)) continue;
      head(out, "counter");
      line(out, kResponseCodeLabel, code, scope, c.count);
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
      line(out, total ? "" : kResponseCodeClassLabel, {text, 1}, scope, sum);
    }
    sum = 0;
  }
}

void PrometheusText::line(std::string& out, std::string_view label, std::string_view label_value, const Scope& scope,
                          std::uint64_t value) {
  if (label.empty()) {
    append_line(out, value, open_, scope.tail);
  } else {
    append_line(out, value, open_, label, "=\"", label_value, scope.labels.empty() ? "\"" : "\",", scope.tail);
  }
}

void PrometheusText::histogram_lines(const Metric& metric, const Scope& scope, std::string& out) {
  std::size_t index = metric.definitions.front();
  const auto& definitions = scope.scope->table().definitions;
  bool summary = query_.buckets == StatQuery::Buckets::summary;
  HistogramTotals& totals = totals_;
  totals.clear();
  if (scope.values || by_stat_) scope.scope->histogram(index, totals);
  bool sparse = query_.used_only || comes_with_codes(scope.scope->table(), definitions[index].name);
  if (sparse && totals.count == 0) return;
  if (!matches(scope, definitions[index].name)) return;
  head(out, summary ? "summary" : "histogram");
  if (summary) {
    totals.clear();
    scope.scope->interval(index, totals);
    summary_lines(scope, totals, out);
  } else {
    bucket_lines(scope, totals, stats_options().bounds_of(scope.scope->name(), definitions[index].name), out);
  }
  append_line(out, totals.sum, metric_, "_sum{", scope.tail);
  append_line(out, totals.count, metric_, "_count{", scope.tail);
}

void PrometheusText::bucket_lines(const Scope& scope, const HistogramTotals& totals, std::span<const double> bounds,
                                  std::string& out) {
  counts_.assign(bounds.size(), 0);
  if (totals.count) totals.cumulative(bounds, counts_);
  scratch_.assign(metric_).append("_bucket{").append(scope.labels).append(scope.labels.empty() ? "le=\"" : ",le=\"");
  bool usual = bounds.data() == kHistogramBounds;
  std::string text;
  for (std::size_t i = 0; i < bounds.size(); i++) {
    if (!usual) {
      text.clear();
      append_plain(text, bounds[i]);
      text += "\"} ";
    }
    append_line(out, counts_[i], scratch_, usual ? kBoundTexts[i] : std::string_view(text));
  }
  append_line(out, totals.count, scratch_, "+Inf\"} ");
}

void PrometheusText::summary_lines(const Scope& scope, const HistogramTotals& totals, std::string& out) {
  std::array<double, kHistogramQuantileCount> values;
  totals.quantiles(kHistogramQuantiles, values);
  for (std::size_t i = 0; i < values.size(); i++) {
    out.append(metric_).push_back('{');
    out.append(scope.labels).append(scope.labels.empty() ? "quantile=\"" : ",quantile=\"");
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
    Stat& stat = stats_.emplace_back(std::move(tagged.name), kind, value, index);
    stat.scope.scope = scope;
    if (!matches(stat.scope, name)) {
      stats_.pop_back();
      return;
    }
    stat.scope.labels = fixed_labels_;
    for (const StatTag& tag : tagged.tags) append_label(stat.scope.labels, tag.label, tag.value);
    stat.scope.tail = stat.scope.labels + "} ";
  };
  for (std::size_t i = 0; i < definitions.size(); i++) {
    bool histogram = definitions[i].kind == StatKind::histogram;
    if (query_.used_only && !histogram && !written[i]) continue;
    add(definitions[i].name, definitions[i].kind, values[i], i);
  }
  std::vector<NamedCount> codes;
  append_code_counters(scope->table().code_prefix, scope->codes(), codes);
  for (const NamedCount& code : codes) add(code.name, StatKind::counter, code.value, 0);
}

void PrometheusText::order_stats() {
  std::ranges::sort(stats_, [](const Stat& a, const Stat& b) {
    if (a.kind != b.kind) return a.kind < b.kind;
    return a.name != b.name ? a.name < b.name : a.scope.labels < b.scope.labels;
  });
}

void PrometheusText::stat_lines(const Stat& stat, std::string& out) {
  metric_ = "envoy_";
  append_metric_name(metric_, stat.name);
  open_ = metric_ + "{";
  if (stat.kind == StatKind::histogram) {
    Metric metric{stat.name, stat.kind, Metric::Source::cells, {stat.index}};
    histogram_lines(metric, stat.scope, out);
    return;
  }
  head(out, stat.kind == StatKind::counter ? "counter" : "gauge");
  line(out, "", "", stat.scope, stat.value);
}

std::string prometheus_text(const StatRegistry& registry, const StatQuery& query) {
  PrometheusText rendering(registry, query);
  std::string out;
  while (rendering.next(out, 1 << 20)) {
  }
  return out;
}

}  // namespace outrider
