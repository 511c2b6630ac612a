#include "http/h1_server.h"

#include <algorithm>

#include "core/ascii.h"
#include "http/debug_log.h"
#include "http/edge.h"

namespace outrider {
namespace {

// What came of the head's bytes, the first line left out.
void note_head(Exchange& x, std::size_t bytes) {
  const RequestHead& head = x.request;
  constexpr std::size_t kAroundTarget = std::string_view("  HTTP/1.1\r\n\r\n").size();
  std::size_t first_line = head.method_name.size() + head.path.size() + kAroundTarget;
  std::size_t fields = head.headers.count() + (head.authority.data() ? 1 : 0);
  x.record.downstream_bytes.received = bytes;
  x.record.downstream_bytes.head_received = counted_head_bytes(bytes - std::min(first_line, bytes), fields);
}

bool has_no_body(const Exchange& x) {
  auto framing = h1::request_framing(x.request);
  return framing && (framing->kind == h1::BodyFraming::Kind::none ||
                     (framing->kind == h1::BodyFraming::Kind::length && framing->length == 0));
}

// An HTTP/1.0 request names its host if it likes; an empty name is one.
std::expected<void, ProtocolError> find_host(Exchange& x) {
  if (x.request.authority.data()) return {};
  const std::string& fallback = x.options.default_host_for_http_10;
  if (fallback.empty() || x.request.version != Version::http10)
    return std::unexpected(ProtocolError{400, kMissingHost, "no Host field"});
  x.request.authority = fallback;
  return {};
}

std::expected<h1::BodyFraming, ProtocolError> check_head(Exchange& x) {
  // Where clients of the world connect, they may not claim what the connection is not.
  const ClientIdentity& client = x.options.client;
  if (client.use_remote_address && client.trusted_hops == 0 && x.request.scheme == "https") {
    return std::unexpected(ProtocolError{403, "http1.https_url_on_plaintext_connection", "https in the clear"});
  }
  if (x.request.version == Version::http10 && !x.options.accept_http_10) {
    return std::unexpected(ProtocolError{426, "low_version", "HTTP/1.0 is not accepted"});
  }
  Headers& headers = x.request.headers;
  if (x.options.allow_chunked_length && headers.has(Known::transfer_encoding)) headers.remove(Known::content_length);
  auto framing = h1::request_framing(x.request);
  if (!framing) return framing;
  if (auto found = find_host(x); !found) return std::unexpected(found.error());
  return framing;
}

}  // namespace

H1Server::H1Server(ServerConnection& c) : ServerStream(c), worker_(c.worker), idle_since_(c.worker.now()) {
  on_hangup = [](HangupHook* hook) { static_cast<H1Server*>(hook)->abort(AbortReason::client_gone); };
  connection.protocol = this;
}

H1Server::~H1Server() { connection.protocol = nullptr; }

TimePoint H1Server::next_deadline() const {
  const ServerConnection& c = connection;
  if (!c.slot->current()) return TimePoint::max();
  TimePoint deadline = c.end_of_life();
  if (!idle_) return std::min(deadline, ServerStream::next_deadline());
  if (c.slot->draining) deadline = std::min(deadline, idle_since_ + kDrainGrace);
  return std::min(deadline, c.ending() ? c.ends_at : after(idle_since_, c.options().idle_timeout));
}

void H1Server::expire(TimePoint now) {
  ServerConnection& c = connection;
  StatBlock& stats = c.http_stats();
  if (now >= c.end_of_life()) {
    stats[HttpStat::downstream_cx_max_duration_reached].add();
    begin_to_end(now);
  } else if (!idle_) {
    ServerStream::expire(now);
  } else if (c.slot->draining) {
    stats[HttpStat::downstream_cx_drain_close].add();
    stop_waiting();
  } else if (c.ending()) {
    stop_waiting();
  } else {
    stats[HttpStat::downstream_cx_idle_timeout].add();
    begin_to_end(now);
  }
}

// The next response is the last, as Envoy's drain sequence. A client that has said nothing yet has nothing on its way.
void H1Server::begin_to_end(TimePoint now) {
  connection.ends_at = now + connection.options().drain_timeout;
  if (exchange) connection.closing = true;
  if (idle_ && first_request_) stop_waiting();
}

// Ends an idle wait: the connection is to close.
void H1Server::stop_waiting() {
  connection.closing = true;
  connection.transport->interrupt_reader();
}

void H1Server::drain() {
  if (!idle_) {
    connection.closing = true;
  } else if (worker_.now() - idle_since_ < kDrainGrace) {
    connection.deadlines_changed();
  } else {
    connection.http_stats()[HttpStat::downstream_cx_drain_close].add();
    stop_waiting();
  }
}

// The head of the next request into x.request, as far as it is here: nothing if more must come.
std::optional<H1Server::HeadResult> H1Server::take_head(Exchange& x, h1::RequestParser& parser) {
  for (;;) {
    if (!inbox_.empty()) {
      auto preface = first_request_ ? h1::is_http2_preface(inbox_.data(), inbox_.size()) : h1::PrefaceMatch::no;
      if (preface == h1::PrefaceMatch::yes && x.options.codec != CodecType::http1 && x.options.h2) {
        return HeadResult{HeadOutcome::http2, {}};
      }
      h1::ParseResult parsed;
      if (preface != h1::PrefaceMatch::need_more) parsed = parser.parse(inbox_.data(), inbox_.size(), x.request);
      if (parsed.status == h1::ParseStatus::complete) {
        inbox_.consume(parsed.consumed);
        note_head(x, parsed.consumed);
        return HeadResult{HeadOutcome::parsed, {}};
      }
      if (parsed.status == h1::ParseStatus::error) {
        x.record.downstream_bytes.received = inbox_.size();
        if (parsed.error.detail == kMissingHost) note_head(x, inbox_.size());
        return HeadResult{HeadOutcome::refused, parsed.error};
      }
    }
    if (!inbox_.make_room(worker_.blocks(), x.options.limits.head_bytes_max + 1)) {
      x.record.downstream_bytes.received = inbox_.size();
      return HeadResult{HeadOutcome::refused, {431, "http1.headers_too_large", "the head is larger than allowed"}};
    }
    IoResult read = connection.transport->try_read(inbox_.space(), std::min(inbox_.room(), x.options.read_bytes_max));
    if (read.state == IoResult::State::would_block) return std::nullopt;
    if (!read.ok()) {
      connection.farewell = false;  // Nobody is there to read it.
      return HeadResult{};
    }
    inbox_.filled(read.bytes);
    x.stats[HttpStat::downstream_cx_rx_bytes_total].add(read.bytes);
  }
}

// The same, when more must come.
Task<H1Server::HeadResult> H1Server::await_head(Exchange& x, h1::RequestParser& parser) {
  for (;;) {
    co_await connection.transport->readable();
    if (abort_reason != AbortReason::none) co_return HeadResult{HeadOutcome::timed_out, {}};
    if (!connection.transport->has_unread()) co_return HeadResult{};  // Interrupted: it is we who close.
    if (std::optional<HeadResult> head = take_head(x, parser)) co_return *head;
  }
}

// The answer to bytes that are no request of ours; the connection ends behind it, unless the bytes were whole.
Response H1Server::refuse_bytes(Exchange& x, const ProtocolError& error) {
  if (std::optional<Response> answer = refusal(x, error)) {
    bool whole = error.detail == kNoOriginalAddress || error.status == 307;
    if (!whole && !(x.options.go_on_after_invalid && has_no_body(x))) be_last();
    return *answer;
  }
  be_last();
  x.stats[HttpStat::downstream_cx_protocol_error].add();
  connection.broke_protocol = true;
  leave_request(x);
  x.request.version = Version::http11;  // The highest that we speak, whatever the client tried.
  Response response = x.reply(error.status, reason_phrase(error.status), error.detail);
  x.record.flags.set(ResponseFlag::downstream_protocol_error);  // As in Envoy, the reply itself does not know of it.
  return response;
}

std::optional<Response> H1Server::admit(Exchange& x) {
  auto framing = check_head(x);
  if (!framing) return refuse_bytes(x, framing.error());
  debug(x, Logger::http, [&] {
    std::string_view body = framing->kind == h1::BodyFraming::Kind::none ? "true" : "false";
    return "request headers complete (end_stream=" + std::string(body) + "):" + debug_fields(x.request);
  });
  if (!h1::persistent(x.request.version, x.request.headers)) be_last();
  const Field* expect = x.request.headers.find(Known::expect);
  bool answers_expectation =
      expect && equals_ignore_case(expect->value, "100-continue") && !x.options.proxy_100_continue;
  take_body(x, *framing, answers_expectation);
  if (auto prepared = prepare_request(x); !prepared) return refuse_bytes(x, prepared.error());
  if (answers_expectation) x.request.headers.remove(Known::expect);
  return check_path(x);
}

void H1Server::take_body(Exchange& x, h1::BodyFraming framing, bool answers_expectation) {
  if (framing.kind == h1::BodyFraming::Kind::none ||
      (framing.kind == h1::BodyFraming::Kind::length && framing.length == 0)) {
    x.record.request_end = worker_.now();
    return;
  }
  body_ = &x.arena.make_owned<H1Body>(worker_, *connection.transport, inbox_, x.options.limits, framing, x.arena,
                                      x.stats[HttpStat::downstream_cx_rx_bytes_total], x.options.read_bytes_max);
  if (answers_expectation && x.request.version == Version::http11) body_->continue_first();
  x.request_body = request_body = body_;
  x.received_body = body_;
}

// The client has begun a request and hung up; line ends alone are no request.
bool H1Server::left_within_head() const {
  std::string_view begun(inbox_.data(), inbox_.size());
  return connection.transport->hung_up() && begun.find_first_not_of("\r\n") != begun.npos;
}

// Bytes that are no request: a record for the log, an answer where there is one, and the end.
Task<> H1Server::refuse(Exchange& x, const HeadResult& head) {
  x.stats[HttpStat::downstream_rq_total].add();
  x.stats[HttpStat::downstream_rq_http1_total].add();
  if (head.error.detail != kMissingHost) x.request = RequestHead(x.arena);  // Nothing of an unusable head is logged.
  if (head.outcome == HeadOutcome::gone) abort_reason = AbortReason::client_gone;
  if (head.outcome == HeadOutcome::timed_out) leave_request(x);
  std::optional<Response> response =
      head.outcome == HeadOutcome::refused ? refuse_bytes(x, head.error) : answer_abort(x);
  if (response) co_await send_last_words(x, *response);
  finish_record(x);
}

// Forgets the request before.
void H1Server::begin_request() {
  abort_reason = AbortReason::none;
  request_body = body_ = nullptr;
  head_sent = response_ended = request_left = false;
  idle_ = false;
  since = worker_.now();
  connection.deadlines_begin();
}

void H1Server::end_request(Exchange& x) {
  if (!body_) return;
  if (body_->continue_sent()) count_response(x.stats, 100);
  if (!body_->ended()) be_last();
  body_->settle();
  request_body = body_ = nullptr;
}

// One request, from its first byte. False: the connection is done.
Task<bool> H1Server::serve_one() {
  ServerConnection& c = connection;
  HttpPin pin(c.slot->current());
  Exchange x(c, pin.options(), pin.stats());
  begin_request();
  x.record.start = worker_.now();
  x.record.start_wall = worker_.wall();
  h1::RequestParser parser(x.options.limits);
  std::optional<HeadResult> head = take_head(x, parser);
  if (!head) head = co_await await_head(x, parser);
  if (head->outcome == HeadOutcome::http2) {
    http2_ = true;
    co_return false;
  }
  if (std::exchange(first_request_, false)) {
    x.stats[HttpStat::downstream_cx_http1_total].add();
    counted_.emplace(x.stats[HttpStat::downstream_cx_http1_active]);
  }
  if (head->outcome != HeadOutcome::parsed) {
    const bool begun = left_within_head();
    if (head->outcome != HeadOutcome::gone || begun) co_await refuse(x, *head);
    if (!c.broke_protocol && !c.spoken && (begun || head->outcome != HeadOutcome::gone)) c.spoken = x.request.version;
    co_return false;
  }
  c.spoken = x.request.version;
  x.stats[HttpStat::downstream_rq_http1_total].add();
  begin(x);
  bool whole = co_await x.scope.run(answer(x));
  if (std::optional<Response> words = last_words(x, whole)) co_await send_last_words(x, *words);
  end(x);
  end_request(x);
  co_return !c.closing;
}

Task<bool> H1Server::run() {
  for (int in_a_row = 1;; in_a_row++) {
    if (in_a_row % kStepsInARowMax == 0) co_await turn();
    if (inbox_.empty()) {
      in_a_row = 0;
      inbox_.release();
      idle_ = true;
      idle_since_ = worker_.now();
      connection.deadlines_begin();
      co_await connection.transport->readable();
      if (connection.closing) break;
    }
    if (!co_await serve_one()) break;
  }
  connection.cut_short = request_left || !response_ended;
  co_return http2_;
}

}  // namespace outrider
