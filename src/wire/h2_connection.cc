#include "wire/h2_connection.h"

#include <algorithm>

namespace outrider::h2 {

Connection::Connection(Side side, const Options& options, Events& events)
    : side_(side),
      options_(options),
      events_(events),
      decoder_(options.settings.header_table_size),
      next_local_(side == Side::client ? 1 : 2),
      receive_window_(kWindowDefault),
      guard_(options.floods),
      preface_left_(side == Side::server ? kPreface.size() : 0) {}

void Connection::start() {
  if (side_ == Side::client) output_.append(kPreface);
  send_settings();
  if (options_.connection_window > kWindowDefault) {
    send_window_update(0, receive_window_.widen(options_.connection_window));
  }
}

bool Connection::is_idle(StreamId id) const {
  bool local = (id % 2 == 1) == (side_ == Side::client);
  if (local) return id >= next_local_;
  return side_ == Side::client || id > last_remote_;  // Nobody may push.
}

ReceiveWindow Connection::first_window() const {
  const std::uint32_t own = options_.settings.initial_window_size;
  return {own, settings_unacknowledged_ > 0 ? std::max(own, kWindowDefault) : own};
}

bool Connection::was_reset(StreamId id) const { return std::ranges::find(resets_, id) != resets_.end(); }

void Connection::close(Stream& stream) {
  stream.state = StreamState::closed;
  streams_.remove(stream);
  if (side_ == Side::server) remote_streams_--;
  if (data_.stream == &stream) data_.stream = nullptr;
}

bool Connection::fail(ErrorCode code, std::string_view reason, Flood flood) {
  if (failed()) return false;
  fault_ = {code, {}, reason, flood};
  send_goaway(last_remote_, code, reason);
  return false;
}

// False where it is the connection that has failed.
bool Connection::fail_stream(Stream& stream, ErrorCode code, std::string_view reason, std::string_view detail) {
  reset(stream, code);
  events_.stream_failed(stream, {code, detail, reason});
  return !failed();
}

bool Connection::malformed(Stream& stream, std::string_view detail, std::string_view reason) {
  if (options_.lenient) return fail_stream(stream, ErrorCode::protocol_error, reason, detail);
  fail(ErrorCode::protocol_error, reason);
  fault_.detail = detail;
  close(stream);
  events_.stream_failed(stream, fault_);
  return false;
}

bool Connection::may_open() const {
  return !goaway_received_ && !failed() && next_local_ <= kStreamIdMax &&
         streams_.size() < peer_.max_concurrent_streams;
}

}  // namespace outrider::h2
