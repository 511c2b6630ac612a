// Points in time as text: strftime's conversions and fractions of a second.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace outrider {

// Conversions: those of strftime(3); %s seconds since the epoch; %f, %1f … %9f that many digits of the second's
// fraction (%f: 9), cut off, not rounded; %E1S … %E9S seconds with so many decimals; %E*S and %E*f with as many as are
// needed. Without a format: %Y-%m-%dT%H:%M:%S.%3fZ.
class TimeFormat {
 public:
  TimeFormat() = default;
  explicit TimeFormat(std::string_view format, bool local = false);

  void append(WallTime time, std::string& out) const;

 private:
  enum class Kind : std::uint8_t {
    broken_down,
    epoch_seconds,
    fraction,
    fraction_needed,
    seconds_fraction,
    seconds_needed
  };
  struct Piece {
    Kind kind;
    std::uint8_t digits = 0;  // Of fractions.
    std::string format;       // broken_down: for strftime.
  };
  void add(Kind kind, int digits);
  std::size_t add_conversion(std::string_view rest);

  std::vector<Piece> pieces_;  // Empty: the default.
  bool local_ = false;         // In the machine's time zone; else UTC.
};

// "2026-11-21T01:39:57.123Z".
void append_iso_time(WallTime time, std::string& out);

}  // namespace outrider
