#include "http/buffered_body.h"

#include <algorithm>

#include "core/block_pool.h"
#include "core/leaf.h"

namespace outrider {

Task<BufferedBody::Filled> BufferedBody::fill(std::size_t bytes_max) {
  for (int steps = 1; !ended() && buffer_.size() <= bytes_max; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    std::size_t piece = std::min(BlockPool::kBodyBytes, bytes_max - buffer_.size() + 1);
    Frame frame = source_.poll(piece);
    if (frame.pending()) frame = co_await source_.pull(piece);
    if (frame.is_data()) buffer_.append(frame.data);
    if (!frame.is_data()) end_ = frame;
    if (frame.is_data() && frame.last) end_ = Frame::end();
  }
  if (end_.is_reset()) co_return Filled::reset;
  co_return buffer_.size() > bytes_max ? Filled::too_long : Filled::whole;
}

void BufferedBody::replace(std::string_view bytes) {
  buffer_.assign(bytes);
  at_ = 0;
  replaced_ = true;
}

Frame BufferedBody::poll(std::size_t max) {
  if (at_ < buffer_.size()) {
    std::string_view piece = bytes().substr(0, max);
    at_ += piece.size();
    return Frame::bytes(piece, at_ == buffer_.size() && end_.kind == Frame::Kind::end);
  }
  return ended() ? end_ : source_.poll(max);
}

Task<Frame> BufferedBody::pull(std::size_t max) {
  Frame frame = poll(max);
  if (frame.pending()) frame = co_await source_.pull(max);
  co_return frame;
}

std::optional<std::uint64_t> BufferedBody::length() const {
  if (end_.is_reset()) return std::nullopt;
  if (replaced_) return buffer_.size();
  return source_.length();
}

}  // namespace outrider
