#include "observe/statsd.h"

#include <charconv>
#include <memory>

#include "observe/code_counters.h"

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
  TaggedName t = tags_of(sample.scope, sample.name, options);
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
  std::vector<NamedCount> codes;
  append_code_counters(prefix, scope.codes(), codes);
  for (NamedCount& code : codes) {
    std::uint64_t since = change(scope.name() + code.name, code.value);
    into.push_back({scope.name(), std::move(code.name), StatKind::counter, since});
  }
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
