// What the parameters of `/stats` and `/stats/prometheus` select.
#pragma once
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "observe/counters.h"

namespace re2 {
class RE2;
}

namespace outrider {

struct QueryParameter {
  std::string_view name;
  std::string_view value;  // Already decoded.
};

struct StatQuery {
  enum class Type : std::uint8_t { all, counters, gauges, histograms, text_readouts };
  enum class Buckets : std::uint8_t { unset, cumulative, disjoint, detailed, summary, prometheus_native };
  enum class Format : std::uint8_t { text, json, prometheus, html, active_html };

  std::shared_ptr<const re2::RE2> filter;  // Null: everything.
  bool inverted = false;                   // What matches the filter is left out, and all else stays.
  bool used_only = false;
  bool hidden_only = false;  // No statistic is hidden: nothing at all.
  Type type = Type::all;
  Buckets buckets = Buckets::unset;
  Format format = Format::text;

  // Unknown parameters are ignored; a wrong value of a known one is an error, in Envoy's words, for a 400.
  static std::expected<StatQuery, std::string> parse(std::span<const QueryParameter> parameters);

  bool wants(StatKind kind) const;
  bool matches(std::string_view name) const;
};

// Envoy's default bounds of histogram buckets; milliseconds for times.
inline constexpr double kHistogramBounds[] = {0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
                                              2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
inline constexpr std::size_t kHistogramBoundCount = std::size(kHistogramBounds);
inline constexpr double kHistogramQuantiles[] = {0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1};
inline constexpr std::size_t kHistogramQuantileCount = std::size(kHistogramQuantiles);

}  // namespace outrider
