#include "upstream/replay_body.h"

#include <utility>

namespace outrider {

// Of what is kept; pending: the source is to be asked.
Frame ReplayBody::replay(std::size_t max) {
  if (at_ == kept_.size()) return end_;
  std::string_view piece = std::string_view(kept_).substr(at_, max);
  at_ += piece.size();
  return Frame::bytes(piece, at_ == kept_.size() && end_.kind == Frame::Kind::end);
}

Frame ReplayBody::keep(Frame frame) {
  if (frame.pending()) return frame;
  if (!frame.is_data()) return end(frame);
  if (!given_up_ && kept_.size() + frame.data.size() > bytes_max_) {
    given_up_ = true;
    if (too_long) too_long->add();
  }
  if (!given_up_) {
    kept_.append(frame.data);
    at_ = kept_.size();
  }
  if (frame.last) end(Frame::end());
  return frame;
}

Frame ReplayBody::end(Frame frame) {
  end_ = frame;
  if (on_end && !given_up_ && !frame.is_reset()) std::exchange(on_end, nullptr)(told, kept_);
  return frame;
}

Frame ReplayBody::poll(std::size_t max) {
  Frame kept = replay(max);
  return kept.pending() ? keep(source_.poll(max)) : kept;
}

Task<Frame> ReplayBody::pull(std::size_t max) {
  Frame kept = replay(max);
  if (!kept.pending()) co_return kept;
  co_return keep(co_await source_.pull(max));
}

}  // namespace outrider
