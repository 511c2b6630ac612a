#include "config/bind.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>

#include <limits>
#include <utility>

#include "config/nearest.h"
#include "config/placeholder.h"
#include "config/reader.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;
using FieldType = pb::FieldDescriptor;

constexpr size_t kShownMax = 60;  // bytes of a value that a message repeats

// For all others a null is as good as nothing.
bool keeps_null(const pb::Descriptor& descriptor) { return descriptor.full_name() == "google.protobuf.Value"; }

bool same_letters(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    if (upper(a[i]) != upper(b[i])) return false;
  }
  return true;
}

std::string expected(const FieldType& field) {
  switch (field.cpp_type()) {
    case FieldType::CPPTYPE_BOOL:
      return "true or false";
    case FieldType::CPPTYPE_INT32:
    case FieldType::CPPTYPE_INT64:
      return "a whole number";
    case FieldType::CPPTYPE_UINT32:
    case FieldType::CPPTYPE_UINT64:
      return "a whole number, not negative,";
    case FieldType::CPPTYPE_FLOAT:
    case FieldType::CPPTYPE_DOUBLE:
      return "a number";
    case FieldType::CPPTYPE_ENUM:
      return fmt::format("a name of {}", field.enum_type()->name());
    case FieldType::CPPTYPE_STRING:
      return field.type() == FieldType::TYPE_BYTES ? "base64" : "a text";
    case FieldType::CPPTYPE_MESSAGE:
      return fmt::format("a mapping ({})", field.message_type()->name());
  }
  return "something else";
}

}  // namespace

std::string shown(const Node& node) {
  switch (node.kind) {
    case Kind::null:
      return "nothing";
    case Kind::sequence:
      return "a list";
    case Kind::mapping:
      return "a mapping";
    case Kind::scalar:
      break;
  }
  if (node.text.size() <= kShownMax) return fmt::format("`{}`", node.text);
  return fmt::format("`{}...`", node.text.substr(0, kShownMax));
}

void Binder::refuse(const Node& node, const Path& path, std::string message, std::string hint) {
  refused.add(node);
  problems_.add(tree_.problem(node.mark(), path.text(), std::move(message), std::move(hint)));
}

void Binder::note(const Node& node, const Path& path, std::string message, std::string hint) {
  Problem problem = tree_.problem(node.mark(), path.text(), std::move(message), std::move(hint));
  problem.fatal = false;
  problems_.add(std::move(problem));
}

std::vector<Binder::Bound> Binder::bind(const Node& root, std::string_view message_full_name) {
  done_.clear();
  const pb::Descriptor* descriptor = schema_.message(message_full_name);
  pb::Message* out = schema_.factory().GetPrototype(descriptor)->New(&arena_);
  message(root, *out, Path{});
  done_.push_back({"", &root, out});
  return std::exchange(done_, {});
}

void Binder::message(const Node& node, Message& out, const Path& path) {
  if (node.kind == Kind::null && !keeps_null(*out.GetDescriptor())) return;
  const Deeper deeper(depth_);
  if (depth_ > kMessageDepthMax) {
    return refuse(node, path, fmt::format("nested deeper than {} messages", kMessageDepthMax));
  }
  if (well_known(node, out, path)) return;
  if (!node.is_mapping()) {
    refuse(node, path,
           fmt::format("a mapping was expected ({}), but here is {}", out.GetDescriptor()->full_name(), shown(node)));
    return;
  }
  for (const Node& child : node) entry(node, child, out, path);
}

void Binder::entry(const Node& parent, const Node& node, Message& out, const Path& path) {
  const pb::Descriptor& descriptor = *out.GetDescriptor();
  if (node.key == "@type") return;  // of an Any, whose fields stand beside it
  const Field* field = schema_.field(descriptor, node.key);
  if (field == nullptr) return unknown_field(parent, node, out, path);
  const Path here = path.field(field->name());
  if (not_built(parent, node, *field, here)) return;
  if (node.kind == Kind::null) {
    if (field->message_type() == nullptr || !keeps_null(*field->message_type())) return;
  }
  if (!oneof_is_free(parent, node, *field, out, here)) return;
  holder_ = {&parent, &descriptor};
  this->field(node, *field, out, here);
  if (field->real_containing_oneof() != nullptr && refused.contains(node)) refused.add_incomplete(parent);
}

std::string_view Binder::near_field(std::string_view name, const pb::Descriptor& descriptor) const {
  std::vector<std::string_view> names;
  for (int i = 0; i < descriptor.field_count(); ++i) names.push_back(descriptor.field(i)->name());
  if (old_keys_ != nullptr) {
    for (const std::string_view old : old_keys_->old_keys(descriptor.full_name())) names.push_back(old);
  }
  return nearest(name, names);
}

