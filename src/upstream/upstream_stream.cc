#include "upstream/upstream_stream.h"

#include <algorithm>
#include <utility>

#include "upstream/virtual_cluster_stats.h"
#include "wire/h1_lines.h"
#include "wire/h1_name_case.h"

namespace outrider {

using Kind = h1::BodyFraming::Kind;

UpstreamStream::UpstreamStream(Exchange& x, EndpointPool& pool, UpstreamConnection& connection,
                               ResponseTimeout& timeout)
    : x_(x),
      pool_(pool),
      connection_(&connection),
      stats_(pool.owner.stats),
      timeout_(timeout),
      began_(x.worker.now()),
      record_{&pool.endpoint->address, pool.endpoint->hostname, connection.id, x.record.last_attempt} {
  x.record.last_attempt = &record_;
  x.record.upstream_bytes = {};
  pool_.streams++;
  connection.requests++;
  stats_[ClusterStat::upstream_rq_total].add();
  stats_[ClusterStat::upstream_rq_active].add();
  pool_.endpoint->numbers.rq_total.fetch_add(1, std::memory_order_relaxed);
  pool_.endpoint->numbers.rq_active.fetch_add(1, std::memory_order_relaxed);
}

UpstreamStream::~UpstreamStream() {
  abandon();
  pool_.streams--;
}

void UpstreamStream::abandon() {
  if (!connection_) return;
  bool declined = !x_.upgrade.empty() && !tunnel();  // Such a request has no end: its client waits to go on.
  bool request_whole = request_sent_ && !declined;
  if (request_whole && body_ && body_->ended() && !body_->failed() && failure_ == Failure::none) {
    complete();
  } else {
    stats_[ClusterStat::upstream_cx_destroy_with_active_rq].add();
    stats_[failure_ == Failure::connection_closed || cut_short_ ? ClusterStat::upstream_cx_destroy_remote_with_active_rq
                                                                : ClusterStat::upstream_cx_destroy_local_with_active_rq]
        .add();
    connection_->broken = failure_ == Failure::protocol_error && !cut_short_;
    delete connection_;
  }
  connection_ = nullptr;
  stats_[ClusterStat::upstream_rq_active].sub();
  pool_.endpoint->numbers.rq_active.fetch_sub(1, std::memory_order_relaxed);
}

bool UpstreamStream::send(const RequestHead& head, h1::BodyFraming framing, const Frame& first, bool whole) {
  request_framing_ = framing;
  whole_ = whole;
  char* out = static_cast<char*>(x_.arena.allocate(h1::request_head_size(head, framing), 1));
  auto add = [&](std::string_view piece) {
    unsent_[unsent_count_++] = {const_cast<char*>(piece.data()), piece.size()};
  };
  char* end = h1::encode_request_head(head, framing, out);
  if (pool_.owner.cluster->options.proper_case_names) h1::capitalize_names(out, end);
  add({out, static_cast<std::size_t>(end - out)});
  // As Envoy counts: without the first line.
  constexpr std::size_t kAroundTarget = std::string_view("  HTTP/1.1\r\n\r\n").size();
  x_.record.upstream_bytes.head_sent = unsent_[0].iov_len - head.method_name.size() - head.path.size() - kAroundTarget;
  bool chunked = framing.kind == Kind::chunked;
  if (first.is_data()) {
    if (chunked) {
      char* size = static_cast<char*>(x_.arena.allocate(h1::kChunkHeaderSizeMax, 1));
      add({size, static_cast<std::size_t>(h1::encode_chunk_header(first.data.size(), size) - size)});
    }
    add(first.data);
    if (chunked) add(whole ? std::string_view("\r\n0\r\n\r\n") : h1::kChunkEnd);
  } else if (chunked && whole) {
    add(h1::kLastChunk);
  }
  x_.record.upstream_start = x_.worker.now();
  IoResult written = connection_->transport->try_write(unsent_.data(), static_cast<int>(unsent_count_));
  if (written.state != IoResult::State::ok && written.state != IoResult::State::would_block) return false;
  count_sent(written.bytes);
  forget_sent(written.bytes);
  if (whole && unsent_count_ == 0) request_is_sent();
  return !request_sent_;
}

ResponseHead* UpstreamStream::open_tunnel() {
  auto* head = &x_.arena.make_owned<ResponseHead>(x_.arena);
  framing_ = {Kind::tunnel, 0};
  request_sent_ = true;
  body_.emplace(x_.worker, *connection_->transport, inbox_, pool_.owner.cluster->options.limits, framing_, x_.arena,
                stats_[ClusterStat::upstream_cx_rx_bytes_total], pool_.owner.cluster->options.read_bytes_max);
  x_.record.upstream_start = x_.record.upstream_end = x_.record.response_start = x_.worker.now();
  return head;
}

void UpstreamStream::count_sent(std::size_t bytes) {
  stats_[ClusterStat::upstream_cx_tx_bytes_total].add(bytes);
  x_.record.upstream_bytes.sent += bytes;
}

void UpstreamStream::request_is_sent() {
  request_sent_ = true;
  x_.record.upstream_end = x_.worker.now();
}

void UpstreamStream::forget_sent(std::size_t bytes) {
  std::size_t sent = 0;
  while (sent < unsent_count_ && bytes >= unsent_[sent].iov_len) bytes -= unsent_[sent++].iov_len;
  std::copy(unsent_.begin() + sent, unsent_.begin() + unsent_count_, unsent_.begin());
  unsent_count_ -= sent;
  if (unsent_count_ == 0) return;
  unsent_[0] = {static_cast<char*>(unsent_[0].iov_base) + bytes, unsent_[0].iov_len - bytes};
}

Task<bool> UpstreamStream::write_unsent() {
  IoResult written = co_await connection_->transport->write(unsent_.data(), static_cast<int>(unsent_count_));
  count_sent(written.bytes);
  co_return written.ok();
}

Task<bool> UpstreamStream::write_frame(const Frame& frame) {
  bool chunked = request_framing_.kind == Kind::chunked;
  char chunk_header[h1::kChunkHeaderSizeMax];
  iovec pieces[3];
  int count = 0;
  auto add = [&](std::string_view piece) { pieces[count++] = {const_cast<char*>(piece.data()), piece.size()}; };
  if (frame.is_data()) {
    if (chunked)
      add({chunk_header,
           static_cast<std::size_t>(h1::encode_chunk_header(frame.data.size(), chunk_header) - chunk_header)});
    add(frame.data);
    if (chunked) add(frame.last ? std::string_view("\r\n0\r\n\r\n") : h1::kChunkEnd);
  } else if (chunked && frame.kind == Frame::Kind::trailers) {
    char* out = static_cast<char*>(x_.arena.allocate(h1::trailers_size(*frame.trailers), 1));
    char* end = h1::encode_last_chunk(*frame.trailers, out);
    if (pool_.owner.cluster->options.proper_case_names) h1::capitalize_names(out, end);
    add({out, static_cast<std::size_t>(end - out)});
  } else if (chunked) {
    add(h1::kLastChunk);
  }
  if (count == 0) co_return true;
  IoResult written = co_await connection_->transport->write(pieces, count);
  count_sent(written.bytes);
  co_return written.ok();
}

void UpstreamStream::start_pump() {
  pumping_ = true;
  pump_ = x_.scope.spawn(&UpstreamStream::pump, *this);
}

Task<> UpstreamStream::give_up() {
  if (pumping_ && pump_) {
    pump_->request();
    while (pumping_) co_await pump_ended_.wait();
  }
  abandon();
}

Task<> UpstreamStream::pump(UpstreamStream& stream) {
  struct Ended {
    UpstreamStream& stream;
    ~Ended() {
      stream.pumping_ = false;
      stream.pump_ended_.notify_all();
    }
  } ended{stream};
  if (stream.unsent_count_ > 0 && !co_await stream.write_unsent()) co_return;
  if (stream.whole_) {
    stream.request_is_sent();
    co_return;
  }
  Body& body = *stream.x_.request_body;
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = body.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) {
      stream.client_failed_ = true;
      stream.connection_->transport->interrupt_reader();
      co_return;
    }
    bool last = frame.last || !frame.is_data();
    if (last) stream.timeout_.request_received(stream.x_);
    // A failed write is not the exchange's failure: the response may be on its way.
    if (!co_await stream.write_frame(frame)) co_return;
    if (last) {
      stream.request_is_sent();
      co_return;
    }
  }
}

