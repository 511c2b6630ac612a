// Text of unknown origin as a JSON string.
#pragma once
#include <string>
#include <string_view>

namespace outrider {

// Appends the text in quotes. What is not UTF-8 is taken byte by byte as ISO-8859-1, which field values once were
// (RFC 9110 section 5.5), so that the result is JSON whatever came.
void append_json_string(std::string_view text, std::string& out);

}  // namespace outrider
