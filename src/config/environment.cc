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

// Whether a place lies in a YAML comment: behind a `#` at the start of its line or after a blank, outside quotes. Asked
// in ascending order: each byte is looked at once.
class Comments {
 public:
  explicit Comments(std::string_view text) : text_(text) {}

  bool hold(size_t place) {
    for (; at_ < place; ++at_) take(text_[at_]);
    return inside_;
  }

 private:
  void take(char c) {
    if (c == '\n') {
      quote_ = 0;
      inside_ = false;
    } else if (inside_) {
      return;
    } else if (quote_ != 0) {
      if (c == quote_) quote_ = 0;
    } else if (c == '"' || c == '\'') {
      quote_ = c;
    } else if (c == '#') {
      inside_ = at_ == 0 || text_[at_ - 1] == ' ' || text_[at_ - 1] == '\t' || text_[at_ - 1] == '\n';
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  char quote_ = 0;
  bool inside_ = false;
};

// `${NAME}` or `${NAME:-default}`. Views into the text.
struct Reference {
  std::string_view name;
  std::optional<std::string_view> fallback;
  size_t size = 0;  // of the whole reference; 0: not one
};

// Finds what references begin at ascending places.
class References {
 public:
  explicit References(std::string_view text) : text_(text) {}

  // `at`: where `${` stands.
  Reference read(size_t at) {
    const size_t begin = at + 2;
    size_t end = begin;
    while (end < text_.size() && in_name(text_[end], end > begin)) ++end;
    const std::string_view name = text_.substr(begin, end - begin), behind = text_.substr(end);
    if (name.empty()) return {};
    if (behind.starts_with('}')) return {name, std::nullopt, name.size() + 3};
    if (!behind.starts_with(":-")) return {};
    const size_t close = closing(end + 2);
    if (close == std::string_view::npos || text_[close] != '}') return {};
    return {name, text_.substr(end + 2, close - end - 2), close + 1 - at};
  }

 private:
  static bool in_name(char one, bool digits_too) {
    return one == '_' || (one >= 'A' && one <= 'Z') || (one >= 'a' && one <= 'z') ||
           (digits_too && one >= '0' && one <= '9');
  }
  // The first `}` or end of a line from there on; looked for once.
  size_t closing(size_t from) {
    if (closing_ < from) closing_ = text_.find_first_of("}\n", from);
    return closing_;
  }

  std::string_view text_;
  size_t closing_ = 0;
};

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
  Comments comments(text);
  References references(text);
  Position here, source;  // in out.text, in text
  size_t done = 0;        // what stands before is in out.text
  size_t placed = 0;      // where `source` is
  const auto place_source = [&](size_t at) {
    move_over(source, text.substr(placed, at - placed));
    placed = at;
  };
  for (size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at)) {
    const Reference reference = references.read(at);
    const bool escaped = at > done && text[at - 1] == '$';
    if (reference.size == 0 || !is_capital_name(reference.name)) {
      if (reference.size > 0 && !escaped && !comments.hold(at)) {
        place_source(at);
        problems.add(
            {.file = file,
             .line = source.line,
             .column = source.column,
             .message = fmt::format("${{{}}} is left as it is: only names in capitals are variables", reference.name),
             .fatal = false});
      }
      at += 2;
      continue;
    }
    const size_t plain_end = escaped ? at - 1 : at;
    const std::string_view plain = text.substr(done, plain_end - done), itself = text.substr(at, reference.size);
    move_over(here, plain);
    place_source(plain_end);
    out.text += plain;

    const std::string name(reference.name);
    std::string value(itself);
    auto found = escaped ? std::nullopt : lookup(name);
    if (found && !(found->empty() && reference.fallback)) {
      value = std::move(*found);
    } else if (!escaped && reference.fallback) {
      value = *reference.fallback;
    } else if (!escaped && !comments.hold(at)) {
      problems.add({.file = file,
                    .line = source.line,
                    .column = source.column,
                    .message = fmt::format("the environment variable {} is not set", name),
                    .hint = fmt::format("${{{}:-default}} gives a default, $${{{}}} is the text itself", name, name)});
    }
    Substituted::Edit edit{here, here, source, source};
    out.text += value;
    move_over(here, value);
    place_source(at + reference.size);
    edit.end = here;
    edit.source_end = source;
    out.edits_.push_back(edit);
    done = at = at + reference.size;
  }
  out.text += text.substr(done);
  return out;
}

}  // namespace outrider::config
