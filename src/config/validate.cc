#include "config/validate.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <unordered_set>

#include <vector>

namespace outrider::config {
namespace {

namespace pb = google::protobuf;
using FieldType = pb::FieldDescriptor;

constexpr int kOneofRequiredOption = 1071;    // validate.required in OneofOptions
constexpr int kMessageDisabledOption = 1071;  // validate.disabled in MessageOptions
constexpr std::string_view kWellKnown = "google.protobuf.";

bool has_flag(const pb::Message& options, int number) {
  const pb::UnknownFieldSet& unknown = options.GetReflection()->GetUnknownFields(options);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const pb::UnknownField& one = unknown.field(i);
    if (one.number() == number && one.type() == pb::UnknownField::TYPE_VARINT && one.varint() != 0) return true;
  }
  return false;
}

bool is_wrapper(const pb::Descriptor& descriptor) {
  const std::string_view name = descriptor.full_name();
  return name.starts_with(kWellKnown) && name.ends_with("Value") && descriptor.field_count() == 1 &&
         name != "google.protobuf.ListValue";
}

// What nanoseconds in 64 bits can hold, 292 years. Envoy refuses what lies outside where it uses it.
constexpr int64_t kSecondsMax = INT64_MAX / 1'000'000'000;

bool is_duration(const pb::Descriptor& descriptor) { return descriptor.full_name() == "google.protobuf.Duration"; }

bool is_span(const pb::Descriptor& descriptor) {
  return is_duration(descriptor) || descriptor.full_name() == "google.protobuf.Timestamp";
}

// The value of a scalar field, or of one item of a repeated one.
struct Value {
  const pb::Message& message;
  const FieldType& field;
  int index = -1;

  std::string text() const {
    return index < 0 ? message.GetReflection()->GetString(message, &field)
                     : message.GetReflection()->GetRepeatedString(message, &field, index);
  }
  bool truth() const {
    return index < 0 ? message.GetReflection()->GetBool(message, &field)
                     : message.GetReflection()->GetRepeatedBool(message, &field, index);
  }
  int number_of_enum() const {
    return index < 0 ? message.GetReflection()->GetEnumValue(message, &field)
                     : message.GetReflection()->GetRepeatedEnumValue(message, &field, index);
  }
  long double number() const {
    const pb::Reflection& r = *message.GetReflection();
    const bool one = index < 0;
    switch (field.cpp_type()) {
      case FieldType::CPPTYPE_INT32:
        return one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
      case FieldType::CPPTYPE_INT64:
        return one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index);
      case FieldType::CPPTYPE_UINT32:
        return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
      case FieldType::CPPTYPE_UINT64:
        return one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index);
      case FieldType::CPPTYPE_FLOAT:
        return one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index);
      case FieldType::CPPTYPE_DOUBLE:
        return one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index);
      case FieldType::CPPTYPE_ENUM:
        return number_of_enum();
      default:
        return 0;
    }
  }
};

long double seconds_of(const pb::Message& span) {
  const pb::Descriptor& descriptor = *span.GetDescriptor();
  return static_cast<long double>(span.GetReflection()->GetInt64(span, descriptor.FindFieldByNumber(1))) +
         span.GetReflection()->GetInt32(span, descriptor.FindFieldByNumber(2)) / 1e9L;
}

// What is wrong with a value that is no message; empty if nothing is.
std::string violation_of(const FieldRules& rules, const Value& value) {
  switch (value.field.cpp_type()) {
    case FieldType::CPPTYPE_STRING: {
      if (rules.text == nullptr) return {};
      const std::string text = value.text();
      return rules.ignore_empty && text.empty() ? std::string() : violation(*rules.text, text);
    }
    case FieldType::CPPTYPE_BOOL:
      return rules.truth && *rules.truth != value.truth() ? std::string(*rules.truth ? "true" : "false")
                                                          : std::string();
    case FieldType::CPPTYPE_ENUM:
      if (rules.defined_only && value.field.enum_type()->FindValueByNumber(value.number_of_enum()) == nullptr) {
        return "a number that has a name";
      }
      break;
    default:
      break;
  }
  if (rules.number == nullptr) return {};
  const long double number = value.number();
  return rules.ignore_empty && number == 0 ? std::string() : violation(*rules.number, number);
}