void Binder::unknown_field(const Node& parent, const Node& node, const Message& out, const Path& path) {
  const pb::Descriptor& descriptor = *out.GetDescriptor();
  const std::string_view near = problems_.full() ? std::string_view() : near_field(node.key, descriptor);
  Problem problem =
      tree_.problem(node.key_mark(), path.text(), fmt::format("{} has no field `{}`", descriptor.full_name(), node.key),
                    near.empty() ? fmt::format("outrider knows the API of Envoy {}", kApiVersion)
                                 : fmt::format("did you mean `{}`?", near));
  problem.fatal = !allow_unknown_fields;
  problem.unknown_field = true;
  if (problem.fatal) {  // Else the rest must stand without it.
    refused.add(node);
    refused.add_incomplete(parent);
  }
  problems_.add(std::move(problem));
}

namespace {

// Whether a field that is not set would say the same.
bool is_unset(const Node& node, const FieldType& field) {
  if (node.kind == Kind::null) return true;
  if (field.is_repeated()) return node.first == nullptr && (field.is_map() ? node.is_mapping() : node.is_sequence());
  if (field.has_presence() || !node.is_scalar()) return false;
  bool truth = false;
  double number = 0;
  switch (field.cpp_type()) {
    case FieldType::CPPTYPE_BOOL:
      return to_bool(node.text, truth) && !truth;
    case FieldType::CPPTYPE_STRING:
      return node.text.empty();
    case FieldType::CPPTYPE_ENUM:
      return same_letters(field.enum_type()->FindValueByNumber(0)->name(), node.text);
    default:
      return to_floating(node.text, number) && number == 0;
  }
}

bool is_value(const Node& node, std::string_view value) {
  return value == "{}" ? node.is_mapping() && node.first == nullptr : node.is_scalar() && node.text == value;
}

}  // namespace

bool Binder::not_built(const Node& parent, const Node& node, const Field& field, const Path& path) {
  const std::string& owner = field.containing_type()->full_name();
  if (built_.field(owner, field.name())) return false;
  const std::string_view only = built_.only_value(owner, field.name());
  if (is_unset(node, field) || (!only.empty() && is_value(node, only))) return true;
  refused.add(node);
  if (field.real_containing_oneof() != nullptr) refused.add_incomplete(parent);
  problems_.add(tree_.problem(node.key_mark(), path.text(),
                              fmt::format("`{}` of {} is not built into outrider yet", field.name(), owner)));
  return true;
}

bool Binder::oneof_is_free(const Node& parent, const Node& node, const Field& field, const Message& out,
                           const Path& path) {
  const pb::OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof == nullptr || !out.GetReflection()->HasOneof(out, oneof)) return true;
  const Field* other = out.GetReflection()->GetOneofFieldDescriptor(out, oneof);
  refused.add_incomplete(parent);
  const std::string what =
      other == &field ? "stands here twice" : fmt::format("excludes `{}`, which is set too", other->name());
  refuse(node, path, fmt::format("`{}` {}", field.name(), what));
  return false;
}

void Binder::field(const Node& node, const Field& field, Message& out, const Path& path) {
  if (field.is_map()) return map(node, field, out, path);
  if (field.is_repeated()) return list(node, field, out, path);
  if (field.cpp_type() != FieldType::CPPTYPE_MESSAGE) return scalar(node, field, out, path);
  message(node, *out.GetReflection()->MutableMessage(&out, &field, &schema_.factory()), path);
}

void Binder::list(const Node& node, const Field& field, Message& out, const Path& path) {
  if (!node.is_sequence()) {
    refuse(node, path, fmt::format("a list was expected, but here is {}", shown(node)));
    return;
  }
  size_t index = 0;
  for (const Node& item : node) {
    const Path here = path.item(index++);
    if (field.cpp_type() != FieldType::CPPTYPE_MESSAGE) {
      scalar(item, field, out, here);
      if (refused.contains(item)) refused.add_incomplete(node);
      continue;
    }
    Message& element = *out.GetReflection()->AddMessage(&out, &field, &schema_.factory());
    if (item.kind == Kind::null && !keeps_null(*field.message_type())) {
      refuse(item, here, "nothing stands here, but a list has no gaps");
      continue;
    }
    message(item, element, here);
  }
}

void Binder::map(const Node& node, const Field& field, Message& out, const Path& path) {
  if (!node.is_mapping()) {
    refuse(node, path, fmt::format("a mapping was expected, but here is {}", shown(node)));
    return;
  }
  const Field& key = *field.message_type()->map_key();
  const Field& value = *field.message_type()->map_value();
  const Deeper deeper(depth_);  // An entry is a message too.
  for (const Node& child : node) {
    Message& entry = *out.GetReflection()->AddMessage(&out, &field, &schema_.factory());
    Node key_node = child;
    key_node.kind = Kind::scalar;
    key_node.plain = false;  // Whatever it looks like, a key is a text.
    key_node.text = child.key;
    const Path here = path.entry(child.key);
    scalar(key_node, key, entry, here);
    if (value.cpp_type() != FieldType::CPPTYPE_MESSAGE) {
      scalar(child, value, entry, here);
    } else {
      message(child, *entry.GetReflection()->MutableMessage(&entry, &value, &schema_.factory()), here);
    }
  }
}

