// What comes: frames in their order, and DATA (RFC 9113 chapters 4 and 6.1).
#include "wire/h2_connection.h"

namespace outrider::h2 {
namespace {

// So much of a frame must be here before it can be handled. Of DATA its beginning will do.
std::size_t bytes_needed(const FrameHeader& frame) {
  if (frame.type != FrameType::data) return kFrameHeaderBytes + frame.length;
  return kFrameHeaderBytes + (frame.has(flag::kPadded) && frame.length > 0 ? 1 : 0);
}

}  // namespace

bool Connection::receive(std::string_view bytes) {
  while (!bytes.empty() && !failed()) bytes.remove_prefix(take(bytes));
  return !failed();
}

std::size_t Connection::take(std::string_view bytes) {
  if (preface_left_ > 0) return take_preface(bytes);
  if (in_data_) return take_data(bytes);
  if (!partial_.empty() || bytes.size() < kFrameHeaderBytes) return collect(bytes);
  FrameHeader frame = read_frame_header(bytes.data());
  if (!check(frame)) return bytes.size();
  if (bytes.size() < bytes_needed(frame)) return collect(bytes);
  return take_frame(frame, bytes);
}

std::size_t Connection::take_preface(std::string_view bytes) {
  std::size_t size = std::min(preface_left_, bytes.size());
  if (bytes.substr(0, size) != kPreface.substr(kPreface.size() - preface_left_, size)) {
    fail(ErrorCode::protocol_error, "no HTTP/2 preface");
    return bytes.size();
  }
  preface_left_ -= size;
  return size;
}

// A frame that comes in pieces: how much of them it took.
std::size_t Connection::collect(std::string_view bytes) {
  auto missing = [this] {
    if (partial_.size() < kFrameHeaderBytes) return kFrameHeaderBytes - partial_.size();
    return bytes_needed(read_frame_header(partial_.data())) - partial_.size();
  };
  std::size_t taken = 0;
  for (bool header : {true, false}) {
    if (header && partial_.size() >= kFrameHeaderBytes) continue;
    std::size_t size = std::min(missing(), bytes.size() - taken);
    partial_.append(bytes.substr(taken, size));
    taken += size;
    if (missing() > 0 && partial_.size() != kFrameHeaderBytes) return taken;
    if (header && !check(read_frame_header(partial_.data()))) return bytes.size();
  }
  if (missing() > 0) return taken;
  std::string whole = std::exchange(partial_, {});
  take_frame(read_frame_header(whole.data()), whole);
  return taken;
}

// Of frames of any type.
bool Connection::check(const FrameHeader& frame) {
  if (frame.length > options_.settings.max_frame_size) {
    return fail(ErrorCode::frame_size_error, "frame is larger than SETTINGS_MAX_FRAME_SIZE");
  }
  if (!settings_known_ && (frame.type != FrameType::settings || frame.has(flag::kAck))) {
    return fail(ErrorCode::protocol_error, "the first frame is not SETTINGS");
  }
  if (block_.stream != 0 && (frame.type != FrameType::continuation || frame.stream != block_.stream)) {
    return fail(ErrorCode::protocol_error, "a header block is interrupted");
  }
  return true;
}

// `bytes` begins with the frame, which is here as far as is needed. How much of it was taken.
std::size_t Connection::take_frame(const FrameHeader& frame, std::string_view bytes) {
  if (frame.type == FrameType::data) {
    bool padded = frame.has(flag::kPadded);
    if (padded && frame.length == 0) {
      fail(ErrorCode::frame_size_error, "DATA without its padding length");
    } else {
      begin_data(frame, padded ? 1 + static_cast<unsigned char>(bytes[kFrameHeaderBytes]) : 0);
    }
    return bytes_needed(frame);
  }
  dispatch(frame, bytes.substr(kFrameHeaderBytes, frame.length));
  return kFrameHeaderBytes + frame.length;
}

bool Connection::dispatch(const FrameHeader& frame, std::string_view payload) {
  switch (frame.type) {
    case FrameType::headers:
      return on_headers(frame, payload);
    case FrameType::priority:
      return on_priority(frame, payload);
    case FrameType::rst_stream:
      return on_rst_stream(frame, payload);
    case FrameType::settings:
      return on_settings(frame, payload);
    case FrameType::push_promise:
      return fail(ErrorCode::protocol_error, "PUSH_PROMISE was not allowed");
    case FrameType::ping:
      return on_ping(frame, payload);
    case FrameType::goaway:
      return on_goaway(frame, payload);
    case FrameType::window_update:
      return on_window_update(frame, payload);
    case FrameType::continuation:
      return on_continuation(frame, payload);
    default:
      return true;  // Section 4.1: what is unknown is ignored.
  }
}

// `padding` counts its length byte.
bool Connection::begin_data(const FrameHeader& frame, std::uint32_t padding) {
  bool end = frame.has(flag::kEndStream);
  if (frame.stream == 0) return fail(ErrorCode::protocol_error, "DATA on stream 0");
  if (padding > frame.length) return fail(ErrorCode::protocol_error, "padding is longer than its frame");
  if (frame.length > padding || end) {
    guard_.full_frame();
  } else if (!guard_.empty_frame()) {
    return fail(ErrorCode::enhance_your_calm, "too many empty frames", Flood::empty_frames);
  }
  if (!receive_window_.take(frame.length)) {
    return fail(ErrorCode::flow_control_error, "more than the connection's window");
  }
  in_data_ = true;
  data_ = {streams_.find(frame.stream), frame.length - padding, padding > 0 ? padding - 1 : 0, padding, end};
  if (data_.stream) {
    accept_data(*data_.stream, frame.length);
  } else if (is_idle(frame.stream)) {
    return fail(ErrorCode::protocol_error, "DATA on an idle stream");
  } else if (!was_reset(frame.stream)) {
    send_rst_stream(frame.stream, ErrorCode::stream_closed);
  }
  if (data_.data_left + data_.padding_left == 0) end_data();
  return !failed();
}

// Ends the stream if it may have none, or no more.
bool Connection::accept_data(Stream& stream, std::uint32_t frame_bytes) {
  if (stream.remote_ended()) {
    return fail_stream(stream, ErrorCode::stream_closed, "DATA behind the end of its stream");
  }
  if (!stream.head_received) return fail_stream(stream, ErrorCode::protocol_error, "DATA before the head");
  if (!stream.receive_window.take(frame_bytes)) {
    return fail_stream(stream, ErrorCode::flow_control_error, "more than the stream's window");
  }
  stream.received += data_.data_left;
  stream.wire_received += kFrameHeaderBytes + frame_bytes;
  if (!stream.announced || stream.received <= *stream.announced) return true;
  return fail_stream(stream, ErrorCode::protocol_error, "more than Content-Length says", kWrongLength);
}

std::size_t Connection::take_data(std::string_view bytes) {
  std::size_t data = std::min<std::size_t>(data_.data_left, bytes.size());
  if (data > 0) {
    data_.data_left -= static_cast<std::uint32_t>(data);
    if (data_.stream) {
      events_.data_received(*data_.stream, bytes.substr(0, data));
    } else {
      data_.unwanted += static_cast<std::uint32_t>(data);
    }
  }
  std::size_t padding = std::min<std::size_t>(data_.padding_left, bytes.size() - data);
  data_.padding_left -= static_cast<std::uint32_t>(padding);
  if (data_.data_left + data_.padding_left == 0) end_data();
  return data + padding;
}

void Connection::end_data() {
  in_data_ = false;
  Stream* stream = std::exchange(data_.stream, nullptr);
  if (data_.unwanted > 0) stream ? consumed(*stream, data_.unwanted) : return_to_connection(data_.unwanted);
  if (stream && data_.end) end_remote(*stream);
}

}  // namespace outrider::h2
