// What each side tells the other of itself (RFC 9113 section 6.5, RFC 8441 section 3).
#pragma once
#include <cstdint>
#include <limits>
#include <optional>

#include "wire/h2_frame.h"

namespace outrider::h2 {

inline constexpr std::uint32_t kWindowMax = 0x7fffffff;
inline constexpr std::uint32_t kWindowDefault = 65'535;

enum class Setting : std::uint16_t {
  header_table_size = 1,
  enable_push = 2,
  max_concurrent_streams = 3,
  initial_window_size = 4,
  max_frame_size = 5,
  max_header_list_size = 6,
  enable_connect_protocol = 8,
};

// With the values that hold before anything is said.
struct Settings {
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t header_table_size = 4096;
  bool enable_push = true;
  std::uint32_t max_concurrent_streams = kUnlimited;
  std::uint32_t initial_window_size = kWindowDefault;
  std::uint32_t max_frame_size = kFrameBytesMin;
  std::uint32_t max_header_list_size = kUnlimited;
  bool enable_connect_protocol = false;

  // Unknown settings are ignored. An error: the value is not allowed, and the connection ends.
  std::optional<ErrorCode> take(std::uint16_t id, std::uint32_t value);
};

inline std::optional<ErrorCode> Settings::take(std::uint16_t id, std::uint32_t value) {
  switch (static_cast<Setting>(id)) {
    case Setting::header_table_size:
      header_table_size = value;
      break;
    case Setting::enable_push:
      if (value > 1) return ErrorCode::protocol_error;
      enable_push = value == 1;
      break;
    case Setting::max_concurrent_streams:
      max_concurrent_streams = value;
      break;
    case Setting::initial_window_size:
      if (value > kWindowMax) return ErrorCode::flow_control_error;
      initial_window_size = value;
      break;
    case Setting::max_frame_size:
      if (value < kFrameBytesMin || value > kFrameBytesMax) return ErrorCode::protocol_error;
      max_frame_size = value;
      break;
    case Setting::max_header_list_size:
      max_header_list_size = value;
      break;
    case Setting::enable_connect_protocol:
      if (value > 1 || (enable_connect_protocol && value == 0)) return ErrorCode::protocol_error;
      enable_connect_protocol = value == 1;
      break;
  }
  return std::nullopt;
}

}  // namespace outrider::h2
