// What a connection manager does to every request and response at the edge: identity, time, hop-by-hop fields.
#pragma once
#include <expected>

#include "http/exchange.h"
#include "wire/protocol_error.h"

namespace outrider {

// Details of the answers to a path that is not normal: 400, or 307 to the normal one.
inline constexpr std::string_view kPathRefused = "path_normalization_failed";

// The host without the port and the dot that the options strip (strip_matching_host_port and the like); empty: it
// stays.
std::string stripped_host(const HttpOptions& options, const RequestHead& request, std::uint16_t listener_port);
// After the head is parsed and its framing known, before the filters. An error is answered with its status.
std::expected<void, ProtocolError> prepare_request(Exchange& x);
// Before the head goes to the client. `closing`: the connection ends behind this response.
void prepare_response(Exchange& x, ResponseHead& head, bool closing, bool tunnel);
// "Sun, 06 Nov 1994 08:49:37 GMT"; valid until the next call on this thread in another second.
std::string_view http_date(WallTime now);

}  // namespace outrider
