#include "config/environment.h"

#include <fmt/format.h>

#include <algorithm>

namespace outrider::config {
namespace {

bool is_capital_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return c == '_' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

bool is_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

void move_over(Position& place, std::string_view over) {
  for (const char c : over) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((c & 0xC0) != 0x80) {
      ++place.column;
    }
  }
}

// Whether what stands before on the same line opens a YAML comment: a `#` at its start or after a blank, outside
// quotes.
bool in_comment(std::string_view before) {
  const size_t start = before.rfind('\n');
  const std::string_view line = start == std::string_view::npos ? before : before.substr(start + 1);
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quote != 0) {
      if (line[i] == quote) quote = 0;
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
      return true;
    }
  }
  return false;
}

// `${NAME}` or `${NAME:-default}` at the start of a text.
struct Reference {
  std::string name;
  std::optional<std::string> fallback;
  size_t size = 0;  // of the whole reference; 0: not one
};

Reference read_reference(std::string_view text) {
  const size_t end = text.find_first_of("}\n");
  if (end == std::string_view::npos || text[end] != '}') return {};
  const std::string_view inside = text.substr(2, end - 2);
  const size_t sign = inside.find(":-");
  Reference out{.name = std::string(inside.substr(0, sign)), .fallback = std::nullopt, .size = end + 1};
  if (sign != std::string_view::npos) out.fallback = std::string(inside.substr(sign + 2));
  return is_name(out.name) ? out : Reference{};
}

}  // namespace

Position Substituted::origin(Position place) const {
  const auto after =
      std::partition_point(edits_.begin(), edits_.end(), [&](const Edit& e) { return e.begin <= place; });
  if (after == edits_.begin()) return place;
  const Edit& edit = *(after - 1);
  if (place < edit.end) return edit.source_begin;
  if (place.line == edit.end.line) {
    return {edit.source_end.line, edit.source_end.column + place.column - edit.end.column};
  }
  return {edit.source_end.line + place.line - edit.end.line, place.column};
}

Substituted substitute_environment(std::string_view text, const std::string& file,
                                   const std::function<std::optional<std::string>(const std::string&)>& lookup,
                                   Problems& problems) {
  Substituted out;
  out.text.reserve(text.size());
  Position here, source;  // in out.text, in text
  size_t done = 0;
  for (size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at)) {
    const Reference reference = read_reference(text.substr(at));
    const bool escaped = at > done && text[at - 1] == '$';
    if (reference.size == 0 || !is_capital_name(reference.name)) {
      if (reference.size > 0 && !escaped && !in_comment(text.substr(0, at))) {
        Position place = source;
        move_over(place, text.substr(done, at - done));
        problems.add(
            {.file = file,
             .line = place.line,
             .column = place.column,
             .message = fmt::format("${{{}}} is left as it is: only names in capitals are variables", reference.name),
             .fatal = false});
      }
      at += 2;
      continue;
    }
    const size_t plain_end = escaped ? at - 1 : at;
    const std::string_view plain = text.substr(done, plain_end - done);
    move_over(here, plain);
    move_over(source, plain);
    out.text += plain;

    std::string value;
    if (escaped) {
      value = std::string(text.substr(at, reference.size));
    } else if (auto found = lookup(reference.name); found && !(found->empty() && reference.fallback)) {
      value = std::move(*found);
    } else if (reference.fallback) {
      value = *reference.fallback;
    } else if (in_comment(text.substr(0, at))) {
      value = std::string(text.substr(at, reference.size));
    } else {
      problems.add({.file = file,
                    .line = source.line,
                    .column = source.column,
                    .message = fmt::format("the environment variable {} is not set", reference.name),
                    .hint = fmt::format("${{{}:-default}} gives a default, $${{{}}} is the text itself", reference.name,
                                        reference.name)});
      value = std::string(text.substr(at, reference.size));
    }
    Substituted::Edit edit{here, here, source, source};
    out.text += value;
    move_over(here, value);
    move_over(source, text.substr(plain_end, at + reference.size - plain_end));
    edit.end = here;
    edit.source_end = source;
    out.edits_.push_back(edit);
    done = at = at + reference.size;
  }
  out.text += text.substr(done);
  return out;
}

}  // namespace outrider::config
