#include "upstream/failure_meaning.h"

namespace outrider {

FailureMeaning meaning_of(Failure failure) {
  switch (failure) {
    case Failure::connect_failed:
      return {503, "remote connection failure", "remote_connection_failure", ResponseFlag::upstream_connection_failure,
              ""};
    case Failure::local_connect_failed:
      return {503, "local connection failure", "local_connection_failure", ResponseFlag::upstream_connection_failure,
              ""};
    case Failure::connect_timeout:
      return {503, "connection timeout", "connection_timeout", ResponseFlag::upstream_connection_failure, ""};
    case Failure::overflow:
      return {503, "overflow", "overflow", ResponseFlag::upstream_overflow, ""};
    case Failure::protocol_error:
    case Failure::too_large:
      return {502, "protocol error", "protocol_error", ResponseFlag::upstream_protocol_error,
              "upstream_reset_after_response_started{protocol_error}"};
    case Failure::remote_reset:
      return {503, "remote reset", "remote_reset", ResponseFlag::upstream_remote_reset,
              "upstream_reset_after_response_started{remote_reset}"};
    case Failure::remote_refused:
      return {503, "remote refused stream reset", "remote_refused_stream_reset", ResponseFlag::upstream_remote_reset,
              "upstream_reset_after_response_started{remote_refused_stream_reset}"};
    default:
      return {503, "connection termination", "connection_termination", ResponseFlag::upstream_connection_termination,
              "upstream_reset_after_response_started{connection_termination}"};
  }
}

}  // namespace outrider
