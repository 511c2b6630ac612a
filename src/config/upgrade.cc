#include "config/upgrade.h"

#include "config/rules.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <utility>

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kBootstrap = "envoy.config.bootstrap.v3.Bootstrap";
constexpr std::string_view kHidden = "hidden_envoy_deprecated_";

std::string camel_case(std::string_view snake_case) {
  std::string out;
  bool raise = false;
  for (const char c : snake_case) {
    if (c == '_') {
      raise = true;
      continue;
    }
    out += raise && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    raise = false;
  }
  return out;
}

// v1 first: it wins.
template <class Function>
void for_each_rule(bool v1, std::string_view message, Function function) {
  for (const RuleTables tables : {v1 ? v1_rules() : RuleTables{}, v2_rules()}) {
    for (const std::span<const Rule> table : tables) {
      for (const Rule& rule : table) {
        if (rule.message == message) function(rule);
      }
    }
  }
}

bool is_url(const Node* node) {
  return node != nullptr && node->is_scalar() && node->text.find("://") != node->text.npos;
}

// Whether a file has what only v1 had. Old pieces may stand beside new ones.
bool is_v1(const Node& root) {
  if (root.find("listeners") != nullptr || root.find("lds") != nullptr) return true;
  if (const Node* clusters = root.find("cluster_manager")) {
    for (const char* key : {"clusters", "sds", "cds"}) {
      if (clusters->find(key) != nullptr) return true;
    }
  }
  if (const Node* admin = root.find("admin"); admin != nullptr && is_url(admin->find("address"))) return true;
  const Node* fixed = root.find("static_resources");
  if (fixed == nullptr) return false;
  if (const Node* listeners = fixed->find("listeners")) {
    for (const Node& one : *listeners) {
      if (is_url(one.find("address"))) return true;
    }
  }
  if (const Node* clusters = fixed->find("clusters")) {
    for (const Node& one : *clusters) {
      const Node* hosts = one.find("hosts");
      if (hosts != nullptr && hosts->first != nullptr && is_url(hosts->first->find("url"))) return true;
    }
  }
  return false;
}

}  // namespace

std::string_view to_text(Dialect dialect) {
  return dialect == Dialect::v1 ? "v1" : dialect == Dialect::v2 ? "v2" : "v3";
}

void Upgrade::error(Mark mark, const Path& path, std::string message, std::string hint) {
  problems_.add(tree.problem(mark, path.text(), std::move(message), std::move(hint)));
}

void Upgrade::note(Mark mark, const Path& path, std::string message, std::string hint) {
  Problem problem = tree.problem(mark, path.text(), std::move(message), std::move(hint));
  problem.fatal = false;
  problems_.add(std::move(problem));
}

std::vector<std::string_view> Upgrade::old_keys(std::string_view message_full_name) const {
  std::vector<std::string_view> out;
  for_each_rule(v1_, message_full_name, [&](const Rule& rule) {
    if (!rule.key.empty() && rule.key != kWhole) out.push_back(rule.key);
  });
  return out;
}

Dialect Upgrade::bootstrap(Node& root) {
  v1_ = is_v1(root);
  const pb::Descriptor* descriptor = schema_.message(kBootstrap);
  const Node* dynamic = root.find("dynamic_resources");
  listeners_are_discovered =
      root.find("lds") != nullptr || (dynamic != nullptr && dynamic->find("lds_config") != nullptr);
  message(root, *descriptor, {}, Path{});
  if (tracer != nullptr && !tracer_used) {
    note(tracer->key_mark(), Path{}.field("tracing"), "has no effect: no HTTP connection manager has `tracing`");
  }
  if (rate_limit_service != nullptr && !rate_limit_service_used) {
    note(rate_limit_service->key_mark(), Path{}.field("rate_limit_service"), "has no effect: no filter asks it");
  }
  return v1_ ? Dialect::v1 : saw_v2_ ? Dialect::v2 : Dialect::v3;
}

