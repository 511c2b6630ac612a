// JSON (RFC 8259) of unknown origin, and text of unknown origin as JSON.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/value.h"

namespace outrider {

// Appends the text in quotes. A text that is not UTF-8 is taken byte by byte as ISO-8859-1, which field values once
// were (RFC 9110 section 5.5), so that the result is JSON whatever came.
void append_json_string(std::string_view text, std::string& out);
// It may stand between quotes as it is. Some texts that may are not seen to.
bool json_needs_no_escape(std::string_view text);
// Appends the value, with members in order of their names. Whole numbers have no fraction.
void append_json(const Value& value, std::string& out);

inline constexpr std::size_t kJsonDepthMax = 1000;  // Objects and arrays inside each other.
// Whether the text is one JSON value in UTF-8, with white space around it at most. Deeper than kJsonDepthMax: no.
bool is_json(std::string_view text);
// The value of such a text; nothing: it is none. Of members with the same name the last one counts.
std::optional<Value> parse_json(std::string_view text);

}  // namespace outrider
