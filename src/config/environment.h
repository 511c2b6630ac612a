#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace outrider::config {

// A place in a text: both 1-based, the column in characters (UTF-8 code points), not bytes.
struct Position {
  int line = 1;
  int column = 1;
  auto operator<=>(const Position&) const = default;
};

// The text with its variables put in, and the way back from a place in it to the place in the file.
class Substituted {
 public:
  std::string text;

  Position origin(Position place) const;

 private:
  friend Substituted substitute_environment(std::string_view, const std::string&,
                                            const std::function<std::optional<std::string>(const std::string&)>&,
                                            Problems&);
  struct Edit {
    Position begin, end;                // in `text`
    Position source_begin, source_end;  // in the file
  };
  std::vector<Edit> edits_;  // in order
};

// Replaces variables in the text of a configuration, before anything parses it:
//   ${NAME}            the value of NAME; an error if it is not set
//   ${NAME:-default}   the value of NAME, or what stands there (up to the next `}`) if it is not set or empty
//   $${NAME}           the characters ${NAME}
// NAME is capitals, digits and underscores, not beginning with a digit. Everything else stays as it is, letter by
// letter:
// `$NAME`, `$$`, `$` in a regular expression, `${lower}`, `${a.b}`, `${1}` (a `${lower}` earns a note, since it may
// have been meant as a variable). A variable that is not set is no error inside a YAML comment. A value goes in as it
// is: it may hold YAML. `lookup` is the environment.
Substituted substitute_environment(std::string_view text, const std::string& file,
                                   const std::function<std::optional<std::string>(const std::string&)>& lookup,
                                   Problems& problems);

}  // namespace outrider::config