Task<ResponseHead*> UpstreamStream::receive_head() {
  Transport& transport = *connection_->transport;
  const h1::Limits& limits = pool_.owner.cluster->options.limits;
  const std::size_t read_max = pool_.owner.cluster->options.read_bytes_max;
  h1::ResponseParser parser(limits);
  auto* head = &x_.arena.make_owned<ResponseHead>(x_.arena);
  for (int interim_count = 0;;) {
    if (inbox_.empty() && !client_failed_ && !answered_) co_await transport.readable();  // No buffer while waiting.
    if (client_failed_) {
      failure_ = Failure::local_reset;
      co_return nullptr;
    }
    if (!inbox_.empty()) {
      h1::ParseResult parsed = parser.parse(inbox_.data(), inbox_.size(), *head);
      if (parsed.status == h1::ParseStatus::error) {
        stats_[ClusterStat::upstream_cx_protocol_error].add();
        failure_ = Failure::protocol_error;
        co_return nullptr;
      }
      if (parsed.status == h1::ParseStatus::complete) {
        inbox_.consume(parsed.consumed);
        if (!head->informational() || head->status == 101) co_return accept(*head, parsed.consumed);
        if (++interim_count % kStepsInARowMax == 0) co_await turn();
        co_await pass_on(*head);
        head->headers.clear();  // The same memory again, however many there are.
        parser.reset();
        continue;
      }
    }
    if (!inbox_.make_room(x_.worker.blocks(), limits.head_bytes_max + 1, true)) {
      failure_ = Failure::too_large;
      co_return nullptr;
    }
    IoResult read = co_await transport.read(inbox_.space(), std::min(inbox_.room(), read_max));
    if (read.state == IoResult::State::would_block) continue;
    if (!read.ok()) {
      end_of_connection();
      co_return nullptr;
    }
    answered_ = true;
    stats_[ClusterStat::upstream_cx_rx_bytes_total].add(read.bytes);
    inbox_.filled(read.bytes);
  }
}

