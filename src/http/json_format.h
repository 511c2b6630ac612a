// JsonFormat: a JSON object whose texts hold command operators. Envoy's document: "Access logging", section "Format
// dictionaries".
#pragma once
#include <expected>
#include <string>
#include <variant>
#include <vector>

#include "core/value.h"
#include "http/format.h"

namespace outrider {

// Immutable; used by all threads at once.
class JsonFormat {
 public:
  struct Error {
    std::vector<std::string> way;  // To the text that is wrong: names, and indices in lists.
    FormatError error;
  };
  // Of a struct. Texts that are one operator give a value of that operator's kind, null without one; others a text.
  // With omit_empty what would be null is left out, and so are objects that have nothing left in them.
  static std::expected<JsonFormat, Error> compile(const Value::Struct& fields, FormatOptions options = {});

  // Appends the object, with its members in order of their names, and a line break. Allocates only if `out` has to
  // grow.
  void append(const Exchange& x, std::string& out) const;

 private:
  struct Node {
    enum class Kind : std::uint8_t { literal, format, list, object };
    Kind kind = Kind::literal;
    std::string key;   // With its quotes and colon; empty in lists.
    std::string text;  // Of literal: JSON.
    bool null = false;
    std::vector<Format> format;  // One.
    std::vector<Node> nodes;
  };
  static std::expected<Node, Error> make(const Value& value, const FormatOptions& options);
  static std::expected<Node, Error> make_text(const std::string& text, const FormatOptions& options);
  bool append(const Node& node, const Exchange& x, std::string& out) const;
  bool append_nodes(const Node& node, const Exchange& x, std::string& out) const;

  Node root_;
  bool omit_empty_ = false;
};

using AnyFormat = std::variant<Format, JsonFormat>;

}  // namespace outrider
