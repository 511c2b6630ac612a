#include <fmt/format.h>

#include <string>
#include <utility>

#include "config/reader.h"
#include "core/utf8.h"

namespace outrider::config {
namespace {

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class JsonReader {
 public:
  JsonReader(const Substituted& source, Tree& tree, uint16_t file, Problems& problems)
      : source_(source), text_(source.text), tree_(tree), file_(file), problems_(problems) {}

  Node* document() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    line_start_ = at_;
    if (!skip_blanks()) return nullptr;
    if (at_ == text_.size()) return nullptr;
    Node* root = value(0);
    if (root == nullptr || !skip_blanks()) return nullptr;
    if (at_ != text_.size()) return fail("the configuration has ended, but more text follows");
    return root;
  }

 private:
  Node* value(int depth);
  Node* object(int depth);
  Node* member(Node& object, int depth);
  Node* array(int depth);
  Node* text_value(Mark mark);
  Node* number(Mark mark);
  Node* word(Mark mark);
  bool string(std::string& out);
  bool escape(std::string& out);
  bool hex(uint32_t& code);
  bool skip_blanks();  // and comments; false: a comment does not end

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  Mark here() { return mark_at(at_); }
  // The column is counted on from the last mark, since a whole file may be one line.
  Mark mark_at(size_t offset) {
    if (counted_ < line_start_ || counted_ > offset) {
      counted_ = line_start_;
      column_ = 1;
    }
    for (; counted_ < offset && counted_ < text_.size(); ++counted_) column_ += (text_[counted_] & 0xC0) != 0x80;
    const Position place = source_.origin({line_, column_});
    return {static_cast<uint32_t>(place.line), static_cast<uint32_t>(place.column), file_};
  }
  Node* fail(std::string message, std::string hint = {}) {
    problems_.add(tree_.problem(here(), "", std::move(message), std::move(hint)));
    return nullptr;
  }
  std::string found() const {
    if (at_ >= text_.size()) return "the end of the file";
    const unsigned char c = text_[at_];
    return c >= 0x20 && c < 0x7F ? fmt::format("`{}`", text_[at_]) : fmt::format("byte 0x{:02x}", c);
  }

  const Substituted& source_;
  const std::string_view text_;
  Tree& tree_;
  const uint16_t file_;
  Problems& problems_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
  size_t counted_ = 0;  // where column_ is
  int column_ = 1;
};

bool JsonReader::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\n') {
      ++line_;
      line_start_ = ++at_;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (text_.substr(at_, 2) == "//") {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (text_.substr(at_, 2) == "/*") {
      const size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) return fail("this comment does not end") != nullptr;
      for (; at_ < end + 2; ++at_) {
        if (text_[at_] != '\n') continue;
        ++line_;
        line_start_ = at_ + 1;
      }
    } else {
      return true;
    }
  }
  return true;
}

Node* JsonReader::value(int depth) {
  if (depth > kDepthMax) return fail(fmt::format("nested deeper than {} levels", kDepthMax));
  if (tree_.nodes() > kNodesMax) return fail(fmt::format("more than {} values", kNodesMax));
  const char c = peek();
  if (c == '{') return object(depth);
  if (c == '[') return array(depth);
  if (c == '"') return text_value(here());
  if (c == '-' || is_digit(c)) return number(here());
  return word(here());
}

Node* JsonReader::object(int depth) {
  Node* out = tree_.make(Kind::mapping, here());
  ++at_;
  if (!skip_blanks()) return nullptr;
  while (peek() != '}') {
    if (member(*out, depth) == nullptr || !skip_blanks()) return nullptr;
    if (peek() == '}') break;
    if (peek() != ',') return fail(fmt::format("`,` or `}}` was expected, but here is {}", found()));
    ++at_;
    if (!skip_blanks()) return nullptr;
    if (peek() == '}') return fail("a `,` stands before this `}`, but nothing follows it");
  }
  ++at_;
  refuse_duplicate_keys(*out, tree_, problems_);
  return out;
}

