#include "server/websocket_echo.h"

#include <algorithm>
#include <array>

namespace outrider {

using websocket::Decoder;
using websocket::Opcode;

void WebSocketEcho::queue_frame(Opcode opcode, std::string_view payload) {
  char header[websocket::kFrameHeaderSizeMax];
  queued_.append(header, websocket::encode_frame_header(opcode, true, payload.size(), header));
  queued_ += payload;
}

void WebSocketEcho::take(const Decoder::Event& event) {
  switch (event.kind) {
    case Decoder::Kind::data:
      message_ += event.payload;
      if (!event.message_end) return;
      queue_frame(event.opcode, message_);
      message_.clear();
      break;
    case Decoder::Kind::ping:
      queue_frame(Opcode::pong, event.payload);
      break;
    case Decoder::Kind::close:
    case Decoder::Kind::error: {
      char frame[websocket::kCloseFrameSizeMax];
      std::string_view reason = event.kind == Decoder::Kind::error ? event.reason : std::string_view();
      queued_.append(frame, websocket::encode_close_frame(event.code, reason, frame));
      ended_ = true;
      break;
    }
    case Decoder::Kind::pong:
    case Decoder::Kind::need_more:
      return;
  }
  changed_.notify_all();
}

Task<bool> WebSocketEcho::write(std::string_view data) {
  std::array<char, kPieceBytes> piece;  // The decoder unmasks in place; what was lent to us stays as it is.
  while (!data.empty()) {
    std::size_t size = data.copy(piece.data(), piece.size());
    data.remove_prefix(size);
    for (std::size_t at = 0; at < size;) {
      while (queued_.size() > kQueueBytesMax && !ended_) co_await changed_.wait();
      if (ended_) co_return false;
      Decoder::Event event = decoder_.step(piece.data() + at, size - at);
      at += event.consumed;
      take(event);
    }
  }
  co_return !ended_;
}

void WebSocketEcho::finish() {
  ended_ = true;
  changed_.notify_all();
}

Frame WebSocketEcho::poll(std::size_t max) {
  if (sent_ == sending_.size()) {
    sending_.clear();
    sent_ = 0;
    if (queued_.empty()) return ended_ ? Frame::end() : Frame::wait();
    sending_.swap(queued_);
    changed_.notify_all();
  }
  std::string_view data = std::string_view(sending_).substr(sent_, max);
  sent_ += data.size();
  return Frame::bytes(data, false);
}

Task<Frame> WebSocketEcho::pull(std::size_t max) {
  for (;;) {
    Frame frame = poll(max);
    if (!frame.pending()) co_return frame;
    co_await changed_.wait();
  }
}

}  // namespace outrider
