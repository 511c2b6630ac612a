#include "wire/websocket.h"

#include <algorithm>
#include <cstring>

namespace outrider::websocket {
namespace {

// UTF-8 by states (Unicode 15 table 3-7): how many continuation bytes are due, and the range of the next one.
struct Utf8 {
  uint8_t due = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;

  static Utf8 unpack(uint32_t packed) {
    return {static_cast<uint8_t>(packed), static_cast<uint8_t>(packed >> 8), static_cast<uint8_t>(packed >> 16)};
  }
  uint32_t pack() const {
    return due == 0 ? 0
                    : static_cast<uint32_t>(due) | static_cast<uint32_t>(low) << 8 | static_cast<uint32_t>(high) << 16;
  }

  bool take(uint8_t byte) {
    if (due != 0) {
      if (byte < low || byte > high) return false;
      *this = {static_cast<uint8_t>(due - 1)};
      return true;
    }
    if (byte < 0x80) return true;
    if (byte >= 0xc2 && byte <= 0xdf) {
      *this = {1};
    } else if (byte >= 0xe0 && byte <= 0xef) {
      *this = {2, static_cast<uint8_t>(byte == 0xe0 ? 0xa0 : 0x80), static_cast<uint8_t>(byte == 0xed ? 0x9f : 0xbf)};
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      *this = {3, static_cast<uint8_t>(byte == 0xf0 ? 0x90 : 0x80), static_cast<uint8_t>(byte == 0xf4 ? 0x8f : 0xbf)};
    } else {
      return false;
    }
    return true;
  }
};

bool is_utf8(std::string_view text) {
  Utf8 state;
  bool fits = std::ranges::all_of(text, [&](char c) { return state.take(static_cast<uint8_t>(c)); });
  return fits && state.due == 0;
}

// RFC 6455 §7.4: what may stand in a close frame.
bool is_close_code(uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

}  // namespace

Decoder::Event Decoder::fail(uint16_t code, std::string_view reason) {
  Event event;
  event.kind = Kind::error;
  event.code = code;
  event.reason = reason;
  return event;
}

Decoder::Event Decoder::need_more(size_t consumed) {
  Event event;
  event.consumed = consumed;
  return event;
}

size_t Decoder::header_bytes_needed() const {
  if (header_size_ < 2) return 2;
  size_t length = header_[1] & 0x7f;
  size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + extended + 4;
}

// The header is whole: what it says, or the error.
std::optional<Decoder::Event> Decoder::start_frame() {
  frame_opcode_ = static_cast<Opcode>(header_[0] & 0x0f);
  final_ = (header_[0] & 0x80) != 0;
  uint64_t length = header_[1] & 0x7f;
  size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  uint64_t shortest = length == 126 ? 126 : length == 127 ? 65536 : 0;
  if (extended != 0) length = 0;
  for (size_t i = 0; i < extended; ++i) length = length << 8 | header_[2 + i];
  if (length < shortest) return fail(kProtocolFailure, "length not in its shortest form");
  std::memcpy(mask_.data(), header_.data() + 2 + extended, mask_.size());
  mask_phase_ = 0;
  header_size_ = 0;
  in_frame_ = true;
  frame_remaining_ = length;
  control_size_ = 0;
  if (is_control(frame_opcode_)) return std::nullopt;
  if (length > limits_->frame_bytes_max) return fail(kMessageTooBig, "frame over its size limit");
  if (frame_opcode_ != Opcode::continuation) {
    message_opcode_ = frame_opcode_;
    message_bytes_ = 0;
    utf8_state_ = 0;
    in_message_ = true;
  }
  if (length > limits_->message_bytes_max - std::min(message_bytes_, limits_->message_bytes_max)) {
    return fail(kMessageTooBig, "message over its size limit");
  }
  message_bytes_ += length;
  return std::nullopt;
}

// What the first two bytes of a frame say, as soon as they are there; null when all is well.
const char* Decoder::first_bytes_error() const {
  if ((header_[0] & 0x70) != 0) return "reserved bit set";
  auto opcode = static_cast<Opcode>(header_[0] & 0x0f);
  bool known = opcode <= Opcode::binary || (opcode >= Opcode::close && opcode <= Opcode::pong);
  if (!known) return "unknown opcode";
  if ((header_[1] & 0x80) == 0) return "client frame is not masked";
  if (is_control(opcode)) {
    if ((header_[0] & 0x80) == 0) return "fragmented control frame";
    if ((header_[1] & 0x7f) > kControlPayloadMax) return "control frame over 125 bytes";
    return nullptr;
  }
  if (opcode == Opcode::continuation && !in_message_) return "continuation without a message";
  if (opcode != Opcode::continuation && in_message_) return "new message inside a fragmented one";
  return nullptr;
}

void Decoder::unmask(char* data, size_t size) {
  size_t i = 0;
  while (i < size && mask_phase_ != 0) {
    data[i++] ^= static_cast<char>(mask_[mask_phase_]);
    mask_phase_ = (mask_phase_ + 1) & 3;
  }
  uint64_t mask = 0;
  std::memcpy(&mask, mask_.data(), 4);
  std::memcpy(reinterpret_cast<char*>(&mask) + 4, mask_.data(), 4);
  for (; size - i >= 8; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, 8);
    word ^= mask;
    std::memcpy(data + i, &word, 8);
  }
  for (; i < size; ++i) {
    data[i] ^= static_cast<char>(mask_[mask_phase_]);
    mask_phase_ = (mask_phase_ + 1) & 3;
  }
}

bool Decoder::utf8_continues(std::string_view piece) {
  Utf8 state = Utf8::unpack(utf8_state_);
  for (char c : piece) {
    if (!state.take(static_cast<uint8_t>(c))) return false;
  }
  utf8_state_ = state.pack();
  return true;
}

Decoder::Event Decoder::step(char* data, size_t size) {
  size_t at = 0;
  while (!in_frame_) {
    size_t needed = header_bytes_needed();
    while (header_size_ < needed && at < size) header_[header_size_++] = static_cast<unsigned char>(data[at++]);
    if (header_size_ < needed) return need_more(at);
    if (needed == 2) {
      if (const char* error = first_bytes_error()) return fail(kProtocolFailure, error);
      continue;
    }
    if (auto error = start_frame()) return *error;
  }
  size_t bytes = std::min<uint64_t>(frame_remaining_, size - at);
  if (bytes == 0 && frame_remaining_ != 0) return need_more(at);
  unmask(data + at, bytes);
  frame_remaining_ -= bytes;
  std::string_view piece(data + at, bytes);
  return is_control(frame_opcode_) ? control_piece(piece, at + bytes) : data_piece(piece, at + bytes);
}

Decoder::Event Decoder::data_piece(std::string_view piece, size_t consumed) {
  bool frame_end = frame_remaining_ == 0;
  bool message_end = frame_end && final_;
  if (message_opcode_ == Opcode::text) {
    if (!utf8_continues(piece) || (message_end && utf8_state_ != 0)) return fail(kInvalidPayload, "text is not UTF-8");
  }
  if (frame_end) in_frame_ = false;
  if (message_end) in_message_ = false;
  return {Kind::data, consumed, message_opcode_, message_end, 0, piece, {}};
}

Decoder::Event Decoder::control_piece(std::string_view piece, size_t consumed) {
  std::ranges::copy(piece, control_.data() + control_size_);
  control_size_ = static_cast<uint8_t>(control_size_ + piece.size());
  if (frame_remaining_ != 0) return need_more(consumed);
  in_frame_ = false;
  std::string_view payload(control_.data(), control_size_);
  if (frame_opcode_ == Opcode::close) return close_event(payload, consumed);
  Event event;
  event.kind = frame_opcode_ == Opcode::ping ? Kind::ping : Kind::pong;
  event.consumed = consumed;
  event.payload = payload;
  return event;
}

Decoder::Event Decoder::close_event(std::string_view payload, size_t consumed) {
  Event event;
  event.kind = Kind::close;
  event.consumed = consumed;
  event.code = kNormalClosure;
  if (payload.empty()) return event;
  if (payload.size() == 1) return fail(kProtocolFailure, "close frame with half a code");
  event.code =
      static_cast<uint16_t>(static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]));
  event.payload = payload.substr(2);
  if (!is_close_code(event.code)) return fail(kProtocolFailure, "close code that must not be sent");
  if (!is_utf8(event.payload)) return fail(kInvalidPayload, "close reason is not UTF-8");
  return event;
}

char* encode_frame_header(Opcode opcode, bool final_fragment, uint64_t bytes, char* out) {
  *out++ = static_cast<char>((final_fragment ? 0x80 : 0) | static_cast<uint8_t>(opcode));
  size_t extended = bytes < 126 ? 0 : bytes < 65536 ? 2 : 8;
  *out++ = static_cast<char>(extended == 0 ? bytes : extended == 2 ? 126 : 127);
  for (size_t i = extended; i-- > 0;) *out++ = static_cast<char>(bytes >> (8 * i));
  return out;
}

char* encode_close_frame(uint16_t code, std::string_view reason, char* out) {
  constexpr size_t kReasonBytesMax = 123;
  reason = reason.substr(0, kReasonBytesMax);
  // A cut inside a character would be no UTF-8.
  while (!reason.empty() && !is_utf8(reason)) reason.remove_suffix(1);
  out = encode_frame_header(Opcode::close, true, 2 + reason.size(), out);
  *out++ = static_cast<char>(code >> 8);
  *out++ = static_cast<char>(code);
  return std::ranges::copy(reason, out).out;
}

}  // namespace outrider::websocket
