// Metadata: values by name space, as routes and clusters carry them and filters make them for a request. Envoy's
// document: "Data sharing between filters".
#pragma once
#include "core/value.h"

namespace outrider {

struct Metadata {
  Value::Struct spaces;  // By name space, such as "envoy.lb"; each a struct.

  bool empty() const { return spaces.empty(); }
  // Null where a name is missing. An empty path gives the whole name space.
  const Value* find(std::string_view space, const std::vector<std::string>& path = {}) const {
    auto at = spaces.find(space);
    return at == spaces.end() ? nullptr : at->second.find(path);
  }
  // What the name space gets; made if need be.
  Value::Struct& space(std::string_view name) {
    Value& value = spaces[std::string(name)];
    if (!value.fields()) value = Value::Struct{};
    return *value.fields();
  }
};

}  // namespace outrider
