// Format: a text with command operators (%REQ(X?Y):Z%), as access logs, header values and bodies use it. Envoy's
// document: "Access logging", section "Format strings".
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "http/format_time.h"

namespace outrider {

// The line of an access log for which no other format was configured; Envoy's.
inline constexpr std::string_view kAccessLogFormatDefault =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
    "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

struct FormatError {
  std::size_t position;  // Of the operator's `%` in the text.
  std::string message;
};

struct FormatOptions {
  bool omit_empty = false;  // A value that is not there writes nothing; else `-`.
};

namespace format {

enum class Operator : std::uint8_t {
  literal,
  absent,  // What cannot be there: properties of TLS on plain connections.
  start_time,
  emit_time,
  request_field,
  response_field,
  trailer,
  path,
  query_param,
  query_params,
  protocol,
  response_code,
  response_code_details,
  response_flags,
  response_flags_long,
  bytes_received,
  bytes_sent,
  duration,
  upstream_host,
  upstream_remote_address,
  upstream_local_address,
  upstream_cluster,
  upstream_transport_failure_reason,
  upstream_request_attempt_count,
  downstream_remote_address,
  downstream_direct_remote_address,
  downstream_local_address,
  route_name,
  connection_id,
  stream_id,
  grpc_status,
};

// What a header operator reads.
enum class Source : std::uint8_t { field, method, path, authority, scheme, status, original_path };

struct HeaderName {
  Source source = Source::field;
  Known known = Known::none;
  std::string name;  // Lower case; empty: no such alternative.
};

enum class AddressPart : std::uint8_t { whole, ip, port };
enum class Moment : std::uint8_t { request_begin, request_end, upstream_begin, response_begin, end };
enum class GrpcForm : std::uint8_t { camel, snake, number };
enum class PathForm : std::uint8_t { original_or_path, original, path };

// One operator, or text to copy. A few members serve each operator; the others rest.
struct Step {
  Operator op;
  std::uint32_t bytes_max = UINT32_MAX;  // Of its value.
  std::string text;                      // literal: what is written; query_param: its name.
  HeaderName name, alternative;
  TimeFormat time;
  AddressPart part = AddressPart::whole;
  Moment from = Moment::request_begin, to = Moment::end;
  std::int64_t unit_ns = 1'000'000;  // Of durations.
  GrpcForm grpc = GrpcForm::camel;
  PathForm path = PathForm::original_or_path;
  bool with_query = true;
  bool keep_spaces = false;  // Of response_code_details.
};

}  // namespace format

// Immutable; used by all threads at once.
class Format {
 public:
  // Every operator is checked here, so that append() cannot fail. Constants (%HOSTNAME%, %ENVIRONMENT(X)%) are read
  // now.
  static std::expected<Format, FormatError> compile(std::string_view text, FormatOptions options = {});

  // Appends the text with the operators replaced by what the exchange knows at this moment. Allocates only if `out` has
  // to grow. Values are written as they are: nothing is escaped (no value can hold CR, LF or NUL).
  void append(const Exchange& x, std::string& out) const;

  // The text is the same for every exchange.
  bool constant() const;

 private:
  Format() = default;
  void add_literal(std::string_view text);
  std::vector<format::Step> steps_;
  FormatOptions options_;
};

}  // namespace outrider
