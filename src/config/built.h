#pragma once

#include <unordered_map>
#include <unordered_set>

#include <string_view>

namespace outrider::config {

// What outrider has built of Envoy's API: the table in built.txt.
class Built {
 public:
  static const Built& get();
  static const Built& everything();  // as if all of the API were built: for what only reads a file

  bool message(std::string_view full_name) const;
  // Whether a field has an effect. The well-known types of protobuf are built.
  bool field(std::string_view message_full_name, std::string_view field_name) const;
  // The only value that the field may have, since outrider does what it says anyway: "true", "{}"; empty: none.
  std::string_view only_value(std::string_view message_full_name, std::string_view field_name) const;
  bool enum_value(std::string_view enum_full_name, std::string_view value_name) const;

 private:
  Built() = default;
  explicit Built(std::string_view table);

  struct Names {
    bool all = false;
    std::unordered_set<std::string_view> set;
    std::unordered_map<std::string_view, std::string_view> only;
  };
  bool everything_ = false;
  std::unordered_map<std::string_view, Names> messages_;
};

}  // namespace outrider::config
