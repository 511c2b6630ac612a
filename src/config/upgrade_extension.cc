// The configuration of extensions: by today's type, whether a file names a type of any time or only the extension.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "config/rules.h"
#include "config/upgrade.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kTypeUrl = "type.googleapis.com/";

// Whether a type URL of any version names this message of v3.
bool names_type(std::string_view url, std::string_view type) {
  const std::string_view name = type_of_url(url);
  return name == type || successor(name) == type;
}

}  // namespace

void Upgrade::any(Node& node, const Path& path) {
  if (!node.is_mapping()) return;
  Node* type = node.find("@type");
  if (type == nullptr || !type->is_scalar()) return;
  std::string_view name = type_of_url(type->text);
  if (name == "udpa.type.v1.TypedStruct" || name == "xds.type.v3.TypedStruct") {
    typed_struct(node, path);
    type = node.find("@type");
    name = type_of_url(type->text);
  }
  if (const std::string_view newer = successor(name); !newer.empty()) {
    saw_v2_ = true;
    name = newer;
    type->text = tree.keep(fmt::format("{}{}", kTypeUrl, newer));
  }
  if (name == "google.protobuf.Any") {  // One in another: its content stands in `value`.
    if (Node* content = node.find("value"); content != nullptr) any(*content, path);
    return;
  }
  const pb::Descriptor* descriptor = schema_.message(name);
  if (descriptor == nullptr) return;
  message(node, *descriptor, {}, path);
  const Node* then = node.find("@type");  // a rule may have made another message of it
  if (then != nullptr && then->is_scalar() && type_of_url(then->text) != name) any(node, path);
}

// {"@type": TypedStruct, type_url: T, value: {...}} → {"@type": T, ...}, if T is a type that the API has.
void Upgrade::typed_struct(Node& node, const Path& path) {
  Node* url = node.find("type_url");
  if (url == nullptr) url = node.find("typeUrl");
  Node* value = node.find("value");
  if (url == nullptr || !url->is_scalar()) return;
  const std::string_view name = type_of_url(url->text);
  if (successor(name).empty() && schema_.message(name) == nullptr) return;
  tree.unlink(node, *url);
  if (value != nullptr) tree.unlink(node, *value);
  node.find("@type")->text = url->text;
  if (value != nullptr && value->is_mapping()) move_all(*value, node);
}

// {name, config} or {name} alone → {name, typed_config: {"@type", ...}}, under today's name.
void Upgrade::extension(Node& node, Slot slot, const Path& path) {
  Node* name = node.find("name");
  const Extension* known = name != nullptr && name->is_scalar() ? extension_named(slot, name->text) : nullptr;
  Node* typed = node.find("typed_config");
  if (typed != nullptr && typed->is_mapping()) {
    const Node* type = typed->find("@type");
    if (type == nullptr && name != nullptr) {
      note(typed->mark(), path.field("typed_config"), "\"@type\" is missing; taken from the name");
      if (!name_type(*typed, slot, *name, path)) tree.unlink(node, *typed);
    } else if (type != nullptr && type_of_url(type->text) == "google.protobuf.Struct") {
      tree.unlink(node, *typed);
      Node* fields = tree.take(*typed, "value");
      tree.set(node, "config", fields != nullptr ? *fields : *tree.make(Kind::mapping, typed->value_mark()));
      typed = nullptr;
    }
  }
  if (typed == nullptr && node.find("config_discovery") == nullptr) config_by_name(node, slot, path);
  typed = node.find("typed_config");
  if (typed == nullptr) return;
  check_slot(*typed, slot, path);
  const Node* type = typed->find("@type");
  const bool is_it = known != nullptr && type != nullptr && type->is_scalar() && names_type(type->text, known->type);
  if (is_it && name->text != known->name) name->text = known->name;
}

void Upgrade::config_by_name(Node& node, Slot slot, const Path& path) {
  const Node* name = node.find("name");
  Node* config = tree.take(node, "config");
  if (name == nullptr || !name->is_scalar()) {
    if (config != nullptr) error(config->mark(), path, fmt::format("{} needs a `name`", to_text(slot)));
    return;
  }
  if (config != nullptr) saw_v2_ = true;
  if (config == nullptr || config->kind == Kind::null) {
    config = tree.make(Kind::mapping, config == nullptr ? name->value_mark() : config->value_mark());
  }
  const bool v1_before = v1_;
  const Node* old = config->find("deprecated_v1");
  if (old != nullptr && old->is_scalar() && old->text == "true" && config->find("value") != nullptr) {
    config = tree.take(*config, "value");
    v1_ = true;  // 1.5-1.7: a piece of v1 inside v2
  }
  if (!config->is_mapping()) {
    error(config->mark(), path.field("config"), "a mapping was expected");
  } else if (name_type(*config, slot, *name, path)) {
    tree.set(node, "typed_config", *config);
    if (v1_ != v1_before) any(*config, path.field("typed_config"));
  }
  v1_ = v1_before;
}

// The content of an Any that stands in a map under the name of its extension.
void Upgrade::any_by_key(Node& entry, Slot slot) {
  const Extension* known = extension_named(slot, entry.key);
  if (known == nullptr) return;
  const std::string_view type = slot == Slot::http_filter ? per_route_type(known->name) : known->type;
  if (entry.kind == Kind::null) entry.kind = Kind::mapping;
  if (!entry.is_mapping()) return;
  Node* present = entry.find("@type");
  if (present != nullptr && type_of_url(present->text) == "google.protobuf.Struct") {
    tree.unlink(entry, *present);
    if (Node* fields = tree.take(entry, "value"); fields != nullptr && fields->is_mapping()) move_all(*fields, entry);
    present = nullptr;
  }
  if (present == nullptr && type.empty()) return;
  if (present == nullptr) {
    saw_v2_ = true;
    tree.set_scalar(entry, "@type", fmt::format("{}{}", kTypeUrl, type), false, entry.key_mark());
  }
  entry.key = known->name;
}

void Upgrade::move_all(Node& from, Node& to) {
  for (Node* entry = from.first; entry != nullptr;) {
    Node* next = entry->next;
    tree.append(to, *entry);
    entry = next;
  }
  from.first = from.last = nullptr;
}

// A filter of another kind would be well-formed here, and mean nothing.
void Upgrade::check_slot(const Node& typed, Slot slot, const Path& path) {
  const Node* type = typed.find("@type");
  if (type == nullptr || !type->is_scalar()) return;
  const std::string_view name = type_of_url(type->text);
  const std::string_view newer = successor(name);
  const Extension* extension = extension_of_type(newer.empty() ? name : newer, slot);
  if (extension == nullptr || extension->slot == slot) return;
  error(type->mark(), path.field("typed_config"),
        fmt::format("{} is {}, but {} was expected", extension->name, to_text(extension->slot), to_text(slot)));
}

bool Upgrade::name_type(Node& node, Slot slot, const Node& name, const Path& path) {
  const Extension* known = extension_named(slot, name.text);
  if (known == nullptr) {
    const std::string_view near = nearest_extension(slot, name.text);
    error(name.mark(), path.field("name"), fmt::format("`{}` is no name of {}", name.text, to_text(slot)),
          near.empty() ? std::string("without \"@type\" the name decides") : fmt::format("did you mean `{}`?", near));
    return false;
  }
  Node* type = tree.make_scalar(fmt::format("{}{}", kTypeUrl, known->type), false, name.value_mark());
  tree.set(node, "@type", *type);
  return true;
}

}  // namespace outrider::config
