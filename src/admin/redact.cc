#include "admin/redact.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/unknown_field_set.h>

#include <memory>
#include <vector>

#include "config/schema.h"

namespace outrider {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr int kSensitiveOption = 76569463;  // udpa.annotations.sensitive in FieldOptions
constexpr char kRedacted[] = "[redacted]";

// The option is an extension that this process has no code for, so it stays among the unknown fields.
bool is_sensitive(const Field& field) {
  const pb::UnknownFieldSet& options = field.options().GetReflection()->GetUnknownFields(field.options());
  for (int i = 0; i < options.field_count(); i++) {
    const pb::UnknownField& option = options.field(i);
    if (option.number() == kSensitiveOption && option.type() == pb::UnknownField::TYPE_VARINT) {
      return option.varint() != 0;
    }
  }
  return false;
}

void redact_within(pb::Message& message, const config::Schema& schema, bool all);

// An Any whose type the API does not have cannot be looked into: if it is sensitive it loses its content.
void redact_any(pb::Message& any, const config::Schema& schema, bool all) {
  const pb::Reflection& reflection = *any.GetReflection();
  const Field& type = *any.GetDescriptor()->FindFieldByName("type_url");
  const Field& value = *any.GetDescriptor()->FindFieldByName("value");
  const pb::Descriptor* descriptor = schema.message(config::type_of_url(reflection.GetString(any, &type)));
  if (!descriptor) {
    if (all) reflection.ClearField(&any, &value);
    return;
  }
  std::unique_ptr<pb::Message> content(schema.factory().GetPrototype(descriptor)->New());
  if (!content->ParsePartialFromString(reflection.GetString(any, &value))) return;
  redact_within(*content, schema, all);
  reflection.SetString(&any, &value, content->SerializePartialAsString());
}

void redact_text(pb::Message& message, const Field& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) {
    reflection.SetString(&message, &field, kRedacted);
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); i++) {
    reflection.SetRepeatedString(&message, &field, i, kRedacted);
  }
}

// An entry of a map keeps its key.
bool is_map_key(const Field& field) { return field.containing_type()->options().map_entry() && field.number() == 1; }

void redact_within(pb::Message& message, const config::Schema& schema, bool all) {
  if (message.GetDescriptor()->full_name() == "google.protobuf.Any") return redact_any(message, schema, all);
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const Field*> fields;
  reflection.ListFields(message, &fields);
  for (const Field* field : fields) {
    bool hide = (all || is_sensitive(*field)) && !is_map_key(*field);
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) redact_within(*reflection.MutableMessage(&message, field), schema, hide);
      for (int i = 0; field->is_repeated() && i < reflection.FieldSize(message, field); i++) {
        redact_within(*reflection.MutableRepeatedMessage(&message, field, i), schema, hide);
      }
    } else if (hide && field->cpp_type() == Field::CPPTYPE_STRING) {
      redact_text(message, *field);
    } else if (hide) {
      reflection.ClearField(&message, field);
    }
  }
}

}  // namespace

void redact(pb::Message& message, const config::Schema& schema) { redact_within(message, schema, false); }

}  // namespace outrider
