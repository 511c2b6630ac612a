#include "http/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/utf8.h"

namespace outrider {
namespace {

void append_escaped(unsigned char byte, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

std::string_view short_escape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      return {};
  }
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t size = utf8_sequence_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void append_json_number(double number, std::string& out) {
  if (!std::isfinite(number)) {  // JSON has no name for it.
    out += "null";
    return;
  }
  char text[32];
  constexpr double kWholeMax = 1e15;
  bool whole = std::trunc(number) == number && std::abs(number) < kWholeMax;
  char* end = whole ? std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(number)).ptr
                    : std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

// Takes one token after the other from the front of the text; each says false where there is none.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  bool done() {
    skip_space();
    return rest_.empty();
  }
  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      auto byte = static_cast<unsigned char>(rest_[0]);
      std::size_t size = utf8_sequence_size(rest_);
      if (byte == '"') return take('"');
      if (byte == '\\') {
        size = escape_size();
      } else if (byte < 0x20) {
        size = 0;
      }
      if (size == 0) return false;
      rest_.remove_prefix(size);
    }
    return false;
  }
  bool key() { return string() && take(':'); }
  // A value that holds no others.
  bool scalar() {
    skip_space();
    for (std::string_view word : {"true", "false", "null"}) {
      if (rest_.starts_with(word)) return rest_.remove_prefix(word.size()), true;
    }
    return rest_.starts_with('"') ? string() : number();
  }

 private:
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
  std::size_t escape_size() const {
    if (rest_.size() < 2) return 0;
    if (rest_[1] != 'u') return std::string_view("\"\\/bfnrt").find(rest_[1]) == std::string_view::npos ? 0 : 2;
    std::string_view digits = rest_.substr(2, 4);
    bool hex = digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    return hex ? 6 : 0;
  }
  bool digits() {
    std::size_t count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    rest_.remove_prefix(count);
    return count > 0;
  }
  bool number() {
    if (rest_.starts_with('-')) rest_.remove_prefix(1);
    if (rest_.starts_with('0')) {
      rest_.remove_prefix(1);
    } else if (!digits()) {
      return false;
    }
    if (rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      if (!digits()) return false;
    }
    if (!rest_.starts_with('e') && !rest_.starts_with('E')) return true;
    rest_.remove_prefix(1);
    if (rest_.starts_with('+') || rest_.starts_with('-')) rest_.remove_prefix(1);
    return digits();
  }

  std::string_view rest_;
};

}  // namespace

bool is_json(std::string_view text) {
  JsonReader reader(text);
  std::string open;  // The brackets that are, and not yet closed: `}` or `]`.
  for (;;) {
    bool closed = true;  // A value has just ended.
    if (reader.take('{')) {
      open += '}';
      if (open.size() > kJsonDepthMax) return false;
      closed = reader.take('}');
      if (closed) open.pop_back();
      if (!closed && !reader.key()) return false;
    } else if (reader.take('[')) {
      open += ']';
      if (open.size() > kJsonDepthMax) return false;
      closed = reader.take(']');
      if (closed) open.pop_back();
    } else if (!reader.scalar()) {
      return false;
    }
    while (closed && !open.empty() && reader.take(open.back())) open.pop_back();
    if (!closed) continue;
    if (open.empty()) return reader.done();
    if (!reader.take(',')) return false;
    if (open.back() == '}' && !reader.key()) return false;
  }
}

namespace {

void append_utf8(unsigned code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Reads a text that is_json() has let pass.
class JsonValues {
 public:
  explicit JsonValues(std::string_view text) : rest_(text) {}

  Value value() {
    switch (next()) {
      case '{':
        return fields();
      case '[':
        return list();
      case '"':
        return string();
      case 't':
        return word(4), Value(true);
      case 'f':
        return word(5), Value(false);
      case 'n':
        return word(4), Value();
      default:
        return number();
    }
  }

 private:
  char next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
    return rest_[0];
  }
  void word(std::size_t size) { rest_.remove_prefix(size); }
  bool closes(char bracket) {
    char c = next();
    if (c == ',' || c == bracket) word(1);
    return c == bracket;
  }
  Value fields() {
    Value::Struct all;
    word(1);
    while (!closes('}')) {
      next();
      std::string name = string();
      next();
      word(1);
      all.insert_or_assign(std::move(name), value());
    }
    return all;
  }
  Value list() {
    Value::List all;
    word(1);
    while (!closes(']')) all.push_back(value());
    return all;
  }
  Value number() {
    double n = 0;
    auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n);
    word(static_cast<std::size_t>(end - rest_.data()));
    return n;
  }
  unsigned code_unit() {
    unsigned unit = 0;
    std::from_chars(rest_.data() + 2, rest_.data() + 6, unit, 16);
    word(6);
    return unit;
  }
  void escape(std::string& out) {
    constexpr std::string_view kNames = "bfnrt", kBytes = "\b\f\n\r\t";
    if (rest_[1] != 'u') {
      std::size_t at = kNames.find(rest_[1]);
      out += at == kNames.npos ? rest_[1] : kBytes[at];
      return word(2);
    }
    unsigned unit = code_unit();
    bool high = unit >= 0xd800 && unit < 0xdc00;
    if (high && rest_.starts_with("\\u")) unit = 0x10000 + ((unit - 0xd800) << 10) + ((code_unit() - 0xdc00) & 0x3ff);
    append_utf8(unit, out);
  }
  std::string string() {
    std::string text;
    for (word(1); rest_[0] != '"';) {
      if (rest_[0] == '\\') {
        escape(text);
      } else {
        text += rest_[0];
        word(1);
      }
    }
    word(1);
    return text;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<Value> parse_json(std::string_view text) {
  return is_json(text) ? std::optional(JsonValues(text).value()) : std::nullopt;
}

void append_json_string(std::string_view text, std::string& out) {
  bool utf8 = is_utf8(text);
  out += '"';
  while (!text.empty()) {
    std::size_t size = utf8 ? utf8_sequence_size(text) : 1;
    auto byte = static_cast<unsigned char>(text[0]);
    if (std::string_view short_form = short_escape(text[0]); !short_form.empty()) {
      out += short_form;
    } else if (byte < 0x20 || (!utf8 && byte >= 0x80)) {
      append_escaped(byte, out);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  out += '"';
}

bool json_needs_no_escape(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c != '"' && c != '\\'; });
}

void append_json(const Value& value, std::string& out) {
  if (const bool* b = value.boolean()) {
    out += *b ? "true" : "false";
  } else if (const double* n = value.number()) {
    append_json_number(*n, out);
  } else if (const std::string* text = value.text()) {
    append_json_string(*text, out);
  } else if (const Value::List* list = value.list()) {
    std::string_view comma;
    out += '[';
    for (const Value& each : *list) {
      out += comma;
      append_json(each, out);
      comma = ",";
    }
    out += ']';
  } else if (const Value::Struct* fields = value.fields()) {
    std::string_view comma;
    out += '{';
    for (const auto& [name, each] : *fields) {
      out += comma;
      append_json_string(name, out);
      out += ':';
      append_json(each, out);
      comma = ",";
    }
    out += '}';
  } else {
    out += "null";
  }
}

}  // namespace outrider
