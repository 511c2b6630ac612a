// A message of Envoy's API that is built by name: the admin page prints messages for which no C++ is generated.
#pragma once
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"

namespace outrider {

// A message and its fields by name. The API's names are known: one that it does not have is a bug, not an input.
class ApiMessage {
 public:
  explicit ApiMessage(google::protobuf::Message& message) : message_(&message) {}

  ApiMessage child(const std::string& name) const {
    return ApiMessage(*reflection().MutableMessage(message_, field(name)));
  }
  ApiMessage add(const std::string& name) const { return ApiMessage(*reflection().AddMessage(message_, field(name))); }
  bool has(const std::string& name) const { return reflection().HasField(*message_, field(name)); }
  std::string text(const std::string& name) const { return reflection().GetString(*message_, field(name)); }
  std::vector<ApiMessage> list(const std::string& name) const {
    std::vector<ApiMessage> out;
    const int size = reflection().FieldSize(*message_, field(name));
    for (int i = 0; i < size; i++) out.emplace_back(*reflection().MutableRepeatedMessage(message_, field(name), i));
    return out;
  }

  void set(const std::string& name, const std::string& value) const {
    reflection().SetString(message_, field(name), value);
  }
  void set_number(const std::string& name, std::uint32_t value) const {
    reflection().SetUInt32(message_, field(name), value);
  }
  // By the name of the value; one that the enum does not have is left out.
  void set_enum(const std::string& name, const std::string& value) const {
    const auto* known = field(name)->enum_type()->FindValueByName(value);
    if (known) reflection().SetEnum(message_, field(name), known);
  }
  bool has_field(const std::string& name) const { return field(name) != nullptr; }
  bool is_list(const std::string& name) const { return field(name)->is_repeated(); }
  // Of a field that is a message or a list of messages; else null.
  const google::protobuf::Descriptor* type_of(const std::string& name) const { return field(name)->message_type(); }

  // Of an Any.
  void pack(const std::string& type, std::string bytes) const {
    reflection().SetString(message_, field("type_url"), "type.googleapis.com/" + type);
    reflection().SetString(message_, field("value"), std::move(bytes));
  }
  void pack(const ApiMessage& content) const {
    pack(content.message_->GetDescriptor()->full_name(), content.message_->SerializePartialAsString());
  }
  // Of a Timestamp.
  void set_time(WallTime time) const {
    auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    auto millis = std::chrono::floor<std::chrono::milliseconds>(time - seconds);
    reflection().SetInt64(message_, field("seconds"), seconds.time_since_epoch().count());
    reflection().SetInt32(message_, field("nanos"), static_cast<int>(millis.count()) * 1'000'000);
  }
  google::protobuf::Message& message() const { return *message_; }

 private:
  const google::protobuf::Reflection& reflection() const { return *message_->GetReflection(); }
  const google::protobuf::FieldDescriptor* field(const std::string& name) const {
    return message_->GetDescriptor()->FindFieldByName(name);
  }
  google::protobuf::Message* message_;
};

}  // namespace outrider
