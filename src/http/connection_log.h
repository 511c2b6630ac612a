// The access_log of a listener: a line for each connection, when it has ended.
#pragma once
#include "http/access_log.h"

namespace outrider {

struct EndedConnection {
  const DownstreamConnection& connection;
  TimePoint accepted;
  ResponseFlags flags = {};
  std::string_view details = {};                  // %RESPONSE_CODE_DETAILS%; static text.
  std::optional<Version> version = std::nullopt;  // Of the last request; none: there was none.
};

// To the options' connection_logs. Of what a request would tell, such a line has nothing; its bytes are the
// connection's.
void write_connection_logs(const HttpOptions& options, StatBlock& stats, const EndedConnection& ended);

}  // namespace outrider
