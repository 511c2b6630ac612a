// Names and values that a script gives to header fields.
#pragma once
#include "filters/lua/run.h"

namespace outrider::lua {

// Without a destructor: an error of Lua's may leave it behind.
struct Name {
  char bytes[256];
  std::size_t size = 0;
  std::string_view view() const { return {bytes, size}; }
};

// In lower case; none: it is no name of a field, nor of a pseudo-header.
std::optional<Name> lower_name(std::string_view text);
bool is_field_value(std::string_view value);
bool is_method(std::string_view value);  // CONNECT is none that a script may use.
bool is_target(std::string_view value);  // A path or an authority.

}  // namespace outrider::lua