void Upgrade::answer(Node& root, std::string_view message_full_name) {
  v1_ = true;
  listeners_are_discovered = true;
  message(root, *schema_.message(message_full_name), {}, Path{});
}

const Upgrade::Shape& Upgrade::shape(const pb::Descriptor& descriptor) {
  const auto [place, is_new] = (v1_ ? shapes_v1_ : shapes_).try_emplace(&descriptor);
  Shape& shape = place->second;
  if (!is_new) return shape;
  const std::string_view name = descriptor.full_name();
  shape.is_any = name == "google.protobuf.Any";
  shape.is_well_known = name.starts_with("google.protobuf.");
  for_each_rule(v1_, name, [&](const Rule& rule) {
    if (rule.key == kWhole) return shape.whole.push_back(&rule);
    shape.rules.emplace(rule.key, &rule);
    shape.rules.emplace(tree.keep(camel_case(rule.key)), &rule);
  });
  return shape;
}

void Upgrade::message(Node& node, const pb::Descriptor& descriptor, std::string_view holder, const Path& path) {
  const Shape& rules = shape(descriptor);
  if (rules.is_any) return any(node, path);
  if (rules.is_well_known) return;
  if (node.is_scalar()) {  // a rule with the empty key reads a message that was written as a text
    const auto whole = rules.rules.find("");
    if (whole != rules.rules.end()) whole->second->apply(*this, node, node, path);
  }
  if (!node.is_mapping()) return;
  Node* const listener_before = listener;
  Node* const hcm_before = http_connection_manager;
  if (descriptor.full_name() == kListenerMessage) listener = &node;
  if (descriptor.full_name() == kHcmMessage) http_connection_manager = &node;
  fields(node, descriptor, rules, holder, path);
  listener = listener_before;
  http_connection_manager = hcm_before;
}

void Upgrade::fields(Node& node, const pb::Descriptor& descriptor, const Shape& rules, std::string_view holder,
                     const Path& path) {
  name_fields(node, descriptor, path);
  for (const Rule* rule : rules.whole) rule->apply(*this, node, node, path);
  apply_rules(node, descriptor, rules, path);
  if (const Slot slot = slot_of(descriptor.full_name(), holder); slot != Slot::none) extension(node, slot, path);
  if (for_envoy) speak_v3(node, descriptor, path);
  for (Node& entry : node) {
    const pb::FieldDescriptor* field = schema_.field(descriptor, entry.key);
    if (field != nullptr) child(entry, *field, descriptor.full_name(), path.field(field->name()));
  }
}

// Fields by the names of the API, without the mark of what was deprecated in the first years of v3.
void Upgrade::name_fields(Node& node, const pb::Descriptor& descriptor, const Path& path) {
  for (Node& entry : node) {
    if (entry.key.starts_with(kHidden) && schema_.field(descriptor, entry.key) == nullptr) {
      entry.key.remove_prefix(kHidden.size());
      saw_v2_ = true;
    }
    const pb::FieldDescriptor* field = schema_.field(descriptor, entry.key);
    if (field == nullptr || entry.key == field->name()) continue;
    if (node.find(field->name()) != nullptr) {
      error(entry.key_mark(), path.field(field->name()),
            fmt::format("`{}` and `{}` are the same field", entry.key, field->name()));
    }
    entry.key = field->name();
  }
}

// Envoy of today asks discovery and other services in the words of v3 only, and wants to be told so.
void Upgrade::speak_v3(Node& node, const pb::Descriptor& descriptor, const Path& path) {
  for (const std::string_view key : {"transport_api_version", "resource_api_version"}) {
    const pb::FieldDescriptor* field = schema_.field(descriptor, key);
    if (field == nullptr || field->enum_type() == nullptr) continue;
    Node* present = node.find(key);
    if (present != nullptr && present->is_scalar() && (present->text == "V3" || present->text == "v3")) continue;
    if (present != nullptr) {
      note(present->mark(), path.field(key), "Envoy 1.40 asks in v3 only");
      tree.unlink(node, *present);
    }
    tree.set_scalar(node, key, "V3", false, node.value_mark());
  }
}

