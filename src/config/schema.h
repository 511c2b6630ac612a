#pragma once

#include <unordered_map>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class DynamicMessageFactory;
class DescriptorPool;
class FieldDescriptor;
}  // namespace google::protobuf

namespace outrider::config {

// Of Envoy's whose API the schema is. Fields that came later are unknown.
inline constexpr std::string_view kApiVersion = "1.36-1.37";

// Envoy's whole API (v2, v3, xds, udpa): a serialized FileDescriptorSet inside the binary.
std::string_view envoy_descriptors();

// The text of built.txt inside the binary.
std::string_view built_table();

// The newest message that goes back to an older one (v2 to v3), by full name; empty if there is none.
std::string_view successor(std::string_view message_full_name);

// Full names of messages that end like this one ("Router", "v3.Router"), or whose last part is near to it; at most
// `max`.
std::vector<std::string> near_messages(std::string_view name, size_t max = 3);

// Reflection over Envoy's API. Reads only the files that are asked for. Some 10 MB while it lives: keep it for a load.
class Schema {
 public:
  Schema();
  ~Schema();
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  const google::protobuf::Descriptor* message(std::string_view full_name) const;  // nullptr if there is none
  // The field of a message by its name as written, in snake_case or lowerCamelCase; nullptr if there is none.
  const google::protobuf::FieldDescriptor* field(const google::protobuf::Descriptor& of, std::string_view name) const;
  const google::protobuf::DescriptorPool& pool() const;
  google::protobuf::DynamicMessageFactory& factory() const;

 private:
  class Database;
  std::unique_ptr<Database> database_;
  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;
  using Fields = std::unordered_map<std::string_view, const google::protobuf::FieldDescriptor*>;
  mutable std::unordered_map<const google::protobuf::Descriptor*, Fields> fields_;
};

// "type.googleapis.com/a.b.C" or "a.b.C" → "a.b.C".
std::string_view type_of_url(std::string_view url);

}  // namespace outrider::config
