#pragma once

#include <string>
#include <string_view>

#include "config/problem.h"
#include "config/schema.h"

namespace outrider::config {

// Whether a file is a message already: `.pb` in protobuf's wire format, `.pb_text` in its text format.
bool is_proto_file(std::string_view name);

// Turns such a file into JSON, so that it goes the way of all others. What does not parse is a problem and gives
// nothing.
std::string from_proto(std::string_view name, const std::string& text, const Schema& schema, Problems& problems);

}  // namespace outrider::config
