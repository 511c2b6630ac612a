// What is written: frames into the output, which somebody sends.
#include <cassert>

#include "wire/h2_connection.h"

namespace outrider::h2 {

// Writes the header; the payload's place, for as many bytes as it says.
char* Connection::begin_frame(const FrameHeader& header) {
  char* payload = put_frame_header(header, output_.room(kFrameHeaderBytes + header.length));
  output_.wrote_to(payload);
  return payload;
}

void Connection::count_outbound(bool control) {
  Flood flood = guard_.outbound(control);
  if (flood == Flood::none || failed()) return;
  fault_ = {ErrorCode::enhance_your_calm, {}, "the peer does not read what it asks for", flood};
}

void Connection::send_settings() {
  const Settings plain;
  const Settings& own = options_.settings;
  std::array<std::pair<Setting, std::uint32_t>, 7> said;
  std::size_t count = 0;
  auto say = [&](Setting setting, std::uint32_t value, bool differs) {
    if (differs) said[count++] = {setting, value};
  };
  say(Setting::header_table_size, own.header_table_size, true);
  say(Setting::enable_push, 0, side_ == Side::client);
  say(Setting::enable_connect_protocol, own.enable_connect_protocol, true);
  say(Setting::max_concurrent_streams, own.max_concurrent_streams,
      own.max_concurrent_streams != plain.max_concurrent_streams);
  say(Setting::initial_window_size, own.initial_window_size, own.initial_window_size != plain.initial_window_size);
  say(Setting::max_frame_size, own.max_frame_size, own.max_frame_size != plain.max_frame_size);
  say(Setting::max_header_list_size, own.max_header_list_size, own.max_header_list_size != plain.max_header_list_size);
  count += options_.more_settings.size();
  char* out = begin_frame({static_cast<std::uint32_t>(6 * count), FrameType::settings, 0, 0});
  auto put = [&](std::uint16_t id, std::uint32_t value) {
    *out++ = static_cast<char>(id >> 8);
    *out++ = static_cast<char>(id);
    out = put_32(value, out);
  };
  for (auto [id, value] : options_.more_settings) put(id, value);
  for (std::size_t i = 0; i < count - options_.more_settings.size(); i++) {
    put(static_cast<std::uint16_t>(said[i].first), said[i].second);
  }
  output_.wrote_to(out);
  settings_unacknowledged_++;
  count_outbound(true);
}

void Connection::send_rst_stream(StreamId id, ErrorCode code) {
  resets_[reset_count_++ % kResetsRemembered] = id;
  output_.wrote_to(put_32(static_cast<std::uint32_t>(code), begin_frame({4, FrameType::rst_stream, 0, id})));
  count_outbound(side_ == Side::server);  // A client resets no more than it has asked for itself.
}

void Connection::send_window_update(StreamId id, std::uint32_t by) {
  output_.wrote_to(put_32(by, begin_frame({4, FrameType::window_update, 0, id})));
  count_outbound(false);
}

void Connection::send_ping(std::uint64_t opaque) {
  char* out = begin_frame({8, FrameType::ping, 0, 0});
  out = put_32(static_cast<std::uint32_t>(opaque >> 32), out);
  output_.wrote_to(put_32(static_cast<std::uint32_t>(opaque), out));
  count_outbound(true);
}

void Connection::send_goaway(StreamId last, ErrorCode code, std::string_view debug) {
  goaway_last_ = std::min(goaway_last_, last);
  char* out = begin_frame({static_cast<std::uint32_t>(8 + debug.size()), FrameType::goaway, 0, 0});
  out = put_32(static_cast<std::uint32_t>(code), put_32(goaway_last_, out));
  output_.wrote_to(std::ranges::copy(debug, out).out);
}

// A block that does not fit a frame goes on in CONTINUATION frames (section 4.3).
void Connection::send_block(StreamId id, bool end_stream, const char* begin, const char* end) {
  const std::string block(begin, end);
  const std::size_t frame_max = peer_.max_frame_size;
  for (std::size_t at = 0; at < block.size();) {
    std::size_t size = std::min(frame_max, block.size() - at);
    bool last = at + size == block.size();
    FrameHeader header{static_cast<std::uint32_t>(size), at == 0 ? FrameType::headers : FrameType::continuation, 0, id};
    if (at == 0 && end_stream) header.flags |= flag::kEndStream;
    if (last) header.flags |= flag::kEndHeaders;
    output_.wrote_to(std::copy_n(block.data() + at, size, begin_frame(header)));
    count_outbound(false);
    at += size;
  }
}

template <class Write>
void Connection::send_head(Stream& stream, std::size_t block_max, bool end, Write write) {
  char* const frame = output_.room(kFrameHeaderBytes + block_max);
  char* const block = frame + kFrameHeaderBytes;
  char* const block_end = write(block);
  auto size = static_cast<std::size_t>(block_end - block);
  if (size > peer_.max_frame_size) {
    send_block(stream.id, end, block, block_end);
  } else {
    std::uint8_t flags = flag::kEndHeaders | (end ? flag::kEndStream : 0);
    put_frame_header({static_cast<std::uint32_t>(size), FrameType::headers, flags, stream.id}, frame);
    output_.wrote_to(block_end);
    count_outbound(false);
  }
  if (end) end_local(stream);
}

void Connection::open(Stream& stream, bool end) {
  assert(may_open());
  stream.id = next_local_;
  next_local_ += 2;
  stream.state = StreamState::open;
  stream.send_window = SendWindow(peer_.initial_window_size);
  stream.receive_window = first_window();
  streams_.add(stream);
  guard_.stream_opened();
  send_head(stream, request_block_max(*stream.request), end,
            [&](char* out) { return write_request(encoder_, *stream.request, out); });
}

void Connection::send_response(Stream& stream, const ResponseHead& head, bool end) {
  send_head(stream, response_block_max(head), end, [&](char* out) { return write_response(encoder_, head, out); });
}

void Connection::send_trailers(Stream& stream, const Headers& trailers) {
  send_head(stream, trailers_block_max(trailers), true,
            [&](char* out) { return write_trailers(encoder_, trailers, out); });
}

std::size_t Connection::sendable(const Stream& stream) const {
  std::int64_t window = std::min(stream.send_window.bytes(), send_window_.bytes());
  return window <= 0 ? 0 : std::min(static_cast<std::size_t>(window), std::size_t{peer_.max_frame_size});
}

void Connection::send_data(Stream& stream, std::string_view data, bool end) {
  assert(data.size() <= sendable(stream));
  stream.send_window.take(data.size());
  send_window_.take(data.size());
  std::uint8_t flags = end ? flag::kEndStream : 0;
  char* out = begin_frame({static_cast<std::uint32_t>(data.size()), FrameType::data, flags, stream.id});
  output_.wrote_to(std::ranges::copy(data, out).out);
  guard_.data_sent();
  count_outbound(false);
  if (end) end_local(stream);
}

void Connection::end_local(Stream& stream) {
  stream.state = stream.remote_ended() ? StreamState::closed : StreamState::half_closed_local;
  if (stream.closed()) close(stream);
}

void Connection::reset(Stream& stream, ErrorCode code) {
  send_rst_stream(stream.id, code);
  close(stream);
}

void Connection::return_to_connection(std::size_t bytes) {
  if (std::uint32_t grant = receive_window_.consumed(static_cast<std::uint32_t>(bytes))) send_window_update(0, grant);
}

void Connection::consumed(Stream& stream, std::size_t bytes) {
  return_to_connection(bytes);
  if (stream.remote_ended()) return;
  if (std::uint32_t grant = stream.receive_window.consumed(static_cast<std::uint32_t>(bytes))) {
    send_window_update(stream.id, grant);
  }
}

}  // namespace outrider::h2
