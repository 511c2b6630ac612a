// Frames as they look on the wire (RFC 9113 chapters 4, 6 and 7).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outrider::h2 {

using StreamId = std::uint32_t;

// What a client begins with (section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
};

namespace flag {
inline constexpr std::uint8_t kEndStream = 0x01, kAck = 0x01, kEndHeaders = 0x04, kPadded = 0x08, kPriority = 0x20;
}  // namespace flag

// Chapter 7.
enum class ErrorCode : std::uint32_t {
  no_error,
  protocol_error,
  internal_error,
  flow_control_error,
  settings_timeout,
  stream_closed,
  frame_size_error,
  refused_stream,
  cancel,
  compression_error,
  connect_error,
  enhance_your_calm,
  inadequate_security,
  http_1_1_required,
};

struct FrameHeader {
  std::uint32_t length = 0;          // Of the payload.
  FrameType type = FrameType::data;  // Any value: unknown types are ignored.
  std::uint8_t flags = 0;
  StreamId stream = 0;

  bool has(std::uint8_t bit) const { return (flags & bit) != 0; }
};

inline constexpr std::size_t kFrameHeaderBytes = 9;
inline constexpr std::size_t kPriorityBytes = 5;         // Of HEADERS and PRIORITY; no further meaning (section 5.3.2).
inline constexpr std::uint32_t kFrameBytesMin = 16'384;  // SETTINGS_MAX_FRAME_SIZE may be no less …
inline constexpr std::uint32_t kFrameBytesMax = 16'777'215;  // … and no more.
inline constexpr StreamId kStreamIdMax = 0x7fffffff;

inline std::uint32_t read_32(const char* at) {
  auto byte = [at](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(at[i])); };
  return byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
}

inline char* put_32(std::uint32_t value, char* out) {
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
  return out;
}

inline FrameHeader read_frame_header(const char* at) {
  return {read_32(at) >> 8, static_cast<FrameType>(at[3]), static_cast<std::uint8_t>(at[4]),
          read_32(at + 5) & kStreamIdMax};
}

inline char* put_frame_header(const FrameHeader& header, char* out) {
  out = put_32(header.length << 8 | static_cast<std::uint32_t>(header.type), out);
  *out++ = static_cast<char>(header.flags);
  return put_32(header.stream, out);
}

}  // namespace outrider::h2
