#include "http/h2_session.h"

#include <algorithm>

namespace outrider {
namespace {

constexpr std::chrono::seconds kLastBytesLimit{1};

}  // namespace

H2Stream::H2Stream(H2Session& session, Worker& worker, Arena& memory)
    : h2::Stream(memory), session_(session), worker_(worker), last_progress_(worker.now()) {}

H2Stream::~H2Stream() {
  reset(h2::ErrorCode::cancel);
  drop_pieces();
  if (counted_) session_.stats_[H2Stat::streams_active].sub();
}

void H2Stream::reset(h2::ErrorCode code) {
  if (id == 0 || closed()) return;
  session_.stats_[H2Stat::tx_reset].add();
  session_.connection_.reset(*this, code);
  session_.touched();
}

void H2Stream::append(std::string_view data) {
  bytes_ += data.size();
  wire_bytes_ = wire_received;
  last_progress_ = worker_.now();
  unread_ += data.size();
  while (!data.empty()) {
    if (newest_.block && newest_.end == newest_.block.size()) older_.push_back(std::exchange(newest_, {}));
    if (!newest_.block) newest_.block = worker_.blocks().head();
    std::size_t size = std::min(data.size(), newest_.block.size() - newest_.end);
    std::copy_n(data.data(), size, newest_.block.data() + newest_.end);
    newest_.end += size;
    data.remove_prefix(size);
  }
}

// What nobody has read is granted to the other streams again.
void H2Stream::drop_pieces() {
  if (unread_ > 0 && !session_.over_) {
    session_.connection_.consumed(*this, static_cast<std::size_t>(std::exchange(unread_, 0)));
    session_.touched();
  }
  older_.clear();
  older_used_ = 0;
  newest_ = {};
}

// The oldest piece that has bytes; null: there is none. What is used up is given back.
H2Stream::Piece* H2Stream::oldest() {
  for (; older_used_ < older_.size(); older_[older_used_++].block.reset()) {
    if (older_[older_used_].begin < older_[older_used_].end) return &older_[older_used_];
  }
  older_.clear();
  older_used_ = 0;
  if (newest_.begin < newest_.end) return &newest_;
  newest_ = {};
  return nullptr;
}

std::optional<std::uint64_t> H2Stream::length() const {
  if (announced || !ended_with_head_) return announced;
  return 0;
}

Frame H2Stream::poll(std::size_t max) {
  if (Piece* piece = oldest()) {
    std::size_t size = std::min(max, piece->end - piece->begin);
    std::string_view data(piece->block.data() + piece->begin, size);
    piece->begin += size;
    unread_ -= size;
    if (!session_.over_) {
      session_.connection_.consumed(*this, size);
      session_.touched();
    }
    bool last = unread_ == 0 && whole_ && !trailers;
    end_told_ = last;
    return Frame::bytes(data, last);
  }
  if (end_told_) return Frame::end();
  if (!whole_) return broken() ? Frame::reset(failure_) : Frame::wait();
  end_told_ = true;
  return trailers ? Frame::with_trailers(*trailers) : Frame::end();
}

Task<Frame> H2Stream::pull(std::size_t max) {
  for (;;) {
    Frame frame = poll(max);
    if (!frame.pending()) co_return frame;
    co_await changed_.wait();
  }
}

// The next head gets a place of its own. False: there have been too many, and the stream is no more.
bool H2Stream::take_interim() {
  for (const Field& f : response->headers) interims_bytes_ += f.name.size() + f.value.size();
  interims_.push_back(response);
  response = &arena.make_owned<ResponseHead>(arena);
  if (++interims_count_ <= kInterimHeadsMax && interims_bytes_ <= kInterimBytesMax) return true;
  reset(h2::ErrorCode::enhance_your_calm);
  fail(Failure::protocol_error, h2::ErrorCode::enhance_your_calm);
  return false;
}

ResponseHead* H2Stream::next_interim() {
  if (interims_.empty()) return nullptr;
  ResponseHead* head = interims_.front();
  interims_.erase(interims_.begin());
  return head;
}

void H2Stream::end_received() {
  ended_ = whole_ = true;
  ended_at_ = last_progress_ = worker_.now();
  wire_bytes_ = wire_received;
  changed_.notify_all();
}

void H2Stream::fail(Failure failure, h2::ErrorCode code) {
  failure_ = failure;
  if (!std::exchange(ended_, true)) {
    failed_ = true;
    ended_at_ = worker_.now();
  }
  reset_code_ = code;
  changed_.notify_all();
  may_send_.notify_all();
}

std::size_t H2Stream::send_some(std::string_view data, bool end) {
  std::size_t sent = 0;
  while (sent < data.size() && !local_ended()) {
    std::size_t size = std::min(session_.sendable(*this), data.size() - sent);
    if (size == 0) break;
    sent += size;
    session_.connection_.send_data(*this, data.substr(sent - size, size), end && sent == data.size());
  }
  if (sent > 0) last_progress_ = worker_.now();
  session_.touched();
  return sent;
}

void H2Stream::end() {
  if (local_ended()) return;
  session_.connection_.send_data(*this, {}, true);
  session_.touched();
}

// Until more may be sent; false: never.
Task<bool> H2Stream::room_for(std::string_view waiting) {
  struct Counted {
    Counted(Cell& c, std::uint64_t n) : cell(c), bytes(n) { cell.add(bytes); }
    Counted(const Counted&) = delete;
    ~Counted() { cell.sub(bytes); }
    Cell& cell;
    const std::uint64_t bytes;
  } counted(session_.stats_[H2Stat::pending_send_bytes], waiting.size());
  session_.senders_wait_ = true;
  co_await may_send_.wait();
  co_return !local_ended();
}

Task<bool> H2Stream::until_room() {
  while (session_.full()) {
    if (!co_await room_for({})) co_return false;
  }
  co_return !local_ended();
}

Task<bool> H2Stream::send(const Frame& frame) {
  if (local_ended()) co_return false;
  if (frame.is_data()) {
    std::string_view left = frame.data;
    for (;;) {
      left.remove_prefix(send_some(left, frame.last));
      if (left.empty()) co_return true;
      if (!co_await room_for(left)) co_return false;
    }
  }
  if (frame.kind == Frame::Kind::trailers) {
    session_.connection_.send_trailers(*this, *frame.trailers);
    session_.touched();
  } else if (frame.is_reset()) {
    reset(h2::ErrorCode::internal_error);
  } else {
    end();
  }
  co_return true;
}

H2Session::H2Session(h2::Side side, const h2::Options& options, Worker& worker, Transport& transport, Owner& owner,
                     StatBlock& stats, Cell& received, Cell& sent)
    : worker_(worker),
      transport_(transport),
      owner_(owner),
      stats_(stats),
      received_(received),
      sent_(sent),
      connection_(side, options, *this) {
  connection_.start();
}

std::size_t H2Session::sendable(const H2Stream& stream) { return full() ? 0 : connection_.sendable(stream); }

void H2Session::begin(H2Stream& stream) {
  stream.counted_ = true;
  stats_[H2Stat::streams_active].add();
}

void H2Session::open(H2Stream& stream, bool end) {
  begin(stream);
  connection_.open(stream, end);
  touched();
}

void H2Session::send_goaway(h2::StreamId last, h2::ErrorCode code) {
  stats_[H2Stat::goaway_sent].add();
  connection_.send_goaway(last, code);
  touched();
}

void H2Session::stream_refused() {
  stats_[H2Stat::stream_refused_errors].add();
  stats_[H2Stat::tx_reset].add();
}

h2::Stream* H2Session::stream_opens(h2::StreamId) {
  H2Stream* stream = owner_.stream_opens();
  if (stream) begin(*stream);
  return stream;
}

void H2Session::head_received(h2::Stream& stream) {
  auto& s = static_cast<H2Stream&>(stream);
  s.ended_with_head_ = s.remote_ended();
  if (s.ended_with_head_) s.end_received();
  if (s.response == nullptr) return owner_.request_received(s);
  if (!s.head_received && !s.take_interim()) return;
  s.last_progress_ = worker_.now();
  s.changed_.notify_all();
}

void H2Session::data_received(h2::Stream& stream, std::string_view data) {
  auto& s = static_cast<H2Stream&>(stream);
  s.append(data);
  s.changed_.notify_all();
}

void H2Session::remote_ended(h2::Stream& stream) {
  if (stream.trailers) stats_[H2Stat::trailers].add();
  static_cast<H2Stream&>(stream).end_received();
}

namespace {

Failure meaning_of(h2::ErrorCode code) {
  switch (code) {
    case h2::ErrorCode::refused_stream:
      return Failure::remote_refused;
    case h2::ErrorCode::protocol_error:
      return Failure::protocol_error;
    default:
      return Failure::remote_reset;
  }
}

}  // namespace

void H2Session::stream_reset(h2::Stream& stream, h2::ErrorCode code) {
  stats_[H2Stat::rx_reset].add();
  auto& s = static_cast<H2Stream&>(stream);
  s.fail(meaning_of(code), code);
  owner_.stream_reset(s, code);
  owner_.capacity_changed();
}

void H2Session::stream_failed(h2::Stream& stream, const h2::Fault& fault) {
  auto& s = static_cast<H2Stream&>(stream);
  if (!connection_.failed()) stats_[H2Stat::tx_reset].add();
  count_fault(fault);
  // A response's head that is too large is given up, as in Envoy.
  bool too_large = s.response && (fault.detail == h2::kListTooLarge || fault.detail == h2::kTooManyHeaders);
  s.fail(too_large ? Failure::remote_reset : Failure::protocol_error, fault.code);
  owner_.stream_failed(s, fault);
}

// Of a stream or of the connection; Envoy's counters.
void H2Session::count_fault(const h2::Fault& fault) {
  auto count = [&](H2Stat stat) { stats_[stat].add(); };
  switch (fault.flood) {
    case h2::Flood::none:
      break;
    case h2::Flood::outbound_frames:
      return count(H2Stat::outbound_flood);
    case h2::Flood::outbound_control_frames:
      return count(H2Stat::outbound_control_flood);
    case h2::Flood::empty_frames:
      return count(H2Stat::inbound_empty_frames_flood);
    case h2::Flood::priority_frames:
      return count(H2Stat::inbound_priority_frames_flood);
    case h2::Flood::window_updates:
      return count(H2Stat::inbound_window_update_frames_flood);
    case h2::Flood::continuations:
      return count(H2Stat::header_overflow);
  }
  if (fault.detail == h2::kTooManyHeaders) return count(H2Stat::header_overflow);
  if (fault.detail == h2::kListTooLarge) return count(H2Stat::header_list_size_too_large);
  if (!fault.detail.empty() && fault.detail != h2::kWrongLength) count(H2Stat::rx_messaging_error);
}

void H2Session::window_opened(h2::Stream& stream) { static_cast<H2Stream&>(stream).may_send_.notify_all(); }

void H2Session::wake_senders() {
  if (!std::exchange(senders_wait_, false)) return;
  connection_.each_stream([](h2::Stream& stream) { static_cast<H2Stream&>(stream).may_send_.notify_all(); });
}

Task<> H2Session::flush() {
  while (!connection_.output().empty()) {
    sending_.swap(connection_.output());
    h2::WaitingFrames frames = connection_.waiting();
    iovec piece{const_cast<char*>(sending_.data()), sending_.size()};
    IoResult written = co_await transport_.write(&piece, 1);
    sent_.add(written.bytes);
    if (!written.ok()) co_return;
    sending_.consume(sending_.size());
    connection_.sent(frames);
    wake_senders();
  }
}

Task<> H2Session::write(H2Session& self) {
  for (;;) {
    co_await self.flush();
    self.sending_.release();
    co_await self.to_write_.wait();
  }
}

void H2Session::take(std::string_view bytes) {
  connection_.receive(bytes);
  owner_.received();
  touched();
}

Task<> H2Session::read(Inbox& begun) {
  take({begun.data(), begun.size()});
  begun.consume(begun.size());
  begun.release();
  for (int reads = 1; !connection_.failed() && !over_; reads++) {
    co_await transport_.readable();
    Block block = worker_.blocks().body();
    IoResult read = transport_.try_read(block.data(), block.size());
    if (read.state == IoResult::State::would_block) {
      if (over_) co_return;
      continue;
    }
    if (!read.ok()) co_return;
    received_.add(read.bytes);
    take({block.data(), read.bytes});
    if (reads % kStepsInARowMax == 0) co_await turn();
  }
}

Task<> H2Session::read_and_write(Inbox& begun) {
  scope_.spawn(write, *this);
  co_await read(begun);
}

void H2Session::stop() {
  over_ = true;
  transport_.interrupt_reader();
}

// Streams learn of it by themselves: each is told once.
void H2Session::end() {
  over_ = true;
  if (connection_.failed() && connection_.fault().detail.empty()) count_fault(connection_.fault());
  Failure failure = connection_.failed() ? Failure::protocol_error : Failure::connection_closed;
  connection_.each_stream([failure](h2::Stream& stream) {
    stream.state = h2::StreamState::closed;
    static_cast<H2Stream&>(stream).fail(failure, h2::ErrorCode::no_error);
  });
  owner_.capacity_changed();
}

Task<> H2Session::run(Inbox begun) {
  struct Ending {
    H2Session& session;
    ~Ending() { session.end(); }
  } ending{*this};  // Also where it is stopped.
  co_await scope_.run(read_and_write(begun));
  if (sending_.empty() && !transport_.hung_up()) (void)co_await within(kLastBytesLimit, flush());
}

}  // namespace outrider
