#include "http/changing_body.h"

#include "core/leaf.h"

namespace outrider {

void ChangingBody::take(const Frame& frame) {
  if (at_ == out_.size()) {
    out_.clear();
    at_ = 0;
  }
  if (frame.is_data() && !change(frame.data, out_)) {
    broken_ = true;
    return;
  }
  if (frame.is_data() && !frame.last) return;
  end_ = finish(frame.is_data() ? Frame::end() : frame, out_);
  broken_ = end_.pending();
}

Frame ChangingBody::poll(std::size_t max) {
  for (int steps = 0; steps < kStepsInARowMax; steps++) {
    if (at_ < out_.size()) {
      std::string_view piece = std::string_view(out_).substr(at_, max);
      at_ += piece.size();
      return Frame::bytes(piece, at_ == out_.size() && end_.kind == Frame::Kind::end);
    }
    if (broken_) return Frame::wait();
    if (!end_.pending()) return end_;
    Frame frame = source_.poll(max);
    if (frame.pending()) return frame;
    take(frame);
  }
  return Frame::wait();
}

Task<Frame> ChangingBody::pull(std::size_t max) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = poll(max);
    if (!frame.pending()) co_return frame;
    if (broken_) co_return co_await broken();
    take(co_await source_.pull(max));
  }
}

}  // namespace outrider
