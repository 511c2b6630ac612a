#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/load.h"
#include "config/problem.h"

namespace outrider::config {

enum class Form : uint8_t { yaml, json };

struct Converted {
  std::string text;            // v3, as Envoy 1.40 reads it
  std::vector<Problem> notes;  // what is said otherwise now, or has no successor
  Dialect dialect = Dialect::v3;
};

// A configuration of any dialect as v3, whatever outrider has built of it. On failure every error that was found.
std::expected<Converted, std::vector<Problem>> convert(const Source& source, Form form);
std::expected<Converted, std::vector<Problem>> convert_text(const Schema& schema, std::string_view name,
                                                            std::string text, const Source& source, Form form);

}  // namespace outrider::config
