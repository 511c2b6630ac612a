#include "observe/statsd.h"

#include <charconv>
#include <memory>

namespace outrider {
namespace {

void append_number(std::uint64_t number, std::string& out) {
  char text[20];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

// "envoy_cluster_name" as "envoy.cluster_name".
void append_label(std::string_view label, std::string& out) {
  constexpr std::string_view kPrefix = "envoy_";
  if (label.starts_with(kPrefix)) {
    out += "envoy.";
    label.remove_prefix(kPrefix.size());
  }
  out += label;
}

// The status at the end of "upstream_rq_200"; empty: there is none.
std::string_view status_of(std::string_view name) {
  constexpr std::size_t kDigits = 3;
  if (name.size() <= kDigits || !name.substr(0, name.size() - kDigits).ends_with("_rq_")) return {};
  std::string_view end = name.substr(name.size() - kDigits);
  return end.find_first_not_of("0123456789") == end.npos ? end : std::string_view();
}

struct Tagged {
  std::string name;
  std::vector<StatTag> tags;
};

Tagged tagged(const StatSample& sample, const StatsOptions& options) {
  TaggedName scope = tags_of(sample.scope, options);
  Tagged out{std::move(scope.name), {}};
  if (out.name.ends_with(".worker.")) out.name.back() = '_';
  std::string name = sample.name;
  char digit;
  if (response_class_of(name, digit)) {
    out.tags.push_back({kResponseCodeClassLabel, std::string(1, digit)});
    name.erase(name.size() - 3, 1);
  } else if (std::string_view status = status_of(name); !status.empty()) {
    out.tags.push_back({kResponseCodeLabel, std::string(status)});
    name.resize(name.size() - status.size() - 1);
  }
  for (StatTag& tag : scope.tags) out.tags.push_back(std::move(tag));
  out.name += name;
  return out;
}

void append_value(const StatSample& sample, std::string& out) {
  out += ':';
  append_number(sample.value, out);
  out += sample.kind == StatKind::counter ? "|c" : sample.kind == StatKind::gauge ? "|g" : "|ms";
  if (sample.times <= 1) return;
  char text[32];
  out += "|@";
  out.append(text, std::to_chars(text, text + sizeof text, 1.0 / static_cast<double>(sample.times)).ptr);
}

// The value that stands for all in a bucket.
std::uint64_t middle_of(std::size_t index) {
  return static_cast<std::uint64_t>(histogram_bucket::lower(index) + histogram_bucket::width(index) / 2);
}

}  // namespace

void append_statsd(const StatSample& sample, const StatsOptions& options, StatsdTags tags, std::string_view prefix,
                   std::string& out) {
  out.append(prefix).append(".");
  if (tags == StatsdTags::none) {
    out.append(sample.scope).append(sample.name);
    append_value(sample, out);
    return;
  }
  Tagged t = tagged(sample, options);
  bool graphite = tags == StatsdTags::graphite;
  out += t.name;
  if (!graphite) append_value(sample, out);
  std::string_view before = graphite ? ";" : "|#";
  for (const StatTag& tag : t.tags) {
    out += before;
    append_label(tag.label, out);
    out.append(graphite ? "=" : ":").append(tag.value);
    before = graphite ? ";" : ",";
  }
  if (graphite) append_value(sample, out);
}

std::uint64_t StatSampler::change(const std::string& name, std::uint64_t value) {
  std::uint64_t& last = last_[name];
  std::uint64_t change = value >= last ? value - last : value;  // Somebody has set it back.
  last = value;
  return change;
}

void StatSampler::take_numbers(const StatScope& scope, std::vector<StatSample>& into) {
  const auto definitions = scope.table().definitions;
  std::vector<std::uint64_t> values(definitions.size());
  auto written = std::make_unique<bool[]>(definitions.size());
  scope.read(values, {written.get(), definitions.size()});
  for (std::size_t i = 0; i < definitions.size(); i++) {
    if (!written[i] || definitions[i].kind == StatKind::histogram) continue;
    StatSample sample{scope.name(), std::string(definitions[i].name), definitions[i].kind, values[i]};
    if (sample.kind == StatKind::counter) sample.value = change(sample.scope + sample.name, sample.value);
    into.push_back(std::move(sample));
  }
  std::string prefix(scope.table().code_prefix);
  if (prefix.empty()) return;
  std::uint64_t classes[5] = {}, all = 0;
  auto add = [&](std::string name, std::uint64_t value) {
    std::uint64_t since = change(scope.name() + name, value);
    into.push_back({scope.name(), std::move(name), StatKind::counter, since});
  };
  for (const CodeCount& code : scope.codes()) {
    classes[code.status / 100 - 1] += code.count;
    all += code.count;
    add(prefix + std::to_string(code.status), code.count);
  }
  for (std::size_t i = 0; i < std::size(classes); i++) {
    if (classes[i] > 0) add(prefix + std::to_string(i + 1) + "xx", classes[i]);
  }
  if (all > 0) add(prefix + "completed", all);
}

void StatSampler::take_histograms(const StatScope& scope, std::vector<StatSample>& into) {
  const auto definitions = scope.table().definitions;
  for (std::size_t i = 0; i < definitions.size(); i++) {
    if (definitions[i].kind != StatKind::histogram) continue;
    HistogramTotals totals;
    scope.interval(i, totals);
    for (const auto& bucket : totals.buckets) {
      into.push_back(
          {scope.name(), std::string(definitions[i].name), StatKind::histogram, middle_of(bucket.index), bucket.count});
    }
  }
}

std::vector<StatSample> StatSampler::take(const StatRegistry& registry) {
  std::vector<StatSample> samples;
  for (const auto& scope : registry.all()) {
    if (!scope->used()) continue;
    take_numbers(*scope, samples);
    take_histograms(*scope, samples);
  }
  if (const auto& exists = stats_options().exists) {
    std::erase_if(samples, [&](const StatSample& s) { return !exists(s.scope + s.name); });
  }
  return samples;
}

}  // namespace outrider
