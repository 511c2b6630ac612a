// Names and labels as Prometheus' text format takes them.
#pragma once
#include <string>
#include <string_view>

namespace outrider::prometheus {

// With an underscore for each byte that no name of a metric or label may have.
void append_metric_name(std::string& out, std::string_view name);

// label="value", behind a comma if labels stand there already.
void append_label(std::string& labels, std::string_view label, std::string_view value);

}  // namespace outrider::prometheus