void expect(const Validator::Report& report, const Path& path, std::string wanted) {
  if (!wanted.empty()) report(path, wanted + " was expected");
}

}  // namespace

const Validator::Shape& Validator::shape(const pb::Descriptor& descriptor) {
  auto [place, is_new] = shapes_.try_emplace(&descriptor);
  if (!is_new) return *place->second;
  auto made = std::make_unique<Shape>();
  if (!has_flag(descriptor.options(), kMessageDisabledOption)) {
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldType* field = descriptor.field(i);
      if (!built_.field(descriptor.full_name(), field->name())) continue;
      Checked checked{field, rules_of(schema_, *field)};
      const bool has_below = field->cpp_type() == FieldType::CPPTYPE_MESSAGE;
      if (has_below || checked.rules != nullptr) made->fields.push_back(std::move(checked));
    }
    for (int i = 0; i < descriptor.real_oneof_decl_count(); ++i) {
      const pb::OneofDescriptor* oneof = descriptor.oneof_decl(i);
      if (has_flag(oneof->options(), kOneofRequiredOption)) made->required_oneofs.push_back(oneof);
    }
  }
  const Shape* out = made.get();
  shapes_[&descriptor] = std::move(made);
  return *out;
}

void Validator::check(const pb::Message& message, const Path& path, const Report& report) {
  const Shape& of_type = shape(*message.GetDescriptor());
  for (const pb::OneofDescriptor* oneof : of_type.required_oneofs) {
    if (message.GetReflection()->HasOneof(message, oneof)) continue;
    std::vector<std::string_view> names;
    for (int i = 0; i < oneof->field_count(); ++i) {
      if (built_.field(message.GetDescriptor()->full_name(), oneof->field(i)->name())) {
        names.push_back(oneof->field(i)->name());
      }
    }
    report(path, names.size() == 1 ? fmt::format("`{}` is missing", names[0])
                                   : fmt::format("one of {} is missing", fmt::join(names, ", ")));
  }
  for (const Checked& checked : of_type.fields) {
    const Path here = path.field(checked.field->name());
    if (checked.field->is_map()) {
      check_map(message, checked, here, report);
    } else if (checked.field->is_repeated()) {
      check_list(message, checked, here, report);
    } else {
      check_field(message, checked, here, report);
    }
  }
}

void Validator::check_field(const pb::Message& message, const Checked& checked, const Path& path,
                            const Report& report) {
  const FieldType& field = *checked.field;
  const FieldRules* rules = checked.rules.get();
  if (field.cpp_type() != FieldType::CPPTYPE_MESSAGE) {
    const bool is_absent_member =
        field.real_containing_oneof() != nullptr && !message.GetReflection()->HasField(message, &field);
    if (!is_absent_member) expect(report, path, violation_of(*rules, {message, field}));
    return;
  }
  if (!message.GetReflection()->HasField(message, &field)) {
    const bool in_oneof = field.real_containing_oneof() != nullptr;
    if (rules != nullptr && rules->required && !in_oneof) report(path, fmt::format("`{}` is missing", field.name()));
    return;
  }
  check_submessage(message.GetReflection()->GetMessage(message, &field), rules, path, report);
}

void Validator::check_submessage(const pb::Message& message, const FieldRules* rules, const Path& path,
                                 const Report& report) {
  const pb::Descriptor& descriptor = *message.GetDescriptor();
  if (rules != nullptr && rules->skip) return;
  if (is_wrapper(descriptor)) {
    if (rules != nullptr) expect(report, path, violation_of(*rules, {message, *descriptor.field(0)}));
    return;
  }
  if (is_span(descriptor)) {
    if (rules != nullptr && rules->number != nullptr) {
      std::string wanted = violation(*rules->number, seconds_of(message));
      if (!wanted.empty()) return report(path, wanted + " seconds was expected");
    }
    const long double seconds = seconds_of(message);
    if (is_duration(descriptor) && (seconds < 0 || seconds > kSecondsMax)) {
      report(path, fmt::format("0 to {} seconds were expected", kSecondsMax));
    }
    return;
  }
  if (std::string_view(descriptor.full_name()).starts_with(kWellKnown)) return;
  check(message, path, report);
}

