// Bytes from anywhere as a client's WebSocket frames: however they are cut, the same messages must come out.
//
// Input: the first byte is the size of the pieces for the second reading.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "wire/websocket.h"

namespace outrider::websocket {
namespace {

// Everything that was decoded as one text, in which pieces of a message are joined.
std::string decode(std::string_view bytes, size_t piece) {
  Limits limits{.frame_bytes_max = 1 << 12, .message_bytes_max = 1 << 13};
  Decoder decoder(limits);
  std::string text;
  for (size_t begin = 0; begin < bytes.size(); begin += piece) {
    size_t size = std::min(piece, bytes.size() - begin);
    auto part = std::make_unique<char[]>(size);
    std::ranges::copy(bytes.substr(begin, size), part.get());
    for (size_t at = 0;;) {
      Decoder::Event event = decoder.step(part.get() + at, size - at);
      at += event.consumed;
      if (at > size) std::abort();
      if (event.kind == Decoder::Kind::need_more) break;
      if (event.kind == Decoder::Kind::data) {
        // A bad character ends the message at another place when its piece is shorter.
        text += event.opcode == Opcode::text ? std::string_view{} : event.payload;
        if (event.message_end) text += "\nmessage ";
        continue;
      }
      text += "\nevent " + std::to_string(static_cast<int>(event.kind)) + " " + std::to_string(event.code) + " ";
      text += event.payload;
      if (event.kind == Decoder::Kind::close || event.kind == Decoder::Kind::error) return text;
    }
  }
  return text;
}

}  // namespace
}  // namespace outrider::websocket

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using outrider::websocket::decode;
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string whole = decode(bytes, bytes.size());
  if (decode(bytes, size_t{data[0]} + 1) != whole || decode(bytes, 1) != whole) std::abort();
  return 0;
}
