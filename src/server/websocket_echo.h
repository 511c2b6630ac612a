// A WebSocket conversation that repeats whatever it hears.
#pragma once
#include <string>
#include <string_view>

#include "core/leaf.h"
#include "http/body.h"
#include "wire/websocket.h"

namespace outrider {

// Both ends of a tunnel: the client's bytes go in by write(), the answers are pulled out. Messages come back whole, as
// one frame each; pings are answered. At most one message and kQueueBytesMax of answers (or one answer, if that is
// larger) are held: who does not read is not listened to.
class WebSocketEcho final : public Sink, public Body {
 public:
  static constexpr std::size_t kQueueBytesMax = 64 * 1024;

  // The limits outlive it.
  explicit WebSocketEcho(const websocket::Limits& limits) : decoder_(limits) {}

  Task<bool> write(std::string_view data) override;
  void finish() override;
  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;

 private:
  static constexpr std::size_t kPieceBytes = 4096;
  void take(const websocket::Decoder::Event& event);
  void queue_frame(websocket::Opcode opcode, std::string_view payload);

  websocket::Decoder decoder_;
  std::string message_;   // As far as it has come.
  std::string queued_;    // Frames for the client.
  std::string sending_;   // Those that poll() lends.
  std::size_t sent_ = 0;  // Of sending_.
  bool ended_ = false;    // No further frame: either side has closed.
  Signal changed_;
};

}  // namespace outrider