void Binder::scalar(const Node& node, const Field& field, Message& out, const Path& path) {
  const pb::Reflection& reflection = *out.GetReflection();
  const auto put = [&](auto set, auto add, auto value) {
    if (field.is_repeated()) {
      (reflection.*add)(&out, &field, std::move(value));
    } else {
      (reflection.*set)(&out, &field, std::move(value));
    }
  };
  int64_t integer = 0;
  uint64_t natural = 0;
  double real = 0;
  bool truth = false;
  bool good = node.is_scalar();
  const std::optional<std::string> decimal = node.plain ? decimal_of(node.text) : std::nullopt;
  const std::string_view number = decimal ? std::string_view(*decimal) : node.text;
  switch (field.cpp_type()) {
    case FieldType::CPPTYPE_BOOL:
      if ((good = good && to_bool(node.text, truth))) put(&pb::Reflection::SetBool, &pb::Reflection::AddBool, truth);
      break;
    case FieldType::CPPTYPE_INT32:
      good = good && to_integer(number, integer) && integer >= std::numeric_limits<int32_t>::min() &&
             integer <= std::numeric_limits<int32_t>::max();
      if (good) put(&pb::Reflection::SetInt32, &pb::Reflection::AddInt32, static_cast<int32_t>(integer));
      break;
    case FieldType::CPPTYPE_INT64:
      if ((good = good && to_integer(number, integer))) {
        put(&pb::Reflection::SetInt64, &pb::Reflection::AddInt64, integer);
      }
      break;
    case FieldType::CPPTYPE_UINT32:
      good = good && to_unsigned(number, natural) && natural <= std::numeric_limits<uint32_t>::max();
      if (good) put(&pb::Reflection::SetUInt32, &pb::Reflection::AddUInt32, static_cast<uint32_t>(natural));
      break;
    case FieldType::CPPTYPE_UINT64:
      if ((good = good && to_unsigned(number, natural))) {
        put(&pb::Reflection::SetUInt64, &pb::Reflection::AddUInt64, natural);
      }
      break;
    case FieldType::CPPTYPE_FLOAT:
      if ((good = good && to_floating(number, real))) {
        put(&pb::Reflection::SetFloat, &pb::Reflection::AddFloat, static_cast<float>(real));
      }
      break;
    case FieldType::CPPTYPE_DOUBLE:
      if ((good = good && to_floating(number, real))) put(&pb::Reflection::SetDouble, &pb::Reflection::AddDouble, real);
      break;
    case FieldType::CPPTYPE_ENUM:
      if (good) return enumeration(node, field, out, path);
      break;
    case FieldType::CPPTYPE_STRING: {
      if (good && node.plain && is_boolean_word(node.text)) {
        return refuse(
            node, path,
            fmt::format("a text was expected, but here is {}, which is true or false without quotes", shown(node)),
            fmt::format("in quotes it is a text: \"{}\"", node.text));
      }
      std::string text(node.text);
      if (good && field.type() == FieldType::TYPE_BYTES) good = to_bytes(node.text, text);
      if (good) put(&pb::Reflection::SetString, &pb::Reflection::AddString, std::move(text));
      break;
    }
    case FieldType::CPPTYPE_MESSAGE:
      break;
  }
  if (good) return;
  const bool unfilled = node.is_scalar() && is_placeholder(node.text);
  refuse(node, path, fmt::format("{} was expected, but here is {}", expected(field), shown(node)),
         unfilled ? std::string(kPlaceholderHint) : "");
}

void Binder::enumeration(const Node& node, const Field& field, Message& out, const Path& path) {
  const pb::EnumDescriptor& descriptor = *field.enum_type();
  const pb::EnumValueDescriptor* found = descriptor.FindValueByName(std::string(node.text));
  int64_t number = 0;
  if (found == nullptr && to_integer(node.text, number)) found = descriptor.FindValueByNumber(static_cast<int>(number));
  std::vector<std::string_view> names;
  for (int i = 0; i < descriptor.value_count(); ++i) {
    const pb::EnumValueDescriptor* value = descriptor.value(i);
    if (found == nullptr && same_letters(value->name(), node.text)) found = value;
    if (built_.enum_value(descriptor.full_name(), value->name())) names.push_back(value->name());
  }
  if (found == nullptr) {
    const std::string_view near = problems_.full() ? std::string_view() : nearest(node.text, names);
    refuse(node, path,
           fmt::format("`{}` is no {}: {} was expected", node.text, descriptor.name(), fmt::join(names, ", ")),
           near.empty() ? std::string() : fmt::format("did you mean `{}`?", near));
    return;
  }
  if (!built_.enum_value(descriptor.full_name(), found->name())) {
    refuse(node, path, fmt::format("{} of {} is not built into outrider yet", found->name(), descriptor.full_name()),
           fmt::format("built are {}", fmt::join(names, ", ")));
    return;
  }
  if (field.is_repeated()) {
    out.GetReflection()->AddEnum(&out, &field, found);
  } else {
    out.GetReflection()->SetEnum(&out, &field, found);
  }
}

}  // namespace outrider::config
