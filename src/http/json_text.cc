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
