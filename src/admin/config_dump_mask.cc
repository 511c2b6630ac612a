#include "admin/config_dump_mask.h"

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/field_mask_util.h>

#include <map>

namespace outrider {
namespace {

namespace pb = google::protobuf;
using Masks = pb::util::FieldMaskUtil;

constexpr std::string_view kAny = "google.protobuf.Any";

pb::FieldMask parse(std::string_view mask) {
  pb::FieldMask paths;
  Masks::FromString(std::string(mask), &paths);
  return paths;
}

bool valid(const pb::Message& message, const pb::FieldMask& mask) {
  for (const std::string& path : mask.paths()) {
    if (!Masks::GetFieldDescriptors(message.GetDescriptor(), path, nullptr)) return false;
  }
  return true;
}

// The content of an Any field, with less in it.
bool trim_any(const ApiMessage& any, const pb::FieldMask& mask, const config::Schema& schema) {
  const pb::Descriptor* type = schema.message(config::type_of_url(any.text("type_url")));
  if (!type) return false;
  std::unique_ptr<pb::Message> content(schema.factory().GetPrototype(type)->New());
  if (!content->ParsePartialFromString(any.text("value")) || !valid(*content, mask)) return false;
  Masks::TrimMessage(mask, content.get());
  any.set("value", content->SerializePartialAsString());
  return true;
}

}  // namespace

bool apply_mask(const ApiMessage& message, std::string_view mask, const config::Schema& schema) {
  pb::FieldMask outer;
  std::map<std::string, pb::FieldMask> inner;  // Of the fields that are an Any.
  for (const std::string& path : parse(mask).paths()) {
    std::string field = path.substr(0, path.find('.'));
    if (!message.has_field(field)) return false;
    const auto* type = message.type_of(field);
    if (!type || type->full_name() != kAny) {
      outer.add_paths(path);
      continue;
    }
    if (field.size() == path.size()) return false;
    outer.add_paths(field);
    inner[field].add_paths(path.substr(field.size() + 1));
  }
  if (outer.paths().empty()) return true;
  if (!valid(message.message(), outer)) return false;
  Masks::TrimMessage(outer, &message.message());
  for (const auto& [field, paths] : inner) {
    if (message.has(field) && !trim_any(message.child(field), paths, schema)) return false;
  }
  return true;
}

bool apply_plain_mask(const ApiMessage& message, std::string_view mask) {
  pb::FieldMask paths = parse(mask);
  if (!valid(message.message(), paths)) return false;
  Masks::TrimMessage(paths, &message.message());
  return true;
}

}  // namespace outrider