Node* JsonReader::member(Node& object, int depth) {
  if (peek() != '"') return fail(fmt::format("a key in double quotes was expected, but here is {}", found()));
  const Mark mark = here();
  std::string key;
  if (!string(key) || !skip_blanks()) return nullptr;
  if (peek() != ':') return fail(fmt::format("`:` was expected after the key, but here is {}", found()));
  ++at_;
  if (!skip_blanks()) return nullptr;
  Node* child = value(depth + 1);
  if (child == nullptr) return nullptr;
  child->has_key = true;
  child->key_line = mark.line;
  child->key_column = mark.column;
  tree_.set(object, tree_.keep(key), *child);
  return child;
}

Node* JsonReader::array(int depth) {
  Node* out = tree_.make(Kind::sequence, here());
  ++at_;
  if (!skip_blanks()) return nullptr;
  while (peek() != ']') {
    Node* item = value(depth + 1);
    if (item == nullptr || !skip_blanks()) return nullptr;
    tree_.append(*out, *item);
    if (peek() == ']') break;
    if (peek() != ',') return fail(fmt::format("`,` or `]` was expected, but here is {}", found()));
    ++at_;
    if (!skip_blanks()) return nullptr;
    if (peek() == ']') return fail("a `,` stands before this `]`, but nothing follows it");
  }
  ++at_;
  return out;
}

Node* JsonReader::text_value(Mark mark) {
  std::string text;
  if (!string(text)) return nullptr;
  return tree_.make_scalar(text, false, mark);
}

Node* JsonReader::number(Mark mark) {
  const size_t begin = at_;
  if (peek() == '-') ++at_;
  while (is_digit(peek()) || peek() == '.' || peek() == 'e' || peek() == 'E' || peek() == '+' || peek() == '-') ++at_;
  return tree_.make_scalar(text_.substr(begin, at_ - begin), true, mark);
}

Node* JsonReader::word(Mark mark) {
  for (const std::string_view known : {"true", "false"}) {
    if (!text_.substr(at_).starts_with(known)) continue;
    at_ += known.size();
    return tree_.make_scalar(known, true, mark);
  }
  if (text_.substr(at_).starts_with("null")) {
    at_ += 4;
    return tree_.make(Kind::null, mark);
  }
  return fail(fmt::format("a value was expected, but here is {}", found()), "text stands in double quotes");
}

bool JsonReader::string(std::string& out) {
  ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return fail("this text does not end in its line") != nullptr;
    if (c == '\\') {
      if (!escape(out)) return false;
    } else {
      const size_t size = utf8_sequence_size(text_.substr(at_));
      if (size == 0) return fail(fmt::format("{} is not UTF-8", found())) != nullptr;
      out += text_.substr(at_, size);
      at_ += size;
    }
  }
  return fail("this text does not end") != nullptr;
}

bool JsonReader::hex(uint32_t& code) {
  code = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = peek();
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return fail("\\u needs four hexadecimal digits") != nullptr;
    code = code << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

bool JsonReader::escape(std::string& out) {
  constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
  ++at_;
  const char c = peek();
  if (c == 'u') {
    ++at_;
    uint32_t code = 0, low = 0;
    if (!hex(code)) return false;
    if (code >= 0xD800 && code < 0xE000) {
      const bool is_pair = code < 0xDC00 && text_.substr(at_, 2) == "\\u";
      if (is_pair) at_ += 2;
      if (!is_pair || !hex(low) || low < 0xDC00 || low >= 0xE000) return fail("half of a surrogate pair") != nullptr;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
    return true;
  }
  const size_t which = c == '\0' ? std::string_view::npos : kFrom.find(c);
  if (which == std::string_view::npos) return fail(fmt::format("\\{} is no escape of JSON", c)) != nullptr;
  out += kTo[which];
  ++at_;
  return true;
}

}  // namespace

Node* read_json(const Substituted& source, Tree& tree, uint16_t file, Problems& problems) {
  return JsonReader(source, tree, file, problems).document();
}

}  // namespace outrider::config
