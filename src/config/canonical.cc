#include "config/canonical.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <unordered_map>

#include <cmath>
#include <string>

#include "config/scalar.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr std::string_view kWellKnown = "google.protobuf.";
constexpr int64_t kExactMax = int64_t{1} << 53;  // past it a reader of JSON may lose digits

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t j = 0; j < 3; ++j) {
      three = three << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (int shift = 18; shift >= 0; shift -= 6) out += kDigits[three >> shift & 63];
  }
  const size_t missing = (3 - bytes.size() % 3) % 3;
  return out.replace(out.size() - missing, missing, missing, '=');
}

std::string duration_text(int64_t seconds, int32_t nanos) {
  std::string out = fmt::format("{}{}", seconds < 0 || nanos < 0 ? "-" : "", std::abs(seconds));
  if (nanos != 0) {
    out += fmt::format(".{:09}", std::abs(nanos));
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + 's';
}

class Canonical {
 public:
  Canonical(Tree& tree, const Schema& schema, const std::vector<Binder::Bound>& messages)
      : tree_(tree), schema_(schema) {
    for (const Binder::Bound& each : messages) contents_.emplace(each.node, each.message);
  }

  Node* message(const Node& node, const pb::Message& from) {
    if (from.GetDescriptor()->full_name().starts_with(kWellKnown)) return well_known(node, from);
    Node* out = tree_.make(Kind::mapping, node.value_mark());
    fields(node, from, *out);
    return out;
  }

 private:
  void fields(const Node& node, const pb::Message& from, Node& out) {
    for (const std::string_view first : {"name", "match"}) {
      if (const Node* child = node.find(first)) entry(*child, from, out);
    }
    for (const Node& child : node) {
      if (child.key != "name" && child.key != "match" && child.key != "@type") entry(child, from, out);
    }
  }

  void entry(const Node& child, const pb::Message& from, Node& out) {
    const Field* field = schema_.field(*from.GetDescriptor(), child.key);
    Node* value = field == nullptr ? raw(child) : this->field(child, from, *field);
    if (value != nullptr) tree_.set(out, field == nullptr ? child.key : tree_.keep(field->name()), *value);
  }

  Node* field(const Node& node, const pb::Message& from, const Field& field) {
    const pb::Reflection& reflection = *from.GetReflection();
    if (field.is_map()) return map(node, from, field);
    if (field.is_repeated()) return list(node, from, field);
    if (field.message_type() == nullptr) {
      return node.kind == Kind::null ? nullptr : scalar(node, from, field, -1);
    }
    if (!reflection.HasField(from, &field)) return nullptr;
    return message(node, reflection.GetMessage(from, &field));
  }

  Node* list(const Node& node, const pb::Message& from, const Field& field) {
    if (!node.is_sequence()) return nullptr;
    Node* out = tree_.make(Kind::sequence, node.value_mark());
    int index = 0;
    for (const Node& item : node) {
      tree_.append(*out, field.message_type() == nullptr
                             ? *scalar(item, from, field, index)
                             : *message(item, from.GetReflection()->GetRepeatedMessage(from, &field, index)));
      ++index;
    }
    return out;
  }

  Node* map(const Node& node, const pb::Message& from, const Field& field) {
    if (!node.is_mapping()) return nullptr;
    Node* out = tree_.make(Kind::mapping, node.value_mark());
    const Field& value = *field.message_type()->map_value();
    int index = 0;
    for (const Node& child : node) {
      const pb::Message& entry = from.GetReflection()->GetRepeatedMessage(from, &field, index++);
      Node* one = value.message_type() == nullptr ? scalar(child, entry, value, -1)
                                                  : message(child, entry.GetReflection()->GetMessage(entry, &value));
      tree_.set(*out, child.key, *one);
    }
    return out;
  }

  // `index` -1: the field is not a list.
  Node* scalar(const Node& node, const pb::Message& from, const Field& field, int index) {
    const pb::Reflection& reflection = *from.GetReflection();
    const auto get = [&](auto single, auto repeated) {
      return index < 0 ? (reflection.*single)(from, &field) : (reflection.*repeated)(from, &field, index);
    };
    switch (field.cpp_type()) {
      case Field::CPPTYPE_BOOL:
        return text(node, get(&pb::Reflection::GetBool, &pb::Reflection::GetRepeatedBool) ? "true" : "false", true);
      case Field::CPPTYPE_INT32:
        return number(node, get(&pb::Reflection::GetInt32, &pb::Reflection::GetRepeatedInt32));
      case Field::CPPTYPE_INT64:
        return number(node, get(&pb::Reflection::GetInt64, &pb::Reflection::GetRepeatedInt64));
      case Field::CPPTYPE_UINT32:
        return number(node, get(&pb::Reflection::GetUInt32, &pb::Reflection::GetRepeatedUInt32));
      case Field::CPPTYPE_UINT64:
        return number(node, get(&pb::Reflection::GetUInt64, &pb::Reflection::GetRepeatedUInt64));
      case Field::CPPTYPE_FLOAT:
        return real(node, get(&pb::Reflection::GetFloat, &pb::Reflection::GetRepeatedFloat));
      case Field::CPPTYPE_DOUBLE:
        return real(node, get(&pb::Reflection::GetDouble, &pb::Reflection::GetRepeatedDouble));
      case Field::CPPTYPE_ENUM:
        return text(node, get(&pb::Reflection::GetEnum, &pb::Reflection::GetRepeatedEnum)->name(), false);
      case Field::CPPTYPE_STRING: {
        const std::string bytes = get(&pb::Reflection::GetString, &pb::Reflection::GetRepeatedString);
        return text(node, field.type() == Field::TYPE_BYTES ? base64(bytes) : bytes, false);
      }
      case Field::CPPTYPE_MESSAGE:
        break;
    }
    return text(node, "", false);
  }

  Node* text(const Node& node, std::string_view text, bool plain) {
    return tree_.make_scalar(text, plain, node.value_mark());
  }

  template <class Integer>
  Node* number(const Node& node, Integer value) {
    const bool is_exact = std::cmp_less_equal(value, kExactMax) && std::cmp_greater_equal(value, -kExactMax);
    return text(node, fmt::format("{}", value), is_exact);
  }

  template <class Real>
  Node* real(const Node& node, Real value) {
    if (std::isnan(value)) return text(node, "NaN", false);
    if (std::isinf(value)) return text(node, value < 0 ? "-Infinity" : "Infinity", false);
    return text(node, fmt::format("{}", value), true);
  }

  Node* well_known(const Node& node, const pb::Message& from) {
    const pb::Descriptor& descriptor = *from.GetDescriptor();
    const std::string_view name = std::string_view(descriptor.full_name()).substr(kWellKnown.size());
    if (name == "Any") return any(node);
    if (name == "Struct" || name == "Value" || name == "ListValue") return raw(node);
    const pb::Reflection& reflection = *from.GetReflection();
    if (name.ends_with("Value")) return scalar(node, from, *descriptor.FindFieldByNumber(1), -1);
    if (name == "Duration" || name == "Timestamp") {
      const int64_t seconds = reflection.GetInt64(from, descriptor.FindFieldByNumber(1));
      const int32_t nanos = reflection.GetInt32(from, descriptor.FindFieldByNumber(2));
      if (name == "Duration") return text(node, duration_text(seconds, nanos), false);
      pb::Timestamp time;
      time.set_seconds(seconds);
      time.set_nanos(nanos);
      return text(node, pb::util::TimeUtil::ToString(time), false);
    }
    Node* out = tree_.make(Kind::mapping, node.value_mark());
    fields(node, from, *out);
    return out;
  }

  Node* any(const Node& node) {
    const auto found = contents_.find(&node);
    if (found == contents_.end()) return raw(node);
    Node* out = tree_.make(Kind::mapping, node.value_mark());
    const std::string& type = found->second->GetDescriptor()->full_name();
    tree_.set_scalar(*out, "@type", fmt::format("type.googleapis.com/{}", type), false, node.value_mark());
    if (!type.starts_with(kWellKnown)) {
      fields(node, *found->second, *out);
    } else if (const Node* value = node.find("value")) {
      tree_.set(*out, "value", *well_known(*value, *found->second));
    }
    return out;
  }

  // As it stands. A text without quotes is a truth value or a number if it looks like one.
  Node* raw(const Node& node) {
    Node* out = tree_.make(node.kind, node.value_mark());
    bool truth = false;
    double value = 0;
    if (node.is_scalar()) {
      out->text = node.text;
      if (node.plain && to_bool(node.text, truth)) return text(node, truth ? "true" : "false", true);
      if (node.plain && to_plain_floating(node.text, value)) return real(node, value);
    }
    for (const Node& child : node) {
      Node* copy = raw(child);
      if (child.has_key) {
        tree_.set(*out, child.key, *copy);
      } else {
        tree_.append(*out, *copy);
      }
    }
    return out;
  }

  Tree& tree_;
  const Schema& schema_;
  std::unordered_map<const Node*, const pb::Message*> contents_;  // of each Any
};

}  // namespace

Node* canonical(Tree& tree, const Schema& schema, const std::vector<Binder::Bound>& messages) {
  const Binder::Bound& whole = messages.back();
  return Canonical(tree, schema, messages).message(*whole.node, *whole.message);
}

}  // namespace outrider::config
