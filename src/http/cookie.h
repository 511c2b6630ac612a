// Cookies of a request (RFC 6265 section 4.2), read as Envoy reads them.
#pragma once
#include <optional>
#include <string_view>

#include "wire/headers.h"

namespace outrider {

// The value of the first cookie of that name, without the quotes around it; nothing if there is none. A view of a
// field.
std::optional<std::string_view> cookie_value(const Headers& headers, std::string_view name);

// Removes all cookies of that name. Those that stay become one field, without their quotes.
void remove_cookie(Headers& headers, std::string_view name);

}  // namespace outrider
