#pragma once

#include <string_view>

#include "wire/message.h"
#include "wire/protocol_error.h"

namespace outrider::h1 {

// host [":" port] (RFC 9110 §4.2, RFC 3986 §3.2 without user information). The port is at most 65535.
struct Authority {
  bool valid = false;
  std::string_view host;  // with its brackets when it is an IPv6 address
  bool has_port = false;  // a colon and at least one digit
  bool bare_colon = false;
};
Authority parse_authority(std::string_view text);

// Whether the method is one that Envoy lets through without allow_custom_methods.
bool is_registered_method(std::string_view name);

// Splits a request target (RFC 9112 §3.2) of target characters into `head`'s form, scheme, authority and path, whose
// method is set already. The error, or null. Not `allow_absolute_url`: a URL becomes the path as it stands.
const ProtocolError* parse_target(std::string_view target, RequestHead& head, bool allow_absolute_url = true);

}  // namespace outrider::h1
