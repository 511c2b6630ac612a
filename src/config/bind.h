#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/built.h"
#include "config/extensions.h"
#include "config/problem.h"
#include "config/refused.h"
#include "config/scalar.h"
#include "config/schema.h"
#include "config/tree.h"
#include "config/upgrade.h"

namespace outrider::config {

// The value as a message repeats it.
std::string shown(const Node& node);

// Puts a tree of v3 shape into messages, by their descriptors. What does not fit is a problem: unknown field, wrong
// kind of value, a number out of range, an unknown enum value or type, two of a oneof, and all that outrider has not
// built. The reading is that of proto3 JSON, and where Envoy's YAML is more forgiving, Envoy's.
class Binder {
 public:
  // `old_keys` gives further names for "did you mean"; it may be nullptr.
  Binder(const Tree& tree, const Schema& schema, const Built& built, const Upgrade* old_keys, Problems& problems)
      : tree_(tree), schema_(schema), built_(built), old_keys_(old_keys), problems_(problems) {}

  bool allow_unknown_fields = false;
  bool allow_unknown_types =
      false;  // the content of an Any of a type that the API does not have is left out, with a note
  std::span<const std::string> disabled_extensions;  // their names: no configuration may use them

  // A message and the path of the node that it came from.
  struct Bound {
    std::string path;
    const Node* node = nullptr;
    google::protobuf::Message* message = nullptr;  // lives as long as the Binder
  };

  // The content of each Any comes before the message around it; the message of the whole tree is the last.
  std::vector<Bound> bind(const Node& root, std::string_view message_full_name);

  // A later check has no more to say of these.
  Refused refused;

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  void message(const Node& node, Message& out, const Path& path);
  void entry(const Node& parent, const Node& node, Message& out, const Path& path);
  std::string_view near_field(std::string_view name, const google::protobuf::Descriptor& descriptor) const;
  void unknown_field(const Node& parent, const Node& node, const Message& out, const Path& path);
  bool not_built(const Node& parent, const Node& node, const Field& field, const Path& path);
  bool oneof_is_free(const Node& parent, const Node& node, const Field& field, const Message& out, const Path& path);
  void field(const Node& node, const Field& field, Message& out, const Path& path);
  void list(const Node& node, const Field& field, Message& out, const Path& path);
  void map(const Node& node, const Field& field, Message& out, const Path& path);
  void scalar(const Node& node, const Field& field, Message& out, const Path& path);
  void enumeration(const Node& node, const Field& field, Message& out, const Path& path);

  // bind_any.cc
  bool any(const Node& node, Message& out, const Path& path);
  void content(const Node& node, const google::protobuf::Descriptor& descriptor, Message& out, const Path& path);
  void leave_out(const Node& node, const Node& type, const Path& path, std::string message, std::string hint = {});
  std::string why_not_built(const Node& node, const google::protobuf::Descriptor& descriptor) const;
  bool is_disabled(const Extension& extension) const;
  bool is_optional() const;

  // bind_well_known.cc: true if the message is one of protobuf's own and is done.
  bool well_known(const Node& node, Message& out, const Path& path);
  void duration(const Node& node, Message& out, const Path& path);
  void timestamp(const Node& node, Message& out, const Path& path);
  void struct_value(const Node& node, Message& out, const Path& path);
  void struct_fields(const Node& node, Message& out, const Path& path);
  void list_value(const Node& node, Message& out, const Path& path);

  void refuse(const Node& node, const Path& path, std::string message, std::string hint = {});
  void note(const Node& node, const Path& path, std::string message, std::string hint = {});

  // Counts the messages around the one at hand, as its encoding nests them.
  struct Deeper {
    explicit Deeper(int& d) : depth(d) { ++depth; }
    Deeper(const Deeper&) = delete;
    ~Deeper() { --depth; }
    int& depth;
  };

  const Tree& tree_;
  const Schema& schema_;
  const Built& built_;
  const Upgrade* old_keys_;
  Problems& problems_;
  std::vector<Bound> done_;
  // The message whose entry was begun last.
  struct Holder {
    const Node* node = nullptr;
    const google::protobuf::Descriptor* descriptor = nullptr;
  } holder_;
  int depth_ = -1;  // Of the message at hand; the root's is 0.
  google::protobuf::Arena arena_;
};

}  // namespace outrider::config
