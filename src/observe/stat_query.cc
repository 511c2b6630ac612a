#include "observe/stat_query.h"

#include <re2/re2.h>

namespace outrider {
namespace {

using Error = std::unexpected<std::string>;
constexpr std::string_view kFormatUsage = "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n";
constexpr std::string_view kBucketsUsage =
    "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n";
constexpr std::string_view kHiddenUsage = "usage: /stats?hidden=(include|only|exclude)\n\n";
constexpr std::string_view kTypeUsage = "invalid &type= param";

std::expected<void, std::string> set_format(StatQuery& query, std::string_view value) {
  using Format = StatQuery::Format;
  if (value == "json") {
    query.format = Format::json;
  } else if (value == "prometheus") {
    query.format = Format::prometheus;
  } else if (value == "html") {
    query.format = Format::html;
  } else if (value == "active-html") {
    query.format = Format::active_html;
  } else if (value == "text") {
    query.format = Format::text;
  } else {
    return Error(kFormatUsage);
  }
  return {};
}

std::expected<void, std::string> set_type(StatQuery& query, std::string_view value) {
  using Type = StatQuery::Type;
  static constexpr std::pair<std::string_view, Type> kTypes[] = {{"All", Type::all},
                                                                 {"Counters", Type::counters},
                                                                 {"Gauges", Type::gauges},
                                                                 {"Histograms", Type::histograms},
                                                                 {"TextReadouts", Type::text_readouts}};
  for (const auto& [name, type] : kTypes) {
    if (name != value) continue;
    query.type = type;
    return {};
  }
  return Error(kTypeUsage);
}

std::expected<void, std::string> set_buckets(StatQuery& query, std::string_view value) {
  using Buckets = StatQuery::Buckets;
  static constexpr std::pair<std::string_view, Buckets> kBuckets[] = {{"cumulative", Buckets::cumulative},
                                                                      {"disjoint", Buckets::disjoint},
                                                                      {"detailed", Buckets::detailed},
                                                                      {"summary", Buckets::summary},
                                                                      {"none", Buckets::unset},
                                                                      {"prometheusnative", Buckets::prometheus_native}};
  for (const auto& [name, buckets] : kBuckets) {
    if (name != value) continue;
    query.buckets = buckets;
    return {};
  }
  return Error(kBucketsUsage);
}

std::expected<void, std::string> set_filter(StatQuery& query, std::string_view value) {
  if (value.empty()) return {};
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto filter = std::make_shared<re2::RE2>(re2::StringPiece(value.data(), value.size()), options);
  if (!filter->ok()) return Error("Invalid re2 regex: " + filter->error());
  query.filter = std::move(filter);
  return {};
}

}  // namespace

std::expected<StatQuery, std::string> StatQuery::parse(std::span<const QueryParameter> parameters) {
  StatQuery query;
  for (const QueryParameter& p : parameters) {
    std::expected<void, std::string> done;
    if (p.name == "usedonly") {
      query.used_only = true;
    } else if (p.name == "invert_filter") {
      query.inverted = true;
    } else if (p.name == "hidden") {
      if (!p.value.empty() && p.value != "include" && p.value != "exclude" && p.value != "only") {
        return Error(std::string(kHiddenUsage));
      }
      query.hidden_only = p.value == "only";
    } else if (p.name == "filter") {
      done = set_filter(query, p.value);
    } else if (p.name == "format") {
      done = set_format(query, p.value);
    } else if (p.name == "type") {
      done = set_type(query, p.value);
    } else if (p.name == "histogram_buckets") {
      done = set_buckets(query, p.value);
    }
    if (!done) return Error(std::move(done.error()));
  }
  if (query.inverted && !query.filter) return Error("invert_filter can only be used if filter is also provided");
  return query;
}

bool StatQuery::wants(StatKind kind) const {
  if (hidden_only) return false;
  switch (type) {
    case Type::all:
      return true;
    case Type::counters:
      return kind == StatKind::counter;
    case Type::gauges:
      return kind == StatKind::gauge;
    case Type::histograms:
      return kind == StatKind::histogram;
    case Type::text_readouts:
      return false;
  }
  return true;
}

bool StatQuery::matches(std::string_view name) const {
  return !filter || re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *filter) != inverted;
}

}  // namespace outrider
