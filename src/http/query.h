// The parameters of a query: looked for, changed, and put back.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outrider {

// "%41b" is "Ab". What is no escape stays as it is.
std::string percent_decode(std::string_view text);
// As the value of a parameter: all but letters, digits and `-_.*` is escaped.
std::string percent_encode(std::string_view text);

// The first value of that name in "a=1&b=2", both as they are written. Nothing: there is none.
std::optional<std::string_view> raw_parameter(std::string_view query, std::string_view name);

class QueryParameters {
 public:
  // Of "/path?a=1&b=2".
  explicit QueryParameters(std::string_view path_and_query);

  // Names are compared without their escapes; so is the value given.
  bool has(std::string_view name) const;
  std::optional<std::string> first(std::string_view name) const;

  // These take names and values without escapes.
  void add(std::string_view name, std::string_view value);
  void overwrite(std::string_view name, std::string_view value);  // Adds it, if there is none.
  void remove(std::string_view name);

  // The path with these parameters: sorted by name, those of a name in their order, each with a `=`, as Envoy writes
  // them. Unlike Envoy, the escapes in what came from the client stay: without them a parameter may be another one, or
  // the request none at all.
  std::string path_with(std::string_view path_and_query) const;

 private:
  struct Parameter {
    std::string name;                 // Without escapes.
    std::string raw_name, raw_value;  // As they are written.
  };
  std::vector<Parameter> list_;
};

}  // namespace outrider
