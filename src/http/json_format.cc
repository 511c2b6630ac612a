#include "http/json_format.h"

#include "http/json_text.h"

namespace outrider {

std::expected<JsonFormat, JsonFormat::Error> JsonFormat::compile(const Value::Struct& fields, FormatOptions options) {
  auto root = make(Value(fields), options);
  if (!root) return std::unexpected(std::move(root.error()));
  JsonFormat made;
  made.root_ = std::move(*root);
  made.omit_empty_ = options.omit_empty;
  return made;
}

std::expected<JsonFormat::Node, JsonFormat::Error> JsonFormat::make_text(const std::string& text,
                                                                         const FormatOptions& options) {
  auto format = Format::compile(text, options);
  if (!format) return std::unexpected(Error{{}, std::move(format.error())});
  Node node;
  node.kind = Node::Kind::format;
  node.format.push_back(std::move(*format));
  return node;
}

std::expected<JsonFormat::Node, JsonFormat::Error> JsonFormat::make(const Value& value, const FormatOptions& options) {
  Node node;
  auto add = [&](const std::string& name, std::string key, const Value& member) -> std::optional<Error> {
    auto made = make(member, options);
    if (!made) {
      made.error().way.insert(made.error().way.begin(), name);
      return std::move(made.error());
    }
    made->key = std::move(key);
    node.nodes.push_back(std::move(*made));
    return std::nullopt;
  };
  if (const std::string* text = value.text()) return make_text(*text, options);
  if (const Value::Struct* fields = value.fields()) {
    node.kind = Node::Kind::object;
    for (const auto& [name, member] : *fields) {
      std::string key;
      append_json_string(name, key);
      if (auto error = add(name, key + ":", member)) return std::unexpected(std::move(*error));
    }
  } else if (const Value::List* list = value.list()) {
    node.kind = Node::Kind::list;
    for (std::size_t i = 0; i < list->size(); i++) {
      if (auto error = add(std::to_string(i), "", (*list)[i])) return std::unexpected(std::move(*error));
    }
  } else {
    node.null = value.is_null();
    append_json(value, node.text);
  }
  return node;
}

// False: there is nothing to say, nothing was appended.
bool JsonFormat::append(const Node& node, const Exchange& x, std::string& out) const {
  switch (node.kind) {
    case Node::Kind::literal:
      if (node.null) return false;
      out += node.text;
      return true;
    case Node::Kind::format:
      return node.format[0].append_json(x, out);
    default:
      return append_nodes(node, x, out);
  }
}

bool JsonFormat::append_nodes(const Node& node, const Exchange& x, std::string& out) const {
  bool object = node.kind == Node::Kind::object;
  std::size_t begin = out.size();
  out += object ? '{' : '[';
  bool any = false;
  for (const Node& each : node.nodes) {
    std::size_t before = out.size();
    if (any) out += ',';
    out += each.key;
    if (append(each, x, out)) {
      any = true;
    } else if (omit_empty_) {
      out.resize(before);
    } else {
      out += "null";
      any = true;
    }
  }
  out += object ? '}' : ']';
  if (!object || any || !omit_empty_) return true;
  out.resize(begin);
  return false;
}

void JsonFormat::append(const Exchange& x, std::string& out) const {
  if (!append(root_, x, out)) out += "{}";
  out += '\n';
}

}  // namespace outrider
