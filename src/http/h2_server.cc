#include "http/h2_server.h"

#include "http/debug_log.h"
#include "http/h2_server_stream.h"

namespace outrider {
namespace {

// Asked when a connection drains: behind its answer there is nothing on the way that the client had sent before.
constexpr std::uint64_t kDrainPing = 0x647261696e;

// What a client's resets cost is borne as long as most of its requests are meant (Envoy's runtime keys and defaults).
constexpr std::string_view kResetsKey = "overload.premature_reset_total_stream_count";
constexpr std::uint64_t kResetsDefault = 500;
constexpr std::string_view kLifetimeKey = "overload.premature_reset_min_stream_lifetime_seconds";
constexpr std::uint64_t kLifetimeDefault = 1;

}  // namespace

H2Server::H2Server(ServerConnection& c)
    : connection_(c),
      options_(c.slot->current()->options),
      session_(h2::Side::server, options_->h2->codec, c.worker, *c.transport, *this,
               options_->h2->stats->local(c.worker.index()), c.http_stats()[HttpStat::downstream_cx_rx_bytes_total],
               c.http_stats()[HttpStat::downstream_cx_tx_bytes_total]),
      pings_(options_->h2->keepalive, c.worker, session_),
      idle_since_(c.worker.now()) {
  connection_.protocol = this;
}

H2Server::~H2Server() {
  connection_.protocol = nullptr;
  while (streams_) delete streams_;
}

TimePoint H2Server::next_deadline() const {
  const ServerConnection& c = connection_;
  if (!c.slot->current() || session_.over()) return TimePoint::max();
  TimePoint deadline = std::min(c.end_of_life(), pings_.next_deadline());
  if (c.ending() && !c.closing) deadline = std::min(deadline, c.ends_at);
  if (!streams_ && !c.ending()) deadline = std::min(deadline, after(idle_since_, c.options().idle_timeout));
  for (H2ServerStream* s = streams_; s; s = s->next) {
    if (s->timed) deadline = std::min(deadline, s->next_deadline());
  }
  return deadline;
}

void H2Server::expire(TimePoint now) {
  ServerConnection& c = connection_;
  if (now >= pings_.next_deadline() && !pings_.expire(now)) {
    c.close_details = "http2_ping_timeout";
    c.farewell = false;
    session_.stop();
    return;
  }
  if (now >= c.end_of_life()) {
    c.http_stats()[HttpStat::downstream_cx_max_duration_reached].add();
    begin_to_end(now);
  }
  if (!streams_ && !c.ending() && now >= after(idle_since_, c.options().idle_timeout)) {
    c.http_stats()[HttpStat::downstream_cx_idle_timeout].add();
    begin_to_end(now);
  }
  if (c.ending() && !c.closing && now >= c.ends_at) end_now();
  for (H2ServerStream* s = streams_; s; s = s->next) {
    if (s->timed && now >= s->next_deadline()) s->expire(now);
  }
}

// In two steps (RFC 9113 section 6.8): the client is told, and what it has sent before it knew is still served.
void H2Server::begin_to_end(TimePoint now) {
  if (connection_.ending()) return;
  connection_.ends_at = now + connection_.options().drain_timeout;
  session_.send_goaway(h2::kStreamIdMax, h2::ErrorCode::no_error);
  connection_.deadlines_changed();
}

void H2Server::end_now() {
  connection_.closing = true;
  session_.send_goaway(session_.connection().last_remote_stream(), h2::ErrorCode::no_error);
  if (!streams_) session_.stop();
}

void H2Server::drain() {
  if (connection_.ending() || session_.over()) return;
  connection_.http_stats()[HttpStat::downstream_cx_drain_close].add();
  begin_to_end(connection_.worker.now());
  session_.connection().send_ping(kDrainPing);
  session_.touched();
}

void H2Server::end_behind_request() {
  if (connection_.slot->draining && !connection_.ending()) return drain();
  begin_to_end(connection_.worker.now());
}

void H2Server::ping_answered(std::uint64_t opaque) {
  pings_.answered(opaque);
  if (opaque == kDrainPing && connection_.ending() && !connection_.closing) end_now();
}

H2Stream* H2Server::stream_opens() {
  if (!connection_.slot->current()) return nullptr;
  return &(new H2ServerStream(*this))->stream();
}

// It is served when everything is known that came with it.
void H2Server::request_received(H2Stream& stream) {
  H2ServerStream& s = H2ServerStream::of(stream);
  s.head_received();
  *starting_tail_ = &s;
  starting_tail_ = &s.next_to_start;
}

void H2Server::received() {
  while (H2ServerStream* s = starting_) {
    starting_ = s->next_to_start;
    if (!starting_) starting_tail_ = &starting_;
    s->timed = true;
    scope_.spawn(H2ServerStream::run, *s);
  }
}

void H2Server::stream_reset(H2Stream& stream, h2::ErrorCode) {
  H2ServerStream::of(stream).abort(AbortReason::client_reset);
}

void H2Server::stream_failed(H2Stream& stream, const h2::Fault& fault) {
  H2ServerStream& s = H2ServerStream::of(stream);
  bool head_known = stream.head_received;
  if (!head_known) {
    s.refused(fault);
    delete &s;
    return;
  }
  s.failure_details = fault.detail;
  s.abort(AbortReason::broke_protocol);
}

void H2Server::ended(const H2ServerStream& stream) {
  idle_since_ = connection_.worker.now();
  if (connection_.closing && !streams_) session_.stop();
  if (!streams_) {
    none_left_.notify_all();
    if (!session_.over()) connection_.deadlines_changed();  // It is idle from now on.
  }
  const Runtime& runtime = *connection_.worker.runtime();
  ended_count_++;
  if (stream.abort_reason == AbortReason::client_reset) {
    std::chrono::seconds lifetime(runtime.integer(kLifetimeKey, kLifetimeDefault));
    if (idle_since_ - stream.since < lifetime) premature_resets_++;
  }
  if (premature_resets_ == 0 || session_.over()) return;
  // Once it is certain that at least half of so many will have been reset, the rest is not waited for.
  std::uint64_t judged_by = std::max(runtime.integer(kResetsKey, kResetsDefault), ended_count_);
  if (premature_resets_ * 2 < judged_by) return;
  connection_.http_stats()[HttpStat::downstream_rq_too_many_premature_resets].add();
  connection_.close_details = "too_many_premature_resets";
  connection_.closing = true;
  session_.stop();
}

// What ended the connection, for its streams and its log.
void H2Server::note_end() {
  const h2::Connection& codec = session_.connection();
  connection_.closing = true;
  if (!codec.failed()) return;
  const h2::Fault& fault = codec.fault();
  connection_.broke_protocol = true;
  debug(connection_, Logger::http, [&] { return "dispatch error: " + std::string(fault.reason); });
  if (fault.flood == h2::Flood::none) connection_.http_stats()[HttpStat::downstream_cx_protocol_error].add();
}

// What is left of them when the connection has ended.
void H2Server::end_streams() {
  H2ServerStream* following = nullptr;
  for (H2ServerStream* s = streams_; s; s = following) {
    following = s->next;
    if (s->stream().head_received) {
      if (s->failure_details.empty()) s->failure_details = kCodecError;
      s->abort(connection_.broke_protocol ? AbortReason::broke_protocol : AbortReason::client_gone);
    } else {
      s->refused(session_.connection().fault());
      delete s;
    }
  }
}

Task<> H2Server::serve(Inbox& begun) {
  connection_.deadlines_begin();
  co_await session_.run(std::move(begun));
  note_end();
  end_streams();
  received();
  while (streams_) co_await none_left_.wait();
}

Task<> H2Server::run(Inbox begun) { co_await scope_.run(serve(begun)); }

}  // namespace outrider
