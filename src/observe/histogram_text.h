// A histogram's values as Envoy's `/stats` shows them.
#pragma once
#include <string>

#include "observe/histogram.h"
#include "observe/stat_query.h"

namespace outrider::histogram_text {

// What stands behind "name:", with its space or line break. `bounds` are those of its buckets.
void text(std::string& out, StatQuery::Buckets form, std::span<const double> bounds, const HistogramTotals& interval,
          const HistogramTotals& cumulative);

// Around and within the JSON object of all histograms; json() writes the members that follow "name".
void json_begin(std::string& out, StatQuery::Buckets form);
void json(std::string& out, StatQuery::Buckets form, std::span<const double> bounds, const HistogramTotals& interval,
          const HistogramTotals& cumulative);
void json_end(std::string& out, StatQuery::Buckets form);

}  // namespace outrider::histogram_text
