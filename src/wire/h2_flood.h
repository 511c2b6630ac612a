// What a peer can do to make work that it does not pay for, and how much of it is borne (Envoy's limits of
// Http2ProtocolOptions). Beyond, the connection ends.
#pragma once
#include <cstdint>

namespace outrider::h2 {

struct FloodLimits {
  std::uint32_t outbound_frames = 10'000;          // max_outbound_frames: that wait for a peer that does not read.
  std::uint32_t outbound_control_frames = 1'000;   // max_outbound_control_frames: of these, PING, SETTINGS, RST_STREAM.
  std::uint32_t empty_frames_in_a_row = 1;         // max_consecutive_inbound_frames_with_empty_payload
  std::uint32_t priority_frames_per_stream = 100;  // max_inbound_priority_frames_per_stream
  std::uint32_t window_updates_per_data_frame = 10;  // max_inbound_window_update_frames_per_data_frame_sent
  std::uint32_t continuations = 64;                  // Frames of one header block.
};

enum class Flood : std::uint8_t {
  none,
  outbound_frames,
  outbound_control_frames,
  empty_frames,
  priority_frames,
  window_updates,
  continuations,
};

// Frames that were written and not sent; `control`: of these, PING, SETTINGS and RST_STREAM.
struct WaitingFrames {
  std::uint32_t frames = 0, control = 0;
};

// Counts, and says when it is too much.
class FloodGuard {
 public:
  explicit FloodGuard(const FloodLimits& limits) : limits_(limits) {}

  void stream_opened() { streams_++; }
  void data_sent() { data_frames_++; }
  // A frame that may be empty, and is: without END_STREAM it says nothing.
  bool empty_frame() { return ++empty_in_a_row_ <= limits_.empty_frames_in_a_row; }
  void full_frame() { empty_in_a_row_ = 0; }
  bool priority() { return ++priorities_ <= std::uint64_t{limits_.priority_frames_per_stream} * (1 + streams_); }
  bool window_update() {
    return ++window_updates_ <=
           5 + 2 * (streams_ + std::uint64_t{limits_.window_updates_per_data_frame} * data_frames_);
  }
  bool continuation(std::uint32_t of_block) const { return of_block <= limits_.continuations; }
  // What has been written and not been sent.
  Flood outbound(bool control) {
    waiting_.frames++;
    waiting_.control += control;
    if (waiting_.control > limits_.outbound_control_frames) return Flood::outbound_control_frames;
    return waiting_.frames > limits_.outbound_frames ? Flood::outbound_frames : Flood::none;
  }
  const WaitingFrames& waiting() const { return waiting_; }
  void sent(const WaitingFrames& sent) {
    waiting_.frames -= sent.frames;
    waiting_.control -= sent.control;
  }

 private:
  const FloodLimits& limits_;
  std::uint64_t streams_ = 0, data_frames_ = 0, priorities_ = 0, window_updates_ = 0;
  std::uint32_t empty_in_a_row_ = 0;
  WaitingFrames waiting_;
};

}  // namespace outrider::h2