void Upgrade::apply_rules(Node& node, const pb::Descriptor& descriptor, const Shape& shape, const Path& path) {
  if (shape.rules.empty()) return;
  // A rule may add entries behind; what it adds is of today, so only those that were there at first are looked at.
  std::vector<std::pair<Node*, const Rule*>> found;
  for (Node& entry : node) {
    const auto rule = shape.rules.find(entry.key);
    if (rule != shape.rules.end()) found.emplace_back(&entry, rule->second);
  }
  for (const auto& [entry, rule] : found) {
    if (schema_.field(descriptor, rule->key) == nullptr) saw_v2_ = true;
    entry->key = rule->key;
    const Path here = path.field(rule->key);
    if (!rule->rename.empty()) {
      if (node.find(rule->rename) != nullptr) {
        error(entry->key_mark(), here,
              fmt::format("`{}` is the old name of `{}`, and both are here", rule->key, rule->rename));
      }
      entry->key = rule->rename;
    } else if (rule->apply == nullptr) {
      error(entry->key_mark(), here,
            fmt::format("`{}` of {} is not built into outrider yet", rule->key, descriptor.full_name()));
      tree.unlink(node, *entry);
    } else {
      replace(node, *entry, *rule, path);
    }
  }
}

// Applies a rule. What it appends takes the place of what it was applied to, so that files keep their order.
void Upgrade::replace(Node& node, Node& entry, const Rule& rule, const Path& path) {
  Node* before = nullptr;  // the entry
  for (Node& each : node) {
    if (each.next == &entry) before = &each;
  }
  const bool is_last = node.last == &entry;
  tree.unlink(node, entry);
  Node* const last = node.last;
  rule.apply(*this, node, entry, path);
  const auto is_here = [&](const Node* wanted) {
    const Node* each = node.first;
    while (each != nullptr && each != wanted) each = each->next;
    return each != nullptr;
  };
  if (is_last || last == nullptr || node.last == last || !is_here(last) || (before != nullptr && !is_here(before)))
    return;
  Node* const first_new = last->next;
  Node* const last_new = node.last;
  last->next = nullptr;
  node.last = last;
  Node*& link = before != nullptr ? before->next : node.first;
  last_new->next = link;
  link = first_new;
}

void Upgrade::wrap_in_list(Node& node, const Path& path) {
  note(node.mark(), path, "a list belongs here; read as a list of one");
  Node* only = tree.make(node.kind, node.value_mark());
  only->plain = node.plain;
  only->text = node.text;
  only->first = node.first;
  only->last = node.last;
  node.kind = Kind::sequence;
  node.text = {};
  node.first = node.last = nullptr;
  tree.append(node, *only);
}

void Upgrade::child(Node& node, const pb::FieldDescriptor& field, std::string_view holder, const Path& path) {
  if (field.is_map()) return map(node, field, holder, path);
  if (field.is_repeated() && (node.is_mapping() || node.is_scalar())) {
    const bool is_list_value =
        field.message_type() != nullptr && field.message_type()->full_name() == "google.protobuf.ListValue";
    if (!is_list_value) wrap_in_list(node, path);
  }
  if (field.message_type() == nullptr) return;
  if (!field.is_repeated()) return message(node, *field.message_type(), holder, path);
  size_t index = 0;
  for (Node& item : node) message(item, *field.message_type(), holder, path.item(index++));
}

void Upgrade::map(Node& node, const pb::FieldDescriptor& field, std::string_view holder, const Path& path) {
  const pb::Descriptor* value = field.message_type()->map_value()->message_type();
  if (!node.is_mapping() || value == nullptr) return;
  for (Node& entry : node) {
    if (field.name() == "typed_per_filter_config") any_by_key(entry, Slot::http_filter);
    if (field.name() == "typed_extension_protocol_options") any_by_key(entry, Slot::protocol_options);
  }
  for (Node& entry : node) message(entry, *value, holder, path.entry(entry.key));
}

}  // namespace outrider::config
