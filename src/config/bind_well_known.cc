// google.protobuf's own messages, which have a written form of their own.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include "config/bind.h"
#include "config/duration.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kPackage = "google.protobuf.";

bool is_wrapper(std::string_view name) { return name.ends_with("Value") && name != "Value" && name != "ListValue"; }

void set_span(pb::Message& out, int64_t seconds, int32_t nanos) {
  const pb::Descriptor& descriptor = *out.GetDescriptor();
  out.GetReflection()->SetInt64(&out, descriptor.FindFieldByNumber(1), seconds);
  if (nanos != 0) out.GetReflection()->SetInt32(&out, descriptor.FindFieldByNumber(2), nanos);
}

}  // namespace

bool Binder::well_known(const Node& node, Message& out, const Path& path) {
  const pb::Descriptor& descriptor = *out.GetDescriptor();
  const std::string_view full = descriptor.full_name();
  if (!full.starts_with(kPackage)) return false;
  const std::string_view name = full.substr(kPackage.size());
  if (name == "Any") return any(node, out, path);
  if (is_wrapper(name)) {
    const bool is_spelled_out = node.is_mapping() && node.size() == 1 && node.first->key == "value";
    scalar(is_spelled_out ? *node.first : node, *descriptor.FindFieldByNumber(1), out, path);
    return true;
  }
  if (name == "Duration") return duration(node, out, path), true;
  if (name == "Timestamp") return timestamp(node, out, path), true;
  if (name == "Struct") return struct_fields(node, out, path), true;
  if (name == "Value") return struct_value(node, out, path), true;
  if (name == "ListValue") return list_value(node, out, path), true;
  return false;  // Empty, FieldMask and others have fields like any message
}

void Binder::duration(const Node& node, Message& out, const Path& path) {
  if (node.is_mapping()) {  // {seconds: 1, nanos: 5}
    for (const Node& child : node) entry(node, child, out, path);
    const std::string_view part = wrong_part(span_of(out));
    const Node* wrong = part.empty() ? nullptr : node.find(part);
    if (wrong == nullptr) return;
    refused.add(node);
    refuse(*wrong, path.field(part), std::string(expected_of(part)));
    return;
  }
  Span span;
  bool is_extension = false;
  if (!node.is_scalar() || !to_duration(node.text, span, is_extension)) {
    double seconds = 0;
    const bool is_number = node.is_scalar() && to_floating(node.text, seconds);
    refuse(node, path, "a duration was expected: seconds with an `s`, such as 5s or 0.25s",
           is_number ? fmt::format("did you mean `{}s`?", node.text) : std::string());
    return;
  }
  if (is_extension) {
    note(node, path, fmt::format("`{}` is read, but Envoy knows seconds only", node.text),
         fmt::format("write {}s", static_cast<double>(span.seconds) + span.nanos / 1e9));
  }
  set_span(out, span.seconds, span.nanos);
}

void Binder::timestamp(const Node& node, Message& out, const Path& path) {
  pb::Timestamp time;
  if (!node.is_scalar() || !pb::util::TimeUtil::FromString(std::string(node.text), &time)) {
    refuse(node, path, "a time was expected, such as 2024-05-01T12:00:00Z");
    return;
  }
  set_span(out, time.seconds(), time.nanos());
}

void Binder::struct_fields(const Node& node, Message& out, const Path& path) {
  if (!node.is_mapping()) {
    refuse(node, path, "a mapping was expected");
    return;
  }
  map(node, *out.GetDescriptor()->FindFieldByNumber(1), out, path);
}

void Binder::list_value(const Node& node, Message& out, const Path& path) {
  if (!node.is_sequence()) {
    refuse(node, path, "a list was expected");
    return;
  }
  list(node, *out.GetDescriptor()->FindFieldByNumber(1), out, path);
}

// A text without quotes is a truth value or a number if it looks like one.
void Binder::struct_value(const Node& node, Message& out, const Path& path) {
  const pb::Descriptor& descriptor = *out.GetDescriptor();
  const pb::Reflection& reflection = *out.GetReflection();
  const auto field = [&](int number) { return descriptor.FindFieldByNumber(number); };
  bool truth = false;
  double real = 0;
  const Deeper deeper(depth_);  // Of a mapping or a list.
  switch (node.kind) {
    case Kind::null:
      reflection.SetEnumValue(&out, field(1), 0);
      return;
    case Kind::mapping:
      return struct_fields(node, *reflection.MutableMessage(&out, field(5), &schema_.factory()), path);
    case Kind::sequence:
      return list_value(node, *reflection.MutableMessage(&out, field(6), &schema_.factory()), path);
    case Kind::scalar:
      break;
  }
  if (node.plain && to_bool(node.text, truth)) {
    reflection.SetBool(&out, field(4), truth);
  } else if (node.plain && to_plain_floating(node.text, real)) {
    reflection.SetDouble(&out, field(2), real);
  } else {
    reflection.SetString(&out, field(3), std::string(node.text));
  }
}

}  // namespace outrider::config
