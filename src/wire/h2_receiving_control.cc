// Frames that come and carry no message (RFC 9113 sections 6.3 to 6.9).
#include <algorithm>

#include "wire/h2_connection.h"

namespace outrider::h2 {
namespace {

constexpr std::size_t kSettingBytes = 6;

}  // namespace

// Priorities themselves are obsolete (section 5.3.2).
bool Connection::on_priority(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream == 0) return fail(ErrorCode::protocol_error, "PRIORITY on stream 0");
  if (payload.size() != kPriorityBytes) return fail(ErrorCode::frame_size_error, "PRIORITY of a wrong size");
  if ((read_32(payload.data()) & kStreamIdMax) == frame.stream) {
    return fail(ErrorCode::protocol_error, "a stream depends on itself");
  }
  return guard_.priority() || fail(ErrorCode::enhance_your_calm, "too many PRIORITY frames", Flood::priority_frames);
}

bool Connection::on_rst_stream(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 4) return fail(ErrorCode::frame_size_error, "RST_STREAM of a wrong size");
  if (frame.stream == 0) return fail(ErrorCode::protocol_error, "RST_STREAM on stream 0");
  Stream* stream = streams_.find(frame.stream);
  if (!stream) return !is_idle(frame.stream) || fail(ErrorCode::protocol_error, "RST_STREAM on an idle stream");
  close(*stream);
  events_.stream_reset(*stream, static_cast<ErrorCode>(read_32(payload.data())));
  return true;
}

bool Connection::on_settings(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(ErrorCode::protocol_error, "SETTINGS on a stream");
  if (frame.has(flag::kAck)) {
    if (!payload.empty()) return fail(ErrorCode::frame_size_error, "an acknowledgement with settings");
    if (settings_unacknowledged_ > 0 && --settings_unacknowledged_ == 0) {
      decoder_.set_limit(options_.settings.header_table_size);
    }
    return true;
  }
  if (payload.size() % kSettingBytes != 0) return fail(ErrorCode::frame_size_error, "SETTINGS of a wrong size");
  settings_known_ = true;
  const std::uint32_t window_before = peer_.initial_window_size;
  for (; !payload.empty(); payload.remove_prefix(kSettingBytes)) {
    auto id = static_cast<std::uint16_t>(read_32(payload.data()) >> 16);
    if (auto error = peer_.take(id, read_32(payload.data() + 2))) {
      return fail(*error, "a setting has a value that is not allowed");
    }
  }
  encoder_.set_limit(peer_.header_table_size);
  begin_frame({0, FrameType::settings, flag::kAck, 0});
  count_outbound(true);
  if (!change_initial_window(window_before)) return false;
  events_.settings_received();
  return !failed();
}

// Section 6.9.2.
bool Connection::change_initial_window(std::uint32_t before) {
  const std::int64_t change = std::int64_t{peer_.initial_window_size} - before;
  if (change == 0) return true;
  bool fits = true;
  streams_.each([&](Stream& stream) {
    bool was_closed = stream.send_window.bytes() <= 0;
    fits = stream.send_window.grow(change) && fits;
    if (was_closed && stream.send_window.bytes() > 0) events_.window_opened(stream);
  });
  return fits || fail(ErrorCode::flow_control_error, "a window grows too large");
}

bool Connection::on_ping(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 8) return fail(ErrorCode::frame_size_error, "PING of a wrong size");
  if (frame.stream != 0) return fail(ErrorCode::protocol_error, "PING on a stream");
  if (frame.has(flag::kAck)) {
    events_.ping_answered(std::uint64_t{read_32(payload.data())} << 32 | read_32(payload.data() + 4));
    return !failed();
  }
  char* out = begin_frame({8, FrameType::ping, flag::kAck, 0});
  output_.wrote_to(std::ranges::copy(payload, out).out);
  count_outbound(true);
  return !failed();
}

bool Connection::on_goaway(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream != 0) return fail(ErrorCode::protocol_error, "GOAWAY on a stream");
  if (payload.size() < 8) return fail(ErrorCode::frame_size_error, "GOAWAY of a wrong size");
  goaway_received_ = true;
  StreamId last = read_32(payload.data()) & kStreamIdMax;
  if (side_ == Side::client) {
    streams_.each([&](Stream& stream) {
      if (stream.id <= last) return;
      close(stream);
      events_.stream_reset(stream, ErrorCode::refused_stream);
    });
  }
  events_.goaway_received(last, static_cast<ErrorCode>(read_32(payload.data() + 4)));
  return !failed();
}

bool Connection::on_window_update(const FrameHeader& frame, std::string_view payload) {
  if (payload.size() != 4) return fail(ErrorCode::frame_size_error, "WINDOW_UPDATE of a wrong size");
  if (!guard_.window_update()) {
    return fail(ErrorCode::enhance_your_calm, "too many WINDOW_UPDATE frames", Flood::window_updates);
  }
  const std::uint32_t by = read_32(payload.data()) & kWindowMax;
  if (frame.stream == 0) {
    if (by == 0) return fail(ErrorCode::protocol_error, "WINDOW_UPDATE by nothing");
    bool was_closed = send_window_.bytes() <= 0;
    if (!send_window_.grow(by)) return fail(ErrorCode::flow_control_error, "the connection's window grows too large");
    if (was_closed && send_window_.bytes() > 0) {
      streams_.each([this](Stream& stream) {
        if (stream.send_window.bytes() > 0) events_.window_opened(stream);
      });
    }
    return !failed();
  }
  Stream* stream = streams_.find(frame.stream);
  if (!stream) return !is_idle(frame.stream) || fail(ErrorCode::protocol_error, "WINDOW_UPDATE on an idle stream");
  if (by == 0) return fail_stream(*stream, ErrorCode::protocol_error, "WINDOW_UPDATE by nothing");
  bool was_closed = stream->send_window.bytes() <= 0;
  if (!stream->send_window.grow(by)) {
    return fail_stream(*stream, ErrorCode::flow_control_error, "a window grows too large");
  }
  if (was_closed && stream->send_window.bytes() > 0) events_.window_opened(*stream);
  return !failed();
}

}  // namespace outrider::h2
