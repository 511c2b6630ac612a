// Format: a text with command operators (%REQ(X?Y):Z%), as access logs, header values and bodies use it. Envoy's
// document: "Access logging", section "Format strings".
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "http/format_step.h"

namespace outrider {

// The line of an access log for which no other format was configured; Envoy's.
inline constexpr std::string_view kAccessLogFormatDefault =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
    "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

struct FormatError {
  std::size_t position;  // Of the operator's `%` in the text.
  std::string message;   // Envoy's words where it refuses the same.
};

struct FormatOptions {
  bool omit_empty = false;         // A value that is not there writes nothing; else `-`.
  bool req_without_query = false;  // %REQ_WITHOUT_QUERY% exists: the formatter of that name is configured.
  bool one_line = false;           // A control byte in a value, of a decoded query, is written as \x0a.
};

// Immutable; used by all threads at once.
class Format {
 public:
  // Every operator is checked here, so that append() cannot fail. Constants (%HOSTNAME%, %ENVIRONMENT(X)%) are read
  // now.
  static std::expected<Format, FormatError> compile(std::string_view text, FormatOptions options = {});

  // Appends the text with the operators replaced by what the exchange knows at this moment. Allocates only if `out` has
  // to grow. Values are written as they are, unless `one_line` is set: %QUERY_PARAM% and metadata may hold any byte.
  void append(const Exchange& x, std::string& out) const;

  // Appends a JSON value: of a single operator its own kind (number, text, structure), else the text in quotes. False:
  // the single operator has no value, nothing was appended.
  bool append_json(const Exchange& x, std::string& out) const;

  // The text is the same for every exchange.
  bool constant() const;

 private:
  Format() = default;
  void add_literal(std::string_view text);
  std::vector<format::Step> steps_;
  FormatOptions options_;
};

}  // namespace outrider
