#include "observe/histogram_text.h"

#include <array>

#include "observe/stat_format.h"

namespace outrider::histogram_text {
namespace {

using Buckets = StatQuery::Buckets;
using Quantiles = std::array<double, kHistogramQuantileCount>;
using Counts = std::vector<std::uint64_t>;
using Bounds = std::span<const double>;
using stat_format::append_general;
using stat_format::append_json;
using stat_format::append_number;
using stat_format::append_plain;

Quantiles quantiles(const HistogramTotals& totals) {
  Quantiles values;
  totals.quantiles(kHistogramQuantiles, values);
  return values;
}

Counts counts(const HistogramTotals& totals, Buckets form, Bounds bounds) {
  Counts values(bounds.size());
  totals.cumulative(bounds, values);
  if (form == Buckets::disjoint && !values.empty()) {
    for (std::size_t i = values.size() - 1; i > 0; i--) values[i] -= values[i - 1];
  }
  return values;
}

constexpr std::string_view kPercents[] = {"P0(",   " P25(", " P50(",   " P75(",   " P90(",
                                          " P95(", " P99(", " P99.5(", " P99.9(", " P100("};
static_assert(std::size(kPercents) == kHistogramQuantileCount);

void summary(std::string& out, const HistogramTotals& interval, const HistogramTotals& cumulative) {
  Quantiles recent = quantiles(interval);
  Quantiles all = quantiles(cumulative);
  for (std::size_t i = 0; i < all.size(); i++) {
    out += kPercents[i];
    append_plain(out, recent[i]);
    out.push_back(',');
    append_plain(out, all[i]);
    out.push_back(')');
  }
}

void append_bounds(std::string& out, Buckets form, Bounds bounds, const HistogramTotals& interval,
                   const HistogramTotals& cumulative) {
  Counts recent = counts(interval, form, bounds);
  Counts all = counts(cumulative, form, bounds);
  for (std::size_t i = 0; i < all.size(); i++) {
    out += i ? " B" : "B";
    append_general(out, bounds[i]);
    out.push_back('(');
    append_number(out, recent[i]);
    out.push_back(',');
    append_number(out, all[i]);
    out.push_back(')');
  }
}

void list(std::string& out, const HistogramTotals& totals) {
  bool first = true;
  for (const HistogramTotals::Bucket& b : totals.buckets) {
    if (!first) out += ", ";
    first = false;
    append_general(out, histogram_bucket::lower(b.index));
    out.push_back(',');
    append_general(out, histogram_bucket::width(b.index));
    out.push_back(':');
    append_number(out, b.count);
  }
}

void json_list(std::string& out, const HistogramTotals& totals) {
  bool first = true;
  out.push_back('[');
  for (const HistogramTotals::Bucket& b : totals.buckets) {
    if (!first) out.push_back(',');
    first = false;
    out += "{\"lower_bound\":";
    append_json(out, histogram_bucket::lower(b.index));
    out += ",\"width\":";
    append_json(out, histogram_bucket::width(b.index));
    out += ",\"count\":";
    append_number(out, b.count);
    out.push_back('}');
  }
  out.push_back(']');
}

void json_quantiles(std::string& out, const HistogramTotals& interval, const HistogramTotals& cumulative) {
  if (cumulative.count == 0) {
    static const std::string nothing = [] {
      std::string text = "[";
      for (std::size_t i = 0; i < kHistogramQuantileCount; i++) {
        text += i ? ",{\"cumulative\":null,\"interval\":null}" : "{\"cumulative\":null,\"interval\":null}";
      }
      return text + "]";
    }();
    out += nothing;
    return;
  }
  Quantiles recent = quantiles(interval);
  Quantiles all = quantiles(cumulative);
  out.push_back('[');
  for (std::size_t i = 0; i < all.size(); i++) {
    out += i ? ",{\"cumulative\":" : "{\"cumulative\":";
    append_json(out, all[i]);
    out += ",\"interval\":";
    append_json(out, recent[i]);
    out.push_back('}');
  }
  out.push_back(']');
}

void json_bounds(std::string& out, Buckets form, Bounds bounds, const HistogramTotals& interval,
                 const HistogramTotals& cumulative) {
  Counts recent = counts(interval, form, bounds);
  Counts all = counts(cumulative, form, bounds);
  out += "\"buckets\":[";
  for (std::size_t i = 0; i < all.size(); i++) {
    out += i ? ",{\"upper_bound\":" : "{\"upper_bound\":";
    append_json(out, bounds[i]);
    out += ",\"interval\":";
    append_number(out, recent[i]);
    out += ",\"cumulative\":";
    append_number(out, all[i]);
    out.push_back('}');
  }
  out.push_back(']');
}

bool by_bounds(Buckets form) { return form == Buckets::cumulative || form == Buckets::disjoint; }

}  // namespace

void text(std::string& out, Buckets form, Bounds bounds, const HistogramTotals& interval,
          const HistogramTotals& cumulative) {
  if (cumulative.count == 0) {
    out += " No recorded values";
    return;
  }
  if (by_bounds(form)) {
    out.push_back(' ');
    append_bounds(out, form, bounds, interval, cumulative);
    return;
  }
  if (form == Buckets::detailed) {
    out += "\n  totals=";
    list(out, cumulative);
    out += "\n  intervals=";
    list(out, interval);
    out += "\n  summary=";
  } else {
    out.push_back(' ');
  }
  summary(out, interval, cumulative);
}

void json_begin(std::string& out, Buckets form) {
  constexpr std::string_view kPercentiles = "[0,25,50,75,90,95,99,99.5,99.9,100]";
  out += "{\"histograms\":";
  if (by_bounds(form)) {
    out.push_back('[');
  } else if (form == Buckets::detailed) {
    out.append("{\"supported_percentiles\":").append(kPercentiles).append(",\"details\":[");
  } else {
    out.append("{\"supported_quantiles\":").append(kPercentiles).append(",\"computed_quantiles\":[");
  }
}

void json(std::string& out, Buckets form, Bounds bounds, const HistogramTotals& interval,
          const HistogramTotals& cumulative) {
  if (by_bounds(form)) {
    json_bounds(out, form, bounds, interval, cumulative);
  } else if (form == Buckets::detailed) {
    out += "\"totals\":";
    json_list(out, cumulative);
    out += ",\"intervals\":";
    json_list(out, interval);
    out += ",\"percentiles\":";
    json_quantiles(out, interval, cumulative);
  } else {
    out += "\"values\":";
    json_quantiles(out, interval, cumulative);
  }
}

void json_end(std::string& out, Buckets form) { out += by_bounds(form) ? "]}" : "]}}"; }

}  // namespace outrider::histogram_text