void Validator::check_list(const pb::Message& message, const Checked& checked, const Path& path, const Report& report) {
  const FieldType& field = *checked.field;
  const FieldRules* rules = checked.rules.get();
  const int count = message.GetReflection()->FieldSize(message, &field);
  if (rules != nullptr && !(rules->ignore_empty && count == 0)) {
    const auto size = static_cast<uint64_t>(count);
    if (size < rules->items_min)
      report(path, fmt::format("at least {} of `{}` was expected", rules->items_min, field.name()));
    if (size > rules->items_max)
      report(path, fmt::format("at most {} of `{}` was expected", rules->items_max, field.name()));
    if (rules->unique) check_unique(message, field, path, report);
  }
  const FieldRules* of_items = rules == nullptr ? nullptr : rules->items.get();
  const bool is_message = field.cpp_type() == FieldType::CPPTYPE_MESSAGE;
  for (int i = 0; i < count && (is_message || of_items != nullptr); ++i) {
    const Path here = path.item(static_cast<size_t>(i));
    if (is_message) {
      check_submessage(message.GetReflection()->GetRepeatedMessage(message, &field, i), of_items, here, report);
    } else {
      expect(report, here, violation_of(*of_items, {message, field, i}));
    }
  }
}

void Validator::check_unique(const pb::Message& message, const FieldType& field, const Path& path,
                             const Report& report) {
  std::unordered_set<std::string> seen;
  const int count = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < count; ++i) {
    std::string value;
    if (field.cpp_type() == FieldType::CPPTYPE_MESSAGE) {
      value = message.GetReflection()->GetRepeatedMessage(message, &field, i).SerializePartialAsString();
    } else if (field.cpp_type() == FieldType::CPPTYPE_STRING) {
      value = message.GetReflection()->GetRepeatedString(message, &field, i);
    } else {
      value = fmt::format("{}", static_cast<double>(Value{message, field, i}.number()));
    }
    if (!seen.insert(std::move(value)).second) report(path.item(static_cast<size_t>(i)), "stands in the list twice");
  }
}

void Validator::check_map(const pb::Message& message, const Checked& checked, const Path& path, const Report& report) {
  const FieldType& field = *checked.field;
  const FieldRules* rules = checked.rules.get();
  const FieldType& key = *field.message_type()->map_key();
  const FieldType& value = *field.message_type()->map_value();
  const int count = message.GetReflection()->FieldSize(message, &field);
  if (rules != nullptr && static_cast<uint64_t>(count) < rules->items_min) {
    report(path, fmt::format("at least {} entries were expected", rules->items_min));
  }
  if (rules != nullptr && static_cast<uint64_t>(count) > rules->items_max) {
    report(path, fmt::format("at most {} entries were expected", rules->items_max));
  }
  for (int i = 0; i < count; ++i) {
    const pb::Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    const std::string name = key.cpp_type() == FieldType::CPPTYPE_STRING
                                 ? entry.GetReflection()->GetString(entry, &key)
                                 : fmt::format("{}", static_cast<double>(Value{entry, key}.number()));
    const Path here = path.entry(name);
    if (rules != nullptr && rules->keys != nullptr) expect(report, here, violation_of(*rules->keys, {entry, key}));
    const FieldRules* of_values = rules == nullptr ? nullptr : rules->values.get();
    if (value.cpp_type() == FieldType::CPPTYPE_MESSAGE) {
      check_submessage(entry.GetReflection()->GetMessage(entry, &value), of_values, here, report);
    } else if (of_values != nullptr) {
      expect(report, here, violation_of(*of_values, {entry, value}));
    }
  }
}

}  // namespace outrider::config
