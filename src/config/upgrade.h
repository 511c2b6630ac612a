#pragma once

#include <unordered_map>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/dialect.h"
#include "config/extensions.h"
#include "config/problem.h"
#include "config/schema.h"
#include "config/tree.h"

namespace outrider::config {

class Upgrade;

// What becomes of an old key of a message (named by its v3 name). `value` has been taken out of `parent`.
struct Rule {
  std::string_view message;
  std::string_view key;
  void (*apply)(Upgrade& upgrade, Node& parent, Node& value,
                const Path& path);  // nullptr: not built, refuse it by name
  std::string_view rename = {};     // if not empty, the key of the same value in v3; `apply` is not used
};

// A rule with this key is applied to the message as a whole, before those of its keys.
inline constexpr std::string_view kWhole = "*";

using RuleTables = std::span<const std::span<const Rule>>;
// Keys of 2016-18. They are read only in a file that is v1 at least in part, where some stand for something else than
// today.
RuleTables v1_rules();
// Keys of v2, and of v3 where it is deprecated.
RuleTables v2_rules();

// Turns a tree of any dialect into the shape of v3, in place: keys by their v3 names in snake_case, typed_config
// everywhere,
// "@type" of v3. It walks down with the API's descriptors, so each message's rules are applied where that message
// stands, however it was reached. Marks stay those of the file. What it does not know it leaves for the binder to
// refuse.
class Upgrade {
 public:
  Upgrade(Tree& tree, const Schema& schema, Problems& problems) : tree(tree), schema_(schema), problems_(problems) {}

  // The whole of a bootstrap. Returns the dialect.
  Dialect bootstrap(Node& root);

  // The answer of a service of v1, as that message of v3.
  void answer(Node& root, std::string_view message_full_name);

  // Also what only Envoy asks for is put in: the versions of the protocols of discovery, ...
  bool for_envoy = false;

  // The tree is merged over another one: what it does not say may be said there.
  bool is_overlay = false;

  // For the rules.
  Tree& tree;
  void error(Mark mark, const Path& path, std::string message, std::string hint = {});
  void note(Mark mark, const Path& path, std::string message, std::string hint = {});
  // What the message at hand lies in; nullptr if in none.
  Node* listener = nullptr;
  Node* http_connection_manager = nullptr;
  // What the bootstrap once said for all; nullptr if this one does not.
  Node* rate_limit_service = nullptr;  // as the filters of rate limits take it
  Node* tracer = nullptr;              // {name, typed_config or config}
  bool rate_limit_service_used = false, tracer_used = false;
  bool listeners_are_discovered = false;
  // v1: where clusters of the type `sds` get their hosts from.
  Node* sds = nullptr;  // {cluster, refresh_delay_ms}

  // Appends the entries of one mapping to another.
  void move_all(Node& from, Node& to);

  // Keys of the message's rules in this file's dialect, for "did you mean".
  std::vector<std::string_view> old_keys(std::string_view message_full_name) const;

 private:
  struct Shape {                                              // of a message type, made once
    std::unordered_map<std::string_view, const Rule*> rules;  // by the old key, in snake_case and lowerCamelCase
    std::vector<const Rule*> whole;
    bool is_any = false;
    bool is_well_known = false;
  };

  const Shape& shape(const google::protobuf::Descriptor& descriptor);
  void message(Node& node, const google::protobuf::Descriptor& descriptor, std::string_view holder, const Path& path);
  void fields(Node& node, const google::protobuf::Descriptor& descriptor, const Shape& shape, std::string_view holder,
              const Path& path);
  void name_fields(Node& node, const google::protobuf::Descriptor& descriptor, const Path& path);
  void speak_v3(Node& node, const google::protobuf::Descriptor& descriptor, const Path& path);
  void apply_rules(Node& node, const google::protobuf::Descriptor& descriptor, const Shape& shape, const Path& path);
  void replace(Node& node, Node& entry, const Rule& rule, const Path& path);
  void child(Node& node, const google::protobuf::FieldDescriptor& field, std::string_view holder, const Path& path);
  void map(Node& node, const google::protobuf::FieldDescriptor& field, std::string_view holder, const Path& path);
  void any(Node& node, const Path& path);
  void typed_struct(Node& node, const Path& path);
  void extension(Node& node, Slot slot, const Path& path);
  void check_slot(const Node& typed, Slot slot, const Path& path);
  bool name_type(Node& node, Slot slot, const Node& name, const Path& path);
  void wrap_in_list(Node& node, const Path& path);
  void config_by_name(Node& node, Slot slot, const Path& path);
  void any_by_key(Node& entry, Slot slot);

  const Schema& schema_;
  Problems& problems_;
  bool v1_ = false;  // v1 keys are read
  bool saw_v2_ = false;
  std::unordered_map<const google::protobuf::Descriptor*, Shape> shapes_, shapes_v1_;
};

}  // namespace outrider::config
