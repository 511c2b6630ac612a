// Base64 (RFC 4648 section 4): the alphabet with `+` and `/`.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace outrider {

// The bytes; nothing if the text is not base64. At most two `=` at the end are optional, and bits that no byte takes
// must be 0.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace outrider