// Informational responses are for the client, but for the 100 that this side has asked for or promised itself.
Task<> UpstreamStream::pass_on(ResponseHead& head) {
  if (!std::exchange(interim_, true)) stats_.count_code(head.status);
  bool is_continue = head.status == 100;
  if (!x_.client || (is_continue && (!x_.options.proxy_100_continue || continued_))) co_return;
  if (h1::strip_hop_by_hop(head.headers)) co_return;
  continued_ = continued_ || is_continue;
  co_await x_.client->inform(head);
}

// Part of a head is no HTTP; nothing at all is a peer that left.
void UpstreamStream::end_of_connection() {
  failure_ = Failure::connection_closed;
  if (inbox_.empty()) return;
  cut_short_ = true;
  failure_ = Failure::protocol_error;
  stats_[ClusterStat::upstream_cx_protocol_error].add();
}

// Moves the head out of the buffer, which can then be given back before the exchange ends.
void UpstreamStream::detach(ResponseHead& head, std::size_t head_bytes) {
  const char* from = inbox_.data() - head_bytes;
  std::string_view copy = x_.arena.copy({from, head_bytes});
  h1::rebase_fields(head.headers, from, head_bytes, copy.data());
  head.reason = {};
  body_->free_inbox();
}

// Takes the final head: what follows it, and whether the connection can be used again.
ResponseHead* UpstreamStream::accept(ResponseHead& head, std::size_t head_bytes) {
  const std::size_t field_count = head.headers.count(), reason_bytes = head.reason.size();
  auto framing = h1::response_framing(head, x_.request.method);
  bool upgraded = head.status == 101;
  // The protocol changes behind a whole request only (RFC 9110 section 7.8): until then its body is on the way.
  if (!framing || (upgraded && (x_.upgrade.empty() || !request_sent_))) {
    stats_[ClusterStat::upstream_cx_protocol_error].add();
    failure_ = Failure::protocol_error;
    return nullptr;
  }
  framing_ = *framing;
  keep_alive_ =
      h1::persistent(head.version, head.headers) && framing_.kind != Kind::until_close && framing_.kind != Kind::tunnel;
  if (!h1::persistent(head.version, head.headers)) stats_[ClusterStat::upstream_cx_close_notify].add();
  if (h1::strip_hop_by_hop(head.headers, upgraded)) {
    failure_ = Failure::protocol_error;
    return nullptr;
  }
  body_.emplace(x_.worker, *connection_->transport, inbox_, pool_.owner.cluster->options.limits, framing_, x_.arena,
                stats_[ClusterStat::upstream_cx_rx_bytes_total], pool_.owner.cluster->options.read_bytes_max);
  if (framing_.kind != Kind::none && framing_.length > inbox_.size()) detach(head, head_bytes);
  x_.record.response_start = x_.worker.now();
  x_.record.upstream_bytes.received = head_bytes;
  constexpr std::size_t kAroundReason = std::string_view("HTTP/1.1 200 \r\n\r\n").size();
  x_.record.upstream_bytes.head_received = counted_head_bytes(head_bytes - kAroundReason - reason_bytes, field_count);
  return &head;
}

