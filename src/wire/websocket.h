#pragma once

// WebSocket (RFC 6455), the server's side: frames to messages and back. No socket, no clock, no allocation but for the
// caller's buffers. Extensions are not negotiated, so reserved bits are refused.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/message.h"

namespace outrider::websocket {

enum class Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// Close codes of RFC 6455 §7.4.1 that the decoder asks for.
inline constexpr uint16_t kNormalClosure = 1000;
inline constexpr uint16_t kProtocolFailure = 1002;
inline constexpr uint16_t kInvalidPayload = 1007;
inline constexpr uint16_t kMessageTooBig = 1009;

struct Limits {
  // Payload of one data frame, and of a whole message over its fragments.
  uint64_t frame_bytes_max = 1 << 20;
  uint64_t message_bytes_max = 1 << 20;
};

// "Sec-WebSocket-Accept" for a client's "Sec-WebSocket-Key" (RFC 6455 §4.2.2).
using AcceptKey = std::array<char, 28>;
AcceptKey accept_key(std::string_view client_key);

// What is wrong with an opening handshake as a request (RFC 6455 §4.2.1), or null: GET, HTTP/1.1, Connection: upgrade,
// Upgrade: websocket, a key of 16 bytes in base64, version 13.
const char* handshake_error(const RequestHead& request);

// Takes a client's frames apart, unmasking in place. Data frames are delivered as pieces: a piece is whatever of a
// frame's payload is there, so no frame has to fit into a buffer. A control frame (payload <= 125 bytes) is delivered
// whole; its bytes are gathered inside the decoder.
class Decoder {
 public:
  enum class Kind : uint8_t {
    need_more,  // all bytes are used up
    data,       // a piece of a text or binary message
    ping,       // answer with a pong that carries the same payload
    pong,
    close,  // the peer closes: answer with `code` (kNormalClosure when it gave none); no further call
    error,  // send a close frame with `code` and end the connection; no further call
  };
  struct Event {
    Kind kind = Kind::need_more;
    size_t consumed = 0;           // bytes used up from the front of `data`
    Opcode opcode = Opcode::text;  // data: text or binary, of the whole message
    bool message_end = false;      // data: this piece is the last of its message
    uint16_t code = 0;             // close, error
    std::string_view payload;      // data, ping, pong: bytes; close: the reason. Inside `data` or this decoder
    std::string_view reason;       // error: what is wrong
  };

  explicit Decoder(const Limits& limits) : limits_(&limits) {}

  // Each call uses up `consumed` bytes; call again with the rest until it says need_more. A `data` event may have an
  // empty payload (an empty message, or the end of one).
  Event step(char* data, size_t size);

 private:
  static constexpr size_t kHeaderBytesMax = 14;
  static constexpr size_t kControlPayloadMax = 125;

  static Event need_more(size_t consumed);
  static Event fail(uint16_t code, std::string_view reason);
  size_t header_bytes_needed() const;
  const char* first_bytes_error() const;
  std::optional<Event> start_frame();
  Event data_piece(std::string_view piece, size_t consumed);
  Event control_piece(std::string_view piece, size_t consumed);
  static Event close_event(std::string_view payload, size_t consumed);
  void unmask(char* data, size_t size);
  bool utf8_continues(std::string_view piece);

  const Limits* limits_;  // outlives the decoder
  uint64_t frame_remaining_ = 0;
  uint64_t message_bytes_ = 0;
  uint32_t utf8_state_ = 0;  // of an unfinished character; 0 between characters
  uint8_t header_size_ = 0;
  uint8_t control_size_ = 0;
  uint8_t mask_phase_ = 0;
  Opcode frame_opcode_ = Opcode::text;
  Opcode message_opcode_ = Opcode::text;
  bool in_frame_ = false;
  bool in_message_ = false;
  bool final_ = false;
  std::array<unsigned char, 4> mask_{};
  std::array<unsigned char, kHeaderBytesMax> header_{};
  std::array<char, kControlPayloadMax> control_{};
};

// A server's frames are not masked. Writes the header (at most kFrameHeaderSizeMax bytes) and returns one past it;
// `bytes` of payload follow.
inline constexpr size_t kFrameHeaderSizeMax = 10;
char* encode_frame_header(Opcode opcode, bool final_fragment, uint64_t bytes, char* out);

// A whole close frame with a reason of at most 123 bytes (cut off beyond): at most kCloseFrameSizeMax bytes.
inline constexpr size_t kCloseFrameSizeMax = 2 + 125;
char* encode_close_frame(uint16_t code, std::string_view reason, char* out);

}  // namespace outrider::websocket
