#include "http/h1_body.h"

#include <cassert>
#include <cstring>

namespace outrider {

using Kind = h1::BodyFraming::Kind;

H1Body::H1Body(Worker& worker, Transport& transport, Inbox& inbox, const h1::Limits& limits, h1::BodyFraming framing,
               Arena& arena, Cell& received, std::size_t read_max)
    : worker_(worker),
      transport_(transport),
      inbox_(inbox),
      framing_(framing),
      remaining_(framing.length),
      decoder_(limits),
      trailers_(arena),
      received_(received),
      read_max_(read_max),
      window_(inbox.data()),
      window_end_(inbox.data() + inbox.size()) {
  ended_ = framing.kind == Kind::none || (framing.kind == Kind::length && framing.length == 0);
}

std::optional<std::uint64_t> H1Body::length() const {
  if (framing_.kind == Kind::none) return 0;
  if (framing_.kind == Kind::length) return framing_.length;
  return std::nullopt;
}

void H1Body::mark_ended() {
  ended_ = true;
  ended_at_ = worker_.now();
}

void H1Body::become_tunnel() {
  assert(framing_.kind == Kind::tunnel || (ended_ && !failed_));
  framing_ = {Kind::tunnel, 0};
  ended_ = false;
}

Frame H1Body::finish(Frame frame) {
  mark_ended();
  failed_ = frame.is_reset();
  return frame;
}

Frame H1Body::poll(std::size_t max) {
  if (ended_) return Frame::end();
  return framing_.kind == Kind::chunked ? poll_chunked(max) : poll_plain(max);
}

Frame H1Body::poll_plain(std::size_t max) {
  std::size_t n = std::min(window_size(), max);
  if (framing_.kind == Kind::length && n > remaining_) n = static_cast<std::size_t>(remaining_);
  if (n == 0) return Frame::wait();
  std::string_view data(window_, n);
  window_ += n;
  bytes_ += n;
  wire_bytes_ += n;
  if (framing_.kind != Kind::length) return Frame::bytes(data, false);
  remaining_ -= n;
  if (remaining_ == 0) mark_ended();
  return Frame::bytes(data, ended_);
}

// The usual end of a chunked body, recognised at once so that the last data and the end can go out in one write.
bool H1Body::closing_chunk_follows() {
  constexpr std::string_view kEnd = "\r\n0\r\n\r\n";
  if (decoder_.chunk_remaining() != 0 || window_size() < kEnd.size()) return false;
  if (std::memcmp(window_, kEnd.data(), kEnd.size()) != 0) return false;
  window_ += kEnd.size();
  wire_bytes_ += kEnd.size();
  mark_ended();
  return true;
}

// Small chunks are moved together, so that one read makes one frame.
Frame H1Body::poll_chunked(std::size_t max) {
  char* out = nullptr;
  std::size_t gathered = 0;
  while (gathered < max && window_ != window_end_) {
    h1::ChunkDecoder before = decoder_;
    std::size_t offered = std::min(window_size(), max - gathered);
    h1::ChunkDecoder::Step step = decoder_.step(window_, offered, trailers_);
    bool stuck = step.kind == h1::ChunkDecoder::Kind::need_more && step.consumed == 0;
    // Trailers are no data: `max` does not hold for them, and they are read only as a whole.
    if (stuck && gathered == 0 && offered < window_size()) step = decoder_.step(window_, window_size(), trailers_);
    if (step.kind == h1::ChunkDecoder::Kind::end && gathered > 0) {
      decoder_ = before;  // The trailers are the next frame.
      trailers_.clear();
      break;
    }
    window_ += step.consumed;
    wire_bytes_ += step.consumed;
    if (step.kind == h1::ChunkDecoder::Kind::error) return finish(Frame::reset(Failure::protocol_error));
    if (step.kind == h1::ChunkDecoder::Kind::end) {
      return finish(trailers_.empty() ? Frame::end() : Frame::with_trailers(trailers_));
    }
    if (step.kind == h1::ChunkDecoder::Kind::need_more) {
      if (step.consumed == 0) break;
      continue;
    }
    if (!out) {
      out = const_cast<char*>(step.data.data());
    } else {
      std::memmove(out + gathered, step.data.data(), step.data.size());
    }
    gathered += step.data.size();
    bytes_ += step.data.size();
    if (closing_chunk_follows()) break;
  }
  if (gathered == 0) return Frame::wait();
  return Frame::bytes({out, gathered}, ended_);
}

void H1Body::prepare_block() {
  std::size_t left = window_size();
  if (!block_) block_ = worker_.blocks().body();
  if (left > 0) std::memmove(block_.data(), window_, left);  // An unfinished trailer section.
  if (!in_block_) inbox_.consume(inbox_.size());
  in_block_ = true;
  window_ = block_.data();
  window_end_ = window_ + left;
}

Frame H1Body::more(IoResult read) {
  if (read.ok()) {
    received_.add(read.bytes);
    window_end_ += read.bytes;
    return poll(block_.size());
  }
  if (read.state == IoResult::State::end && framing_.kind != Kind::length && framing_.kind != Kind::chunked) {
    return finish(Frame::end());
  }
  return finish(Frame::reset(Failure::connection_closed));
}

Task<Frame> H1Body::pull(std::size_t max) {
  for (;;) {
    Frame frame = poll(max);
    if (!frame.pending()) co_return frame;
    if (continue_first_) {
      continue_first_ = false;
      continue_unfinished_ = true;
      iovec piece{const_cast<char*>(h1::kContinue.data()), h1::kContinue.size()};
      continue_sent_ = (co_await transport_.write(&piece, 1)).ok();
      continue_unfinished_ = false;
    }
    if (window_ == window_end_) {
      block_.reset();  // A waiting stream holds no buffer.
      if (inbox_free_ && !in_block_) {
        inbox_.consume(inbox_.size());
        inbox_.release();
        in_block_ = true;
        window_ = window_end_ = nullptr;
      }
      co_await transport_.readable();
    }
    prepare_block();
    std::size_t room = block_.size() - window_size();
    if (room == 0) co_return finish(Frame::reset(Failure::too_large));
    IoResult read = co_await transport_.read(window_end_, std::min(room, read_max_));
    frame = more(read);
    if (!frame.pending()) co_return frame;
  }
}

void H1Body::settle() {
  if (!in_block_) {
    inbox_.consume(static_cast<std::size_t>(window_ - inbox_.data()));
  } else if (window_ != window_end_) {
    std::size_t begin = static_cast<std::size_t>(window_ - block_.data());
    std::size_t end = static_cast<std::size_t>(window_end_ - block_.data());
    inbox_.replace(std::move(block_), begin, end);
    in_block_ = false;
  }
  block_.reset();
  window_ = window_end_ = nullptr;
}

}  // namespace outrider
