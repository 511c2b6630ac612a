#include "config/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/utf8.h"

namespace outrider::config {

namespace {

// What is not UTF-8, from a file that is not, becomes U+FFFD.
std::string valid_utf8(std::string text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_sequence_size(std::string_view(text).substr(at));
    if (size > 0) {
      out.append(text, at, size);
    } else {
      out += "\xef\xbf\xbd";
    }
    at += std::max<std::size_t>(size, 1);
  }
  return out;
}

}  // namespace

std::string to_text(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& each : problems) text.append(text.empty() ? "" : "\n") += to_text(each);
  return text;
}

std::string to_text(const Problem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) {
    if (!out.empty()) out += ':';
    out += fmt::format("{}:{}", problem.line, problem.column);
  }
  if (!problem.path.empty()) out += (out.empty() ? "" : ": ") + problem.path;
  if (!out.empty()) out += ": ";
  if (!problem.fatal) out += "note: ";
  out += problem.message;
  if (!problem.hint.empty()) out += fmt::format(" ({})", problem.hint);
  return valid_utf8(std::move(out));
}

void Problems::add(Problem problem) {
  if (problem.fatal) ++fatal_;
  if (list_.size() >= kProblemsMax) {
    ++left_out_;
    return;
  }
  list_.push_back(std::move(problem));
}

std::vector<Problem> Problems::take() {
  std::vector<size_t> order(list_.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<Problem> out;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(list_[a].file, list_[a].line, list_[a].column, a) <
           std::tie(list_[b].file, list_[b].line, list_[b].column, b);
  });
  for (const size_t i : order) out.push_back(std::move(list_[i]));
  list_.clear();
  if (left_out_ > 0) {
    out.push_back({.message = fmt::format("{} more not shown", left_out_), .fatal = fatal_ > 0});
    left_out_ = 0;
  }
  fatal_ = 0;
  return out;
}

}  // namespace outrider::config
