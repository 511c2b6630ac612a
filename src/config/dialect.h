#pragma once

#include <cstdint>
#include <string_view>

namespace outrider::config {

// The API whose words a file is written in. A file that mixes them is the oldest one found.
enum class Dialect : uint8_t { v1, v2, v3 };

std::string_view to_text(Dialect dialect);  // "v1"

}  // namespace outrider::config
