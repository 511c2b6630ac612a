#include "upstream/h1_upstream_stream.h"

#include <algorithm>
#include <utility>

#include "wire/h1_lines.h"
#include "wire/h1_name_case.h"

namespace outrider {

using Kind = h1::BodyFraming::Kind;

H1UpstreamStream::H1UpstreamStream(Exchange& x, EndpointPool& pool, UpstreamConnection& connection,
                                   ResponseTimeout& timeout)
    : UpstreamStream(x, pool, connection.id, timeout), connection_(&connection) {
  connection.requests++;
}

H1UpstreamStream::~H1UpstreamStream() { abandon(); }

void H1UpstreamStream::abandon() {
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
  end_activity();
}

// What follows a CONNECT is nobody's to read before it is accepted: to a host that refuses it, it would be a request.
bool H1UpstreamStream::send(const RequestHead& head, const Frame& first, bool whole) {
  std::optional<std::uint64_t> length = 0;
  if (head.method != Method::connect && first.kind != Frame::Kind::end) length = x_.request_body->length();
  const h1::BodyFraming framing = request_framing_ = h1::outgoing_request_framing(head.method, length);
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

ResponseHead* H1UpstreamStream::open_tunnel() {
  auto* head = &x_.arena.make_owned<ResponseHead>(x_.arena);
  framing_ = {Kind::tunnel, 0};
  tunnel_ = true;
  request_sent_ = true;
  body_.emplace(x_.worker, *connection_->transport, inbox_, pool_.owner.cluster->options.limits, framing_, x_.arena,
                stats_[ClusterStat::upstream_cx_rx_bytes_total], pool_.owner.cluster->options.read_bytes_max);
  x_.record.upstream_start = x_.record.upstream_end = x_.record.response_start = x_.worker.now();
  return head;
}

void H1UpstreamStream::count_sent(std::size_t bytes) {
  stats_[ClusterStat::upstream_cx_tx_bytes_total].add(bytes);
  x_.record.upstream_bytes.sent += bytes;
}

void H1UpstreamStream::forget_sent(std::size_t bytes) {
  std::size_t sent = 0;
  while (sent < unsent_count_ && bytes >= unsent_[sent].iov_len) bytes -= unsent_[sent++].iov_len;
  std::copy(unsent_.begin() + sent, unsent_.begin() + unsent_count_, unsent_.begin());
  unsent_count_ -= sent;
  if (unsent_count_ == 0) return;
  unsent_[0] = {static_cast<char*>(unsent_[0].iov_base) + bytes, unsent_[0].iov_len - bytes};
}

Task<bool> H1UpstreamStream::write_unsent() {
  IoResult written = co_await connection_->transport->write(unsent_.data(), static_cast<int>(unsent_count_));
  count_sent(written.bytes);
  co_return written.ok();
}

Task<bool> H1UpstreamStream::write_frame(const Frame& frame) {
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

Task<ResponseHead*> H1UpstreamStream::receive_head() {
  Transport& transport = *connection_->transport;
  const h1::Limits& limits = pool_.owner.cluster->options.limits;
  const std::size_t read_max = pool_.owner.cluster->options.read_bytes_max;
  h1::ResponseParser parser(limits);
  ResponseHead* head = nullptr;
  for (int interim_count = 0;;) {
    // While it waits it has neither a buffer nor a head.
    if (inbox_.empty() && !client_failed_ && !answered_) co_await transport.readable();
    if (client_failed_) {
      failure_ = Failure::local_reset;
      co_return nullptr;
    }
    if (!inbox_.empty()) {
      if (!head) head = &x_.arena.make_owned<ResponseHead>(x_.arena);
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

// Part of a head is no HTTP; nothing at all is a peer that left.
void H1UpstreamStream::end_of_connection() {
  failure_ = Failure::connection_closed;
  if (inbox_.empty()) return;
  cut_short_ = true;
  failure_ = Failure::protocol_error;
  stats_[ClusterStat::upstream_cx_protocol_error].add();
}

// Moves the head out of the buffer, which can then be given back before the exchange ends.
void H1UpstreamStream::detach(ResponseHead& head, std::size_t head_bytes) {
  const char* from = inbox_.data() - head_bytes;
  std::string_view copy = x_.arena.copy({from, head_bytes});
  h1::rebase_fields(head.headers, from, head_bytes, copy.data());
  head.reason = {};
  body_->free_inbox();
}

// Takes the final head: what follows it, and whether the connection can be used again.
ResponseHead* H1UpstreamStream::accept(ResponseHead& head, std::size_t head_bytes) {
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
  tunnel_ = framing_.kind == Kind::tunnel;
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
void H1UpstreamStream::complete() {
  record_time();
  body_->settle();
  // Bytes behind the response belong to no request: such a connection is not used again.
  if (keep_alive_ && inbox_.empty()) {
    pool_.give_idle(*connection_);
  } else {
    delete connection_;
  }
}

// A message whose framing says that more must come is broken by its end; one that ends with the connection is not.
Failure H1UpstreamStream::broken_by(Failure failure) {
  cut_short_ = failure == Failure::connection_closed;
  bool framed = framing_.kind == Kind::length || framing_.kind == Kind::chunked;
  if (failure != Failure::protocol_error && !(cut_short_ && framed)) return Failure::connection_closed;
  stats_[ClusterStat::upstream_cx_protocol_error].add();
  return Failure::protocol_error;
}

Task<bool> H1UpstreamStream::write(std::string_view data) {
  iovec piece{const_cast<char*>(data.data()), data.size()};
  IoResult written = co_await connection_->transport->write(&piece, 1);
  count_sent(written.bytes);
  co_return written.ok();
}

void H1UpstreamStream::finish() { connection_->transport->shutdown_write(); }

}  // namespace outrider
