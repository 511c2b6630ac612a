#pragma once

#include <cstdint>
#include <string_view>

#include "core/arena.h"

namespace outrider {

// A number in decimal digits, in the Arena. Made for the numbers of one message: few digits, no call.
inline std::string_view decimal(Arena& arena, std::uint64_t number) {
  std::size_t digits = 1;
  for (std::uint64_t rest = number; rest >= 10; rest /= 10) ++digits;
  char* text = static_cast<char*>(arena.allocate(digits, 1));
  for (char* at = text + digits; at != text; number /= 10) *--at = static_cast<char>('0' + number % 10);
  return {text, digits};
}

}  // namespace outrider
