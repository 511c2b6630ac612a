#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/problem.h"

namespace outrider::config {

// Something that is right and yet can hardly be meant.
struct Finding {
  std::string_view check;  // its name: `unused-cluster`
  Problem problem;         // where, and why
};

// What there is to find in a configuration of any dialect, ordered by file and line. It need not be built. The error is
// every mistake of a file that is not right.
std::expected<std::vector<Finding>, std::vector<Problem>> lint(const Source& source);
std::expected<std::vector<Finding>, std::vector<Problem>> lint_text(const Schema& schema, std::string_view name,
                                                                    std::string text, const Source& source = {});

// The names of all checks, each with one line about it.
struct CheckName {
  std::string_view name, about;
};
std::vector<CheckName> lint_checks();

}  // namespace outrider::config