// The response is whole, and nobody looks at its bytes any more.
void UpstreamStream::complete() {
  if (timed_) {
    auto spent = static_cast<std::uint64_t>((x_.worker.now() - began_) / std::chrono::milliseconds(1));
    stats_.record(ClusterStat::upstream_rq_time, spent);
    pool_.owner.copy(origin_).record(CodeCopyStat::upstream_rq_time, spent);
    if (canary_) pool_.owner.copy(CodeCopy::canary).record(CodeCopyStat::upstream_rq_time, spent);
    for (StatBlock* block : timed_too_) {
      if (block) block->record(VirtualClusterStat::upstream_rq_time, spent);
    }
  }
  body_->settle();
  // Bytes behind the response belong to no request: such a connection is not used again.
  if (keep_alive_ && inbox_.empty()) {
    pool_.give_idle(*connection_);
  } else {
    delete connection_;
  }
}

Frame UpstreamStream::note(Frame frame) {
  if (!frame.pending() && (frame.last || !frame.is_data())) {
    x_.record.response_end = x_.worker.now();
    x_.record.upstream_bytes.received += body_->wire_bytes();
  }
  if (!frame.is_reset()) return frame;
  failure_ = frame.failure;
  cut_short_ = failure_ == Failure::connection_closed;
  // A message whose framing says that more must come is broken by its end; one that ends with the connection is not.
  bool framed = framing_.kind == Kind::length || framing_.kind == Kind::chunked;
  bool broken = failure_ == Failure::protocol_error || (cut_short_ && framed);
  if (broken) stats_[ClusterStat::upstream_cx_protocol_error].add();
  x_.record.flags.set(broken ? ResponseFlag::upstream_protocol_error : ResponseFlag::upstream_connection_termination);
  x_.record.details = broken ? "upstream_reset_after_response_started{protocol_error}"
                             : "upstream_reset_after_response_started{connection_termination}";
  return frame;
}

Frame UpstreamStream::poll(std::size_t max) { return note(body_->poll(max)); }

Frame UpstreamStream::time_out(ClusterStat counter, std::string_view details) {
  stats_[counter].add();
  pool_.endpoint->numbers.rq_timeout.fetch_add(1, std::memory_order_relaxed);
  x_.record.flags.set(ResponseFlag::upstream_request_timeout);
  x_.record.details = details;
  failure_ = Failure::local_reset;
  return Frame::reset(Failure::local_reset);
}

Frame UpstreamStream::end_late() {
  if (!timeout_.was_too_long(x_.worker.now())) return time_out(ClusterStat::upstream_rq_timeout, "response_timeout");
  stats_[ClusterStat::upstream_rq_max_duration_reached].add();
  x_.record.flags.set(ResponseFlag::upstream_max_stream_duration_reached);
  x_.record.details = "upstream_max_stream_duration_reached";
  failure_ = Failure::local_reset;
  return Frame::reset(Failure::local_reset);
}

Task<Frame> UpstreamStream::pull_within_idle(std::size_t max) {
  std::optional<Frame> frame = co_await within(timeout_.idle, pull_body(max));
  if (frame) co_return *frame;
  co_return time_out(ClusterStat::upstream_rq_per_try_idle_timeout, "upstream_per_try_idle_timeout");
}

Task<Frame> UpstreamStream::pull(std::size_t max) {
  bool idles = timeout_.idle.count() > 0;
  std::optional<Frame> frame = co_await within(timeout_.limit, idles ? pull_within_idle(max) : pull_body(max));
  if (!frame) co_return end_late();
  if (frame->is_reset() && failure_ == Failure::local_reset) co_return *frame;
  co_return note(*frame);
}

Task<bool> UpstreamStream::write(std::string_view data) {
  iovec piece{const_cast<char*>(data.data()), data.size()};
  IoResult written = co_await connection_->transport->write(&piece, 1);
  count_sent(written.bytes);
  co_return written.ok();
}

void UpstreamStream::finish() { connection_->transport->shutdown_write(); }

}  // namespace outrider
