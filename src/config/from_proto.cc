#include "config/from_proto.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <memory>
#include <vector>

#include "config/duration.h"
#include "config/reader.h"
#include "core/utf8.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

// Any content in text format is named by its type: `[type.googleapis.com/a.b.C] { ... }`.
class AnyTypes : public pb::TextFormat::Finder {
 public:
  explicit AnyTypes(const Schema& schema) : schema_(schema) {}
  const pb::Descriptor* FindAnyType(const pb::Message&, const std::string&, const std::string& name) const override {
    return schema_.message(name);
  }

 private:
  const Schema& schema_;
};

// An Any may lie in another without end: nobody else counts them.
bool is_too_deep(const pb::Message& message, const Schema& schema, int depth) {
  if (depth > kDepthMax) return true;
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  if (message.GetDescriptor()->full_name() == "google.protobuf.Any" && fields.size() == 2) {
    const pb::Descriptor* type = schema.message(type_of_url(reflection.GetString(message, fields[0])));
    if (type == nullptr) return false;
    const std::unique_ptr<pb::Message> content(schema.factory().GetPrototype(type)->New());
    return content->ParsePartialFromString(reflection.GetString(message, fields[1])) &&
           is_too_deep(*content, schema, depth + 1);
  }
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (is_too_deep(reflection.GetMessage(message, field), schema, depth + 1)) return true;
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      if (is_too_deep(reflection.GetRepeatedMessage(message, field, i), schema, depth + 1)) return true;
    }
  }
  return false;
}

class Errors : public pb::io::ErrorCollector {
 public:
  Errors(std::string_view name, Problems& problems) : name_(name), problems_(problems) {}
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    problems_.add({.file = std::string(name_), .line = line + 1, .column = column + 1, .message = message});
  }

 private:
  std::string_view name_;
  Problems& problems_;
};

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_sequence_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// Looks for values that JSON has no form for: texts that are not UTF-8, and durations out of range.
class Values {
 public:
  using Place = pb::TextFormat::ParseLocation;
  using Places = pb::TextFormat::ParseInfoTree;
  Values(const Schema& schema, Errors& errors) : schema_(schema), errors_(errors) {}

  // `places` of its fields, if the message was a text: those of an Any's content stand there too. Else `around`.
  void check(const pb::Message& message, const Places* places, Place around) {
    const pb::Reflection& reflection = *message.GetReflection();
    const std::string& type = message.GetDescriptor()->full_name();
    if (type == "google.protobuf.Duration") return check_duration(message, around);
    std::vector<const pb::FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    if (type == "google.protobuf.Any" && fields.size() == 2) {
      const pb::Descriptor* content_type = schema_.message(type_of_url(reflection.GetString(message, fields[0])));
      if (content_type == nullptr) return;
      const std::unique_ptr<pb::Message> content(schema_.factory().GetPrototype(content_type)->New());
      if (content->ParsePartialFromString(reflection.GetString(message, fields[1])))
        return check(*content, places, around);
      const std::string why = "is no " + content_type->full_name() + ", or a text in it is not UTF-8";
      return errors_.AddError(around.line, around.column, why);
    }
    for (const pb::FieldDescriptor* field : fields) check(message, *field, places, around);
  }

 private:
  void check(const pb::Message& message, const pb::FieldDescriptor& field, const Places* places, Place around) {
    const pb::Reflection& reflection = *message.GetReflection();
    const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
    for (int i = 0; i < count; i++) {
      const int index = field.is_repeated() ? i : -1;
      Place place = places != nullptr ? places->GetLocation(&field, index) : Place();
      if (place.line < 0) place = around;
      if (field.type() == pb::FieldDescriptor::TYPE_STRING) {
        const std::string text =
            index < 0 ? reflection.GetString(message, &field) : reflection.GetRepeatedString(message, &field, i);
        if (!is_utf8(text)) errors_.AddError(place.line, place.column, "`" + field.name() + "` is not UTF-8");
      } else if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
        const pb::Message& below =
            index < 0 ? reflection.GetMessage(message, &field) : reflection.GetRepeatedMessage(message, &field, i);
        check(below, places != nullptr ? places->GetTreeForNested(&field, index) : nullptr, place);
      }
    }
  }

  void check_duration(const pb::Message& duration, Place place) {
    const std::string_view part = wrong_part(span_of(duration));
    if (!part.empty()) errors_.AddError(place.line, place.column, std::string(expected_of(part)));
  }

  const Schema& schema_;
  Errors& errors_;
};

}  // namespace

bool is_proto_file(std::string_view name) { return name.ends_with(".pb") || name.ends_with(".pb_text"); }

std::string from_proto(std::string_view name, const std::string& text, const Schema& schema, Problems& problems) {
  const pb::Descriptor* descriptor = schema.message("envoy.config.bootstrap.v3.Bootstrap");
  const std::unique_ptr<pb::Message> message(schema.factory().GetPrototype(descriptor)->New());
  const bool is_text = name.ends_with(".pb_text");
  Errors errors(name, problems);
  pb::TextFormat::ParseInfoTree places;
  if (is_text) {
    const AnyTypes types(schema);
    pb::TextFormat::Parser parser;
    parser.SetFinder(&types);
    parser.RecordErrorsTo(&errors);
    parser.WriteLocationsTo(&places);
    parser.SetRecursionLimit(kMessageDepthMax);
    if (!parser.ParseFromString(text, message.get())) return {};
  } else if (!message->ParsePartialFromString(text)) {
    problems.add({.file = std::string(name), .message = "is no serialized envoy.config.bootstrap.v3.Bootstrap"});
    return {};
  }
  if (is_too_deep(*message, schema, 0)) {
    problems.add({.file = std::string(name), .message = fmt::format("nested deeper than {} levels", kDepthMax)});
    return {};
  }
  const std::size_t found = problems.fatal();
  Values(schema, errors).check(*message, is_text ? &places : nullptr, {});
  if (problems.fatal() > found) return {};
  pb::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = pb::util::MessageToJsonString(*message, &json, options);
  if (!status.ok()) problems.add({.file = std::string(name), .message = std::string(status.message())});
  return json;
}

}  // namespace outrider::config
