// Header blocks that come, and the streams that they open (RFC 9113 sections 4.3, 5.1, 6.2, 6.10 and 8.1).
#include "wire/h2_connection.h"

namespace outrider::h2 {

bool Connection::on_headers(const FrameHeader& frame, std::string_view payload) {
  if (frame.stream == 0) return fail(ErrorCode::protocol_error, "HEADERS on stream 0");
  std::size_t padding = 0;
  if (frame.has(flag::kPadded)) {
    if (payload.empty()) return fail(ErrorCode::frame_size_error, "HEADERS without its padding length");
    padding = static_cast<unsigned char>(payload.front());
    payload.remove_prefix(1);
  }
  bool depends_on_itself = false;
  if (frame.has(flag::kPriority)) {
    if (payload.size() < kPriorityBytes) return fail(ErrorCode::frame_size_error, "HEADERS without its priority");
    depends_on_itself = (read_32(payload.data()) & kStreamIdMax) == frame.stream;
    payload.remove_prefix(kPriorityBytes);
  }
  if (padding > payload.size()) return fail(ErrorCode::protocol_error, "padding is longer than its frame");
  if (depends_on_itself) return fail(ErrorCode::protocol_error, "a stream depends on itself");
  payload.remove_suffix(padding);
  bool end = frame.has(flag::kEndStream);
  if (payload.empty() && !end && !guard_.empty_frame()) {
    return fail(ErrorCode::enhance_your_calm, "too many empty frames", Flood::empty_frames);
  }
  if (frame.has(flag::kEndHeaders)) return on_block(frame.stream, end, payload);
  block_ = {frame.stream, end, 0, std::string(payload)};
  return true;
}

bool Connection::on_continuation(const FrameHeader& frame, std::string_view payload) {
  if (block_.stream == 0) return fail(ErrorCode::protocol_error, "CONTINUATION without HEADERS");
  if (!guard_.continuation(++block_.continuations)) {
    return fail(ErrorCode::enhance_your_calm, "too many CONTINUATION frames", Flood::continuations);
  }
  bool ends = frame.has(flag::kEndHeaders);
  if (payload.empty() && !ends && !guard_.empty_frame()) {
    return fail(ErrorCode::enhance_your_calm, "too many empty frames", Flood::empty_frames);
  }
  // Coded text is at most 30 bits a byte, so that what is longer is too large whatever it says.
  if (block_.bytes.size() + payload.size() > 4 * std::size_t{options_.head.bytes_max}) {
    return fail(ErrorCode::enhance_your_calm, "the header block is too large", Flood::continuations);
  }
  block_.bytes.append(payload);
  if (!ends) return true;
  HeaderBlock whole = std::exchange(block_, {});
  return on_block(whole.stream, whole.end_stream, whole.bytes);
}

bool Connection::on_block(StreamId id, bool end_stream, std::string_view block) {
  Stream* stream = streams_.find(id);
  if (stream && !stream->remote_ended()) {
    return stream->head_received ? take_trailers(*stream, end_stream, block) : take_head(*stream, end_stream, block);
  }
  if (stream) return skip_block(block) && fail_stream(*stream, ErrorCode::stream_closed, "HEADERS behind the end");
  if (side_ == Side::server && id % 2 == 1 && id > last_remote_) return open_remote(id, end_stream, block);
  if (is_idle(id) || (id > skipped_from_ && id < skipped_to_)) {
    return fail(ErrorCode::protocol_error, "HEADERS on a stream that cannot be opened");
  }
  if (was_reset(id)) return skip_block(block);
  return fail(ErrorCode::stream_closed, "HEADERS on a closed stream");
}

bool Connection::open_remote(StreamId id, bool end_stream, std::string_view block) {
  if (id > last_remote_ + 2) {
    skipped_from_ = last_remote_;
    skipped_to_ = id;
  }
  if (id > goaway_last_) return skip_block(block);
  last_remote_ = id;
  guard_.stream_opened();
  Stream* stream = remote_streams_ < options_.settings.max_concurrent_streams ? events_.stream_opens(id) : nullptr;
  if (!stream) {
    events_.stream_refused();
    send_rst_stream(id, ErrorCode::refused_stream);
    return skip_block(block);
  }
  stream->id = id;
  stream->state = StreamState::open;
  stream->send_window = SendWindow(peer_.initial_window_size);
  stream->receive_window = first_window();
  streams_.add(*stream);
  remote_streams_++;
  return take_head(*stream, end_stream, block);
}

namespace {

// RFC 9110 section 8.6. A length that is of no body must not be taken for that of the next one.
bool has_forbidden_length(const ResponseHead& head) {
  const Field* length = head.headers.find(Known::content_length);
  return length && (head.informational() || (head.status == 204 && length->value != "0"));
}

}  // namespace

bool Connection::take_head(Stream& stream, bool end_stream, std::string_view block) {
  stream.head_wire_bytes += kFrameHeaderBytes + block.size();
  if (side_ == Side::server) {
    HeadResult result = read_request(decoder_, block, options_.head, *stream.request);
    bool may_connect = options_.settings.enable_connect_protocol || stream.request->protocol.empty();
    if (result.status == HeadStatus::complete && !may_connect) result = {HeadStatus::malformed, kInvalidField};
    return accept(stream, result, end_stream, stream.request->headers);
  }
  HeadResult result = read_response(decoder_, block, options_.head, *stream.response);
  if (result.status == HeadStatus::complete) {
    if (stream.response->informational() && end_stream) result = {HeadStatus::malformed, kBrokenRule};
    if (has_forbidden_length(*stream.response)) result = {HeadStatus::malformed, kInvalidField};
  }
  return accept(stream, result, end_stream, stream.response->headers);
}

// Nothing touches the stream behind head_received().
bool Connection::accept(Stream& stream, const HeadResult& result, bool end_stream, const Headers& headers) {
  switch (result.status) {
    case HeadStatus::undecodable:
      return fail(ErrorCode::compression_error, "a header block cannot be decoded");
    case HeadStatus::too_large:
      return fail_stream(stream, ErrorCode::internal_error, "the head is larger than allowed", result.detail);
    case HeadStatus::malformed:
      return malformed(stream, result.detail, "malformed head");
    case HeadStatus::complete:
      break;
  }
  if (const Field* length = headers.find(Known::content_length)) {
    stream.announced = content_length_of(length->value);
    if (!stream.announced || headers.count(Known::content_length) > 1) {
      return malformed(stream, kInvalidField, "malformed Content-Length");
    }
  }
  if (end_stream && !body_fits(stream)) return malformed(stream, kBrokenRule, "less than Content-Length says");
  stream.head_received = side_ == Side::server || !stream.response->informational();
  if (end_stream) {
    stream.state = stream.local_ended() ? StreamState::closed : StreamState::half_closed_remote;
    if (stream.closed()) close(stream);
  }
  events_.head_received(stream);
  return !failed();
}

bool Connection::take_trailers(Stream& stream, bool end_stream, std::string_view block) {
  auto& trailers = stream.arena.make_owned<Headers>(stream.arena);
  stream.wire_received += kFrameHeaderBytes + block.size();
  HeadResult result = read_trailers(decoder_, block, options_.trailers, trailers);
  if (result.status == HeadStatus::undecodable) {
    return fail(ErrorCode::compression_error, "a header block cannot be decoded");
  }
  if (result.status == HeadStatus::too_large) {
    return fail_stream(stream, ErrorCode::internal_error, "the trailers are larger than allowed", result.detail);
  }
  if (result.status == HeadStatus::malformed) return malformed(stream, result.detail, "malformed trailers");
  if (!end_stream) return malformed(stream, kBrokenRule, "trailers that do not end the stream");
  if (trailers.has(Known::content_length)) return malformed(stream, kBrokenRule, "a length in trailers");
  if (!trailers.empty()) stream.trailers = &trailers;
  end_remote(stream);
  return !failed();
}

bool Connection::skip_block(std::string_view block) {
  Arena arena;
  return skip_head(decoder_, block, arena) || fail(ErrorCode::compression_error, "a header block cannot be decoded");
}

// Section 8.1.1. What answers HEAD, or says that nothing has changed, has no body whatever its length.
bool Connection::may_have_body(const Stream& stream) const {
  if (side_ == Side::server) return true;
  std::uint16_t status = stream.response->status;
  return stream.request->method != Method::head && status != 204 && status != 304;
}

bool Connection::body_fits(const Stream& stream) const {
  if (!stream.announced || stream.received == *stream.announced) return true;
  return !may_have_body(stream) && stream.response->status != 204;
}

void Connection::end_remote(Stream& stream) {
  if (!body_fits(stream)) {
    fail_stream(stream, ErrorCode::protocol_error, "less than Content-Length says", kWrongLength);
    return;
  }
  stream.state = stream.local_ended() ? StreamState::closed : StreamState::half_closed_remote;
  if (stream.closed()) close(stream);
  events_.remote_ended(stream);
}

}  // namespace outrider::h2
