#include <filesystem>
#include <fstream>

#include "config/compile_format.h"

namespace outrider::config {
namespace {

constexpr int kLinesMax = 1000;  // That a text of a configuration is looked for on.
constexpr std::size_t kTokenBytesMax = 80;

std::size_t count_before(std::string_view text, std::size_t position, std::string_view token) {
  std::size_t count = 0;
  for (std::size_t at = text.find(token); at < position; at = text.find(token, at + 1)) count++;
  return count;
}

// The byte of the character, counted from 1.
std::size_t byte_of(std::string_view line, int column) {
  std::size_t at = 0;
  for (int i = 1; i < column && at < line.size(); i++) {
    do at++;
    while (at < line.size() && (line[at] & 0xc0) == 0x80);
  }
  return at;
}

int column_of(std::string_view line, std::size_t byte) {
  int column = 1;
  for (std::size_t i = 0; i < byte; i++) column += (line[i] & 0xc0) != 0x80;
  return column;
}

}  // namespace

void place_within(Problem& problem, std::string_view text, std::size_t position) {
  std::string_view token = text.substr(position, kTokenBytesMax);
  std::size_t end = token.find_first_of("%\n", 1);
  if (end != token.npos) token = token.substr(0, token[end] == '%' ? end + 1 : end);
  if (token.size() < 2 || problem.line == 0) return;
  std::size_t left = count_before(text, position, token);
  if (std::error_code error; !std::filesystem::is_regular_file(problem.file, error)) return;  // A pipe is read once.
  std::ifstream file(problem.file);
  std::string line;
  for (int number = 1; number < problem.line + kLinesMax && std::getline(file, line); number++) {
    if (number < problem.line) continue;
    std::size_t at = line.find(token, number == problem.line ? byte_of(line, problem.column) : 0);
    for (; at != line.npos; at = line.find(token, at + 1)) {
      if (left-- > 0) continue;
      problem.line = number;
      problem.column = column_of(line, at);
      return;
    }
  }
}

}  // namespace outrider::config
