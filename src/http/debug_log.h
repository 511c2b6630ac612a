// What `-l debug` tells of each request and its connections, in Envoy's words where it has them. What nobody reads
// costs one load.
#pragma once
#include <string>
#include <utility>

#include "core/log.h"
#include "http/exchange.h"

namespace outrider {

// "[C12] ", the connection of the client.
std::string debug_mark(const DownstreamConnection& c);
// "':method', 'GET'", a line for each field.
std::string debug_fields(const RequestHead& head);
std::string debug_fields(const ResponseHead& head);

// `text` makes the message; it is called only if somebody reads it.
template <class Text>
inline void debug(const DownstreamConnection& c, Logger logger, Text&& text) {
  if (log_enabled(logger, LogLevel::debug)) [[unlikely]]
    log(logger, LogLevel::debug, debug_mark(c) + text());
}
template <class Text>
inline void debug(const Exchange& x, Logger logger, Text&& text) {
  debug(x.connection, logger, std::forward<Text>(text));
}

}  // namespace outrider
