#include "config/rules_of_field.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>

namespace outrider::config {
namespace {

namespace pb = google::protobuf;
using FieldType = pb::FieldDescriptor;

constexpr int kRulesOption = 1071;  // validate.rules in FieldOptions

std::unique_ptr<FieldRules> compile(const pb::Message& rules);

long double number_of(const pb::Message& from, const FieldType& field, int index = -1) {
  const pb::Reflection& reflection = *from.GetReflection();
#define READ(Kind)                                                          \
  (index < 0 ? static_cast<long double>(reflection.Get##Kind(from, &field)) \
             : static_cast<long double>(reflection.GetRepeated##Kind(from, &field, index)))
  switch (field.cpp_type()) {
    case FieldType::CPPTYPE_INT32:
      return READ(Int32);
    case FieldType::CPPTYPE_INT64:
      return READ(Int64);
    case FieldType::CPPTYPE_UINT32:
      return READ(UInt32);
    case FieldType::CPPTYPE_UINT64:
      return READ(UInt64);
    case FieldType::CPPTYPE_FLOAT:
      return READ(Float);
    case FieldType::CPPTYPE_DOUBLE:
      return READ(Double);
    default:
      break;
  }
#undef READ
  const pb::Message& span =
      index < 0 ? reflection.GetMessage(from, &field) : reflection.GetRepeatedMessage(from, &field, index);
  const pb::Descriptor& descriptor = *span.GetDescriptor();  // Duration, Timestamp
  return static_cast<long double>(span.GetReflection()->GetInt64(span, descriptor.FindFieldByNumber(1))) +
         span.GetReflection()->GetInt32(span, descriptor.FindFieldByNumber(2)) / 1e9L;
}

std::vector<long double> numbers_of(const pb::Message& from, const FieldType& field) {
  std::vector<long double> out;
  for (int i = 0; i < from.GetReflection()->FieldSize(from, &field); ++i) out.push_back(number_of(from, field, i));
  return out;
}

std::vector<std::string> texts_of(const pb::Message& from, const FieldType& field) {
  std::vector<std::string> out;
  for (int i = 0; i < from.GetReflection()->FieldSize(from, &field); ++i) {
    out.push_back(from.GetReflection()->GetRepeatedString(from, &field, i));
  }
  return out;
}

bool truth_of(const pb::Message& from, const FieldType& field) { return from.GetReflection()->GetBool(from, &field); }

// One constraint that rules of every kind may have. False: it is none of these.
bool read_common(const pb::Message& from, const FieldType& field, FieldRules& out) {
  const std::string& name = field.name();
  if (name == "required") return out.required = truth_of(from, field), true;
  if (name == "skip") return out.skip = truth_of(from, field), true;
  if (name == "ignore_empty") return out.ignore_empty = truth_of(from, field), true;
  if (name == "defined_only") return out.defined_only = truth_of(from, field), true;
  if (name == "unique") return out.unique = truth_of(from, field), true;
  if (name == "min_items" || name == "min_pairs")
    return out.items_min = static_cast<uint64_t>(number_of(from, field)), true;
  if (name == "max_items" || name == "max_pairs")
    return out.items_max = static_cast<uint64_t>(number_of(from, field)), true;
  std::unique_ptr<FieldRules>* below = name == "items"    ? &out.items
                                       : name == "keys"   ? &out.keys
                                       : name == "values" ? &out.values
                                                          : nullptr;
  if (below == nullptr) return false;
  *below = compile(from.GetReflection()->GetMessage(from, &field));
  out.unknown.insert(out.unknown.end(), (*below)->unknown.begin(), (*below)->unknown.end());
  return true;
}

bool read_number(const pb::Message& from, const FieldType& field, FieldRules& out) {
  const std::string& name = field.name();
  if (out.number == nullptr) out.number = std::make_unique<NumberRules>();
  NumberRules& rules = *out.number;
  if (name == "const") return rules.equal = number_of(from, field), true;
  if (name == "lt") return rules.less = number_of(from, field), true;
  if (name == "lte") return rules.at_most = number_of(from, field), true;
  if (name == "gt") return rules.greater = number_of(from, field), true;
  if (name == "gte") return rules.at_least = number_of(from, field), true;
  if (name == "in") return rules.in = numbers_of(from, field), true;
  if (name == "not_in") return rules.not_in = numbers_of(from, field), true;
  return false;
}

bool read_text(const pb::Message& from, const FieldType& field, FieldRules& out) {
  const std::string& name = field.name();
  if (out.text == nullptr) out.text = std::make_unique<TextRules>();
  TextRules& rules = *out.text;
  const bool is_bytes = from.GetDescriptor()->name() == "BytesRules";
  const auto count = [&] { return static_cast<uint64_t>(number_of(from, field)); };
  const auto text = [&] { return from.GetReflection()->GetString(from, &field); };
  if (name == "min_len") return (is_bytes ? rules.bytes_min : rules.characters_min) = count(), true;
  if (name == "max_len") return (is_bytes ? rules.bytes_max : rules.characters_max) = count(), true;
  if (name == "len") return rules.characters_min = rules.characters_max = count(), true;
  if (name == "min_bytes") return rules.bytes_min = count(), true;
  if (name == "max_bytes") return rules.bytes_max = count(), true;
  if (name == "len_bytes") return rules.bytes_min = rules.bytes_max = count(), true;
  if (name == "const") return rules.equal = text(), true;
  if (name == "prefix") return rules.prefix = text(), true;
  if (name == "suffix") return rules.suffix = text(), true;
  if (name == "contains") return rules.contains = text(), true;
  if (name == "not_contains") return rules.not_contains = text(), true;
  if (name == "in") return rules.in = texts_of(from, field), true;
  if (name == "not_in") return rules.not_in = texts_of(from, field), true;
  if (name == "strict") return rules.strict = truth_of(from, field), true;
  if (name == "pattern") return rules.pattern = std::make_unique<RE2>(text(), RE2::Quiet), rules.pattern->ok();
  if (name == "well_known_regex") {
    const int which = from.GetReflection()->GetEnumValue(from, &field);
    if (which == 1) return rules.header = TextRules::Header::name, true;
    if (which == 2) return rules.header = TextRules::Header::value, true;
  }
  return false;
}

// `rules` is a validate.FieldRules: one member of its oneof (and `message`) is set.
std::unique_ptr<FieldRules> compile(const pb::Message& rules) {
  auto out = std::make_unique<FieldRules>();
  std::vector<const FieldType*> kinds;
  rules.GetReflection()->ListFields(rules, &kinds);
  for (const FieldType* kind : kinds) {
    const pb::Message& of_kind = rules.GetReflection()->GetMessage(rules, kind);
    std::vector<const FieldType*> set;
    of_kind.GetReflection()->ListFields(of_kind, &set);
    const std::string& name = of_kind.GetDescriptor()->name();
    for (const FieldType* one : set) {
      if (read_common(of_kind, *one, *out)) continue;
      bool known = false;
      if (name == "StringRules" || name == "BytesRules") {
        known = read_text(of_kind, *one, *out);
      } else if (name == "BoolRules") {
        out->truth = truth_of(of_kind, *one);
        known = true;
      } else if (name != "RepeatedRules" && name != "MapRules" && name != "AnyRules" && name != "MessageRules") {
        known = read_number(of_kind, *one, *out);
      }
      if (!known) out->unknown.push_back(one->full_name());
    }
  }
  return out;
}

bool is_in(const std::vector<long double>& list, long double value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string number_text(long double value) { return fmt::format("{}", static_cast<double>(value)); }

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_token(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+,-.^_|~`").find(c) != std::string_view::npos;
}

bool is_header(const TextRules& rules, std::string_view text) {
  if (!rules.strict) return text.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos;
  if (rules.header == TextRules::Header::value) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
  }
  if (text.starts_with(':')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token);
}

}  // namespace

std::unique_ptr<FieldRules> rules_of(const Schema& schema, const FieldType& field) {
  const pb::UnknownFieldSet& options = field.options().GetReflection()->GetUnknownFields(field.options());
  const pb::Descriptor* descriptor = nullptr;
  std::unique_ptr<pb::Message> rules;
  for (int i = 0; i < options.field_count(); ++i) {
    const pb::UnknownField& one = options.field(i);
    if (one.number() != kRulesOption || one.type() != pb::UnknownField::TYPE_LENGTH_DELIMITED) continue;
    if (rules == nullptr) {
      descriptor = schema.message("validate.FieldRules");
      rules.reset(schema.factory().GetPrototype(descriptor)->New());
    }
    rules->MergeFromString(one.length_delimited());
  }
  return rules == nullptr ? nullptr : compile(*rules);
}

std::string violation(const NumberRules& rules, long double value) {
  const auto lowest = rules.greater ? rules.greater : rules.at_least;
  const auto highest = rules.less ? rules.less : rules.at_most;
  const bool above = rules.greater ? value > *rules.greater : !rules.at_least || value >= *rules.at_least;
  const bool below = rules.less ? value < *rules.less : !rules.at_most || value <= *rules.at_most;
  const bool outside = lowest && highest && *highest < *lowest;  // then the range is what is not allowed
  if (outside ? !(above || below) : !(above && below)) {
    std::string low =
        lowest ? fmt::format("{} {}", rules.greater ? "more than" : "at least", number_text(*lowest)) : "";
    std::string high = highest ? fmt::format("{} {}", rules.less ? "less than" : "at most", number_text(*highest)) : "";
    return low + (low.empty() || high.empty() ? "" : outside ? " or " : " and ") + high;
  }
  if (rules.equal && value != *rules.equal) return number_text(*rules.equal);
  if (!rules.in.empty() && !is_in(rules.in, value)) return "one of the listed values";
  if (is_in(rules.not_in, value)) return "another value";
  return {};
}

std::string violation(const TextRules& rules, std::string_view value) {
  if (value.empty() && (rules.characters_min == 1 || rules.bytes_min == 1)) return "a text that is not empty";
  const size_t characters = count_characters(value);
  if (characters < rules.characters_min) return fmt::format("at least {} characters", rules.characters_min);
  if (characters > rules.characters_max) return fmt::format("at most {} characters", rules.characters_max);
  if (value.size() < rules.bytes_min) return fmt::format("at least {} bytes", rules.bytes_min);
  if (value.size() > rules.bytes_max) return fmt::format("at most {} bytes", rules.bytes_max);
  if (rules.equal && value != *rules.equal) return fmt::format("`{}`", *rules.equal);
  if (!value.starts_with(rules.prefix)) return fmt::format("a text that begins with `{}`", rules.prefix);
  if (!value.ends_with(rules.suffix)) return fmt::format("a text that ends with `{}`", rules.suffix);
  if (value.find(rules.contains) == std::string_view::npos)
    return fmt::format("a text with `{}` in it", rules.contains);
  if (!rules.not_contains.empty() && value.find(rules.not_contains) != std::string_view::npos) {
    return fmt::format("a text without `{}`", rules.not_contains);
  }
  if (!rules.in.empty() && std::find(rules.in.begin(), rules.in.end(), value) == rules.in.end()) {
    return fmt::format("one of {}", fmt::join(rules.in, ", "));
  }
  if (std::find(rules.not_in.begin(), rules.not_in.end(), value) != rules.not_in.end()) return "another text";
  if (rules.pattern != nullptr && !RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *rules.pattern)) {
    return fmt::format("a text that matches {}", rules.pattern->pattern());
  }
  if (rules.header == TextRules::Header::name && !is_header(rules, value)) return "the name of a header field";
  if (rules.header == TextRules::Header::value && !is_header(rules, value)) return "the value of a header field";
  return {};
}

}  // namespace outrider::config
