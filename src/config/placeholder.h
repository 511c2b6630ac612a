// What a template engine or a script was to replace before the proxy reads the file.
#pragma once

#include <string_view>

namespace outrider::config {

// Whether the whole text looks like one: $port, ${port}, {{ port }}, {}, <port>, @port@, HOST_PORT.
bool is_placeholder(std::string_view text);

inline constexpr std::string_view kPlaceholderHint = "this looks like a placeholder that nobody has filled in";

}  // namespace outrider::config
