#include "wire/h1_name_case.h"

#include <algorithm>

namespace outrider::h1 {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_word(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

void capitalize_names(char* begin, char* end) {
  for (char* line = std::find(begin, end, '\n'); line != end; line = std::find(line, end, '\n')) {
    bool starts_word = true;
    for (line++; line != end && *line != ':' && *line != '\r'; line++) {
      if (starts_word && is_lower(*line)) *line = static_cast<char>(*line - 'a' + 'A');
      starts_word = !is_word(*line);
    }
  }
}

}  // namespace outrider::h1
