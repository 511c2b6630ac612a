#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outrider::config {

// Something that a user should know about a place in a configuration.
struct Problem {
  std::string file = {};
  int line = 0;                // 1-based; 0: nowhere in particular
  int column = 0;              // 1-based, in characters
  std::string path = {};       // `static_resources.clusters[0].lb_policy`; empty: the file as a whole
  std::string message = {};    // what is wrong and what was expected
  std::string hint = {};       // the nearest known name, or what to write instead; may be empty
  bool fatal = true;           // false: a note, the configuration stands
  bool unknown_field = false;  // a field that the API does not have
};

// "file:line:column: path: message (hint)", leaving out what is not known; "note: " before the message of a note.
std::string to_text(const Problem& problem);
// A line for each.
std::string to_text(const std::vector<Problem>& problems);

// The problems of one load, in the order in which they were found. Past kProblemsMax they are only counted.
class Problems {
 public:
  static constexpr size_t kProblemsMax = 100;

  void add(Problem problem);
  const std::vector<Problem>& list() const { return list_; }
  // Whatever else is added will not be shown: no need to think of good advice.
  bool full() const { return list_.size() >= kProblemsMax; }
  bool any_fatal() const { return fatal_ > 0; }
  size_t fatal() const { return fatal_; }
  // Ordered by file, line and column; the last one says how many were left out, if any were.
  std::vector<Problem> take();

 private:
  std::vector<Problem> list_;
  size_t fatal_ = 0;
  size_t left_out_ = 0;
};

}  // namespace outrider::config
