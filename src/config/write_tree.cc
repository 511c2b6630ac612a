#include "config/write_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace outrider::config {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What YAML 1.1 reads as something else than a text.
bool is_reserved(std::string_view text) {
  constexpr std::array<std::string_view, 12> kWords = {"true", "false", "yes", "no",  "on",  "off",
                                                       "null", "y",     "n",   "nan", "inf", "infinity"};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return std::ranges::find(kWords, lower) != kWords.end();
}

// Whether a text may stand without quotes. Fewer than YAML allows, but no reader doubts these.
bool is_simple(std::string_view text) {
  if (text.empty() || !(is_letter(text[0]) || text[0] == '/' || text[0] == '_')) return false;
  if (text.back() == ':' || is_reserved(text)) return false;
  return std::ranges::all_of(
      text, [](char c) { return is_letter(c) || is_digit(c) || std::string_view("_./-:@+").contains(c); });
}

// JSON, which YAML's double quotes read too.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Whether a text of several lines may stand as a `|` block: no line begins or ends with a blank that could get lost.
bool is_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text[0] == ' ' || text[0] == '\n' || text.ends_with("\n\n")) {
    return false;
  }
  return std::ranges::all_of(text,
                             [](char c) { return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

class YamlWriter {
 public:
  std::string out;

  // Behind a key or a dash; `depth` is that of what is below it.
  void value(const Node& node, int depth) {
    switch (node.kind) {
      case Kind::null:
        out += " null\n";
        return;
      case Kind::scalar:
        return scalar(node, depth);
      case Kind::sequence:
        if (node.first == nullptr) return empty("[]");
        out += '\n';
        for (const Node& item : node) {
          indent(depth);
          out += '-';
          this->item(item, depth + 1);
        }
        return;
      case Kind::mapping:
        if (node.first == nullptr) return empty("{}");
        out += '\n';
        mapping(node, depth, false);
        return;
    }
  }

  // `here`: the first key stands where the text ends now.
  void mapping(const Node& node, int depth, bool here) {
    for (const Node& child : node) {
      if (!here) indent(depth);
      here = false;
      out += is_simple(child.key) ? std::string(child.key) : quoted(child.key);
      out += ':';
      value(child, child.is_sequence() ? depth : depth + 1);
    }
  }

 private:
  void indent(int depth) { out.append(static_cast<size_t>(depth) * 2, ' '); }

  void empty(std::string_view text) { out.append(" ").append(text).append("\n"); }

  void item(const Node& node, int depth) {
    if (!node.is_mapping() || node.first == nullptr) return value(node, depth);
    out += ' ';
    mapping(node, depth, true);
  }

  void scalar(const Node& node, int depth) {
    out += ' ';
    if (!node.plain && is_block(node.text)) return block(node.text, depth);
    out += node.plain || is_simple(node.text) ? std::string(node.text) : quoted(node.text);
    out += '\n';
  }

  void block(std::string_view text, int depth) {
    const bool ends = text.ends_with('\n');
    out += ends ? "|\n" : "|-\n";
    if (ends) text.remove_suffix(1);
    while (true) {
      const size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      if (!line.empty()) indent(depth);
      out.append(line) += '\n';
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }
};

void write_json(const Node& node, int depth, std::string& out) {
  const auto indent = [&](int to) { out.append(static_cast<size_t>(to) * 2, ' '); };
  if (node.kind == Kind::null) {
    out += "null";
  } else if (node.is_scalar()) {
    out += node.plain ? std::string(node.text) : quoted(node.text);
  } else {
    const std::string_view brackets = node.is_mapping() ? "{}" : "[]";
    out += brackets[0];
    for (const Node& child : node) {
      out += &child == node.first ? "\n" : ",\n";
      indent(depth + 1);
      if (node.is_mapping()) out += quoted(child.key) + ": ";
      write_json(child, depth + 1, out);
    }
    if (node.first != nullptr) {
      out += '\n';
      indent(depth);
    }
    out += brackets[1];
  }
}

}  // namespace

std::string to_yaml(const Node& root) {
  YamlWriter writer;
  if (root.is_mapping() && root.first != nullptr) {
    writer.mapping(root, 0, false);
    return std::move(writer.out);
  }
  writer.value(root, 0);
  return writer.out.substr(writer.out.starts_with('\n') || writer.out.starts_with(' ') ? 1 : 0);
}

std::string to_json(const Node& root) {
  std::string out;
  write_json(root, 0, out);
  return out + '\n';
}

}  // namespace outrider::config
