#pragma once

#include <unordered_map>

#include <functional>
#include <memory>
#include <string>

#include "config/built.h"
#include "config/rules_of_field.h"
#include "config/schema.h"
#include "config/tree.h"

namespace google::protobuf {
class Message;
class OneofDescriptor;
}  // namespace google::protobuf

namespace outrider::config {

// Checks messages against the `validate.rules` options of Envoy's API, through reflection.
class Validator {
 public:
  // A constraint that does not hold: the path below the message, and what was expected.
  using Report = std::function<void(const Path& path, std::string message)>;

  // Fields that are not built are not looked at: they were refused when they were set.
  Validator(const Schema& schema, const Built& built) : schema_(schema), built_(built) {}

  // Everything below `message`, except for the content of an Any.
  void check(const google::protobuf::Message& message, const Path& path, const Report& report);

 private:
  using Field = google::protobuf::FieldDescriptor;

  struct Checked {
    const Field* field = nullptr;
    std::unique_ptr<FieldRules> rules;  // nullptr: no rules of its own, but messages below
  };
  struct Shape {  // what there is to check of a message type
    std::vector<Checked> fields;
    std::vector<const google::protobuf::OneofDescriptor*> required_oneofs;
  };

  const Shape& shape(const google::protobuf::Descriptor& descriptor);
  void check_field(const google::protobuf::Message& message, const Checked& checked, const Path& path,
                   const Report& report);
  void check_list(const google::protobuf::Message& message, const Checked& checked, const Path& path,
                  const Report& report);
  void check_map(const google::protobuf::Message& message, const Checked& checked, const Path& path,
                 const Report& report);
  void check_submessage(const google::protobuf::Message& message, const FieldRules* rules, const Path& path,
                        const Report& report);
  void check_unique(const google::protobuf::Message& message, const Field& field, const Path& path,
                    const Report& report);

  const Schema& schema_;
  const Built& built_;
  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<Shape>> shapes_;
};

}  // namespace outrider::config
