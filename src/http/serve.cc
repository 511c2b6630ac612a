#include "http/serve.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/log.h"
#include "http/access_log.h"
#include "http/connection_log.h"
#include "http/debug_log.h"
#include "http/edge.h"
#include "http/server_connection.h"

namespace outrider {
namespace {

constexpr std::string_view kMissingHost = "missing_host_header";
constexpr std::chrono::seconds kLastWordsLimit{1};

h1::ParseResult parse(ServerConnection& c, Exchange& x, h1::RequestParser& parser) {
  if (c.first_request) {
    auto preface = h1::is_http2_preface(c.inbox.data(), c.inbox.size());
    if (preface == h1::PrefaceMatch::yes && x.options.codec != CodecType::http1) {
      return {h1::ParseStatus::error, 0, {0, "http2_not_built", "the client speaks HTTP/2 with prior knowledge"}};
    }
    if (preface == h1::PrefaceMatch::need_more) return {};
  }
  return parser.parse(c.inbox.data(), c.inbox.size(), x.request);
}

// What came of the head's bytes, the first line left out.
void note_head(Exchange& x, std::size_t bytes) {
  const RequestHead& head = x.request;
  constexpr std::size_t kAroundTarget = std::string_view("  HTTP/1.1\r\n\r\n").size();
  std::size_t first_line = head.method_name.size() + head.path.size() + kAroundTarget;
  std::size_t fields = head.headers.count() + (head.authority.data() ? 1 : 0);
  x.record.downstream_bytes.received = bytes;
  x.record.downstream_bytes.head_received = counted_head_bytes(bytes - std::min(first_line, bytes), fields);
}

enum class HeadOutcome : std::uint8_t { parsed, refused, gone, timed_out };

struct HeadResult {
  HeadOutcome outcome = HeadOutcome::gone;
  ProtocolError error;
};

// The head of the next request into x.request, as far as it is here: nothing if more must come.
std::optional<HeadResult> take_head(ServerConnection& c, Exchange& x, h1::RequestParser& parser) {
  for (;;) {
    if (!c.inbox.empty()) {
      h1::ParseResult parsed = parse(c, x, parser);
      if (parsed.status == h1::ParseStatus::complete) {
        c.inbox.consume(parsed.consumed);
        note_head(x, parsed.consumed);
        return HeadResult{HeadOutcome::parsed, {}};
      }
      if (parsed.status == h1::ParseStatus::error) {
        x.record.downstream_bytes.received = c.inbox.size();
        if (parsed.error.detail == kMissingHost) note_head(x, c.inbox.size());
        return HeadResult{HeadOutcome::refused, parsed.error};
      }
    }
    if (!c.inbox.make_room(c.worker.blocks(), x.options.limits.head_bytes_max + 1)) {
      x.record.downstream_bytes.received = c.inbox.size();
      return HeadResult{HeadOutcome::refused, {431, "http1.headers_too_large", "the head is larger than allowed"}};
    }
    IoResult read = c.transport->try_read(c.inbox.space(), std::min(c.inbox.room(), x.options.read_bytes_max));
    if (read.state == IoResult::State::would_block) return std::nullopt;
    if (!read.ok()) {
      c.farewell = false;  // Nobody is there to read it.
      return HeadResult{};
    }
    c.inbox.filled(read.bytes);
    c.http_stats()[HttpStat::downstream_cx_rx_bytes_total].add(read.bytes);
  }
}

// The same, when more must come.
Task<HeadResult> await_head(ServerConnection& c, Exchange& x, h1::RequestParser& parser) {
  for (;;) {
    co_await c.transport->readable();
    if (c.abort_reason != AbortReason::none) co_return HeadResult{HeadOutcome::timed_out, {}};
    if (!c.transport->has_unread()) co_return HeadResult{};  // Interrupted: it is we who close.
    if (std::optional<HeadResult> head = take_head(c, x, parser)) co_return *head;
  }
}

// Nothing of an unusable head is logged.
void forget_request(Exchange& x) { x.request = RequestHead(x.arena); }

Response redirect_to_path(Exchange& x) {
  x.stats[HttpStat::downstream_rq_redirected_with_normalized_path].add();
  Response response = x.reply(307, "", kPathRefused);
  response.head->headers.add(Known::location, x.request.path);
  return response;
}

bool has_no_body(const Exchange& x) {
  auto framing = h1::request_framing(x.request);
  return framing && (framing->kind == h1::BodyFraming::Kind::none ||
                     (framing->kind == h1::BodyFraming::Kind::length && framing->length == 0));
}

// The answer to bytes that are no request of ours; the connection ends behind it, unless the bytes were whole.
Response refusal(ServerConnection& c, Exchange& x, const ProtocolError& error) {
  bool located = error.detail == kMissingHost || error.detail == kNoOriginalAddress || error.detail == kPathRefused;
  if (located && x.options.routes) x.options.routes->find_host(x);
  if (error.status == 307) return redirect_to_path(x);
  if (error.detail == kNoOriginalAddress || error.detail == kPathRefused) {
    bool path = error.detail == kPathRefused;
    if (path && !(x.options.go_on_after_invalid && has_no_body(x))) c.closing = true;
    x.stats[path ? HttpStat::downstream_rq_failed_path_normalization
                 : HttpStat::downstream_rq_rejected_via_ip_detection]
        .add();
    return x.reply(error.status, "", error.detail);
  }
  bool whole_request = error.detail == kMissingHost;
  if (whole_request && x.options.go_on_after_invalid && has_no_body(x)) return x.reply(error.status, "", error.detail);
  c.closing = true;
  if (error.detail == kMissingHost) return x.reply(error.status, "", error.detail);  // It is a request, and whole.
  x.stats[HttpStat::downstream_cx_protocol_error].add();
  c.broke_protocol = true;
  c.leave_request(x);
  x.request.version = Version::http11;  // The highest that we speak, whatever the client tried.
  Response response = x.reply(error.status, reason_phrase(error.status), error.detail);
  x.record.flags.set(ResponseFlag::downstream_protocol_error);  // As in Envoy, the reply itself does not know of it.
  return response;
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

// Whether the request may go to the filters; otherwise the answer.
std::optional<Response> admit(ServerConnection& c, Exchange& x) {
  const HttpOptions& o = x.options;
  auto framing = check_head(x);
  if (!framing) return refusal(c, x, framing.error());
  debug(x, Logger::http, [&] {
    std::string_view body = framing->kind == h1::BodyFraming::Kind::none ? "true" : "false";
    return "request headers complete (end_stream=" + std::string(body) + "):" + debug_fields(x.request);
  });
  if (!h1::persistent(x.request.version, x.request.headers)) c.closing = true;
  const Field* expect = x.request.headers.find(Known::expect);
  bool answers_expectation = expect && equals_ignore_case(expect->value, "100-continue") && !o.proxy_100_continue;
  if (framing->kind != h1::BodyFraming::Kind::none &&
      !(framing->kind == h1::BodyFraming::Kind::length && framing->length == 0)) {
    auto& body = x.arena.make_owned<H1Body>(c.worker, *c.transport, c.inbox, o.limits, *framing, x.arena,
                                            x.stats[HttpStat::downstream_cx_rx_bytes_total], o.read_bytes_max);
    if (answers_expectation && x.request.version == Version::http11) body.continue_first();
    x.request_body = c.request_body = &body;
    x.received_body = &body;
  } else {
    x.record.request_end = x.worker.now();
  }
  if (auto prepared = prepare_request(x); !prepared) return refusal(c, x, prepared.error());
  if (answers_expectation) x.request.headers.remove(Known::expect);
  if (!x.request.path.starts_with('/') && x.request.method != Method::connect) {
    x.stats[HttpStat::downstream_rq_non_relative_path].add();
    return x.reply(404, "", "absolute_path_rejected");
  }
  return std::nullopt;
}

// The filters, then the response to the client. May be stopped at any await, by a time-out or the client's leaving.
Task<> answer(ServerConnection& c, Exchange& x) {
  // Set here, in the scope's run: a client that has already hung up still gets what can be said at once.
  c.transport->on_hangup(&c);
  if (std::optional<Response> refused = admit(c, x)) {
    if (!co_await send_response(c, x, co_await x.options.filters.show(x, *refused))) c.closing = true;
    if (x.record.flags.has(ResponseFlag::downstream_protocol_error)) forget_request(x);
    co_return;
  }
  begin_access_log(x);
  Response response = co_await x.options.filters(x);
  if (response.tunnel) {
    co_await run_tunnel(c, x, response);
    c.closing = true;
  } else if (!co_await send_response(c, x, response)) {
    c.closing = true;
  }
}

void count_broken_response(Exchange& x) {
  x.stats[HttpStat::downstream_rq_tx_reset].add();
  x.stats[HttpStat::downstream_rq_rx_reset].add();
}

// The answer to a request whose exchange was ended early. Nothing can be said once the response has begun.
std::optional<Response> answer_abort(ServerConnection& c, Exchange& x) {
  if (c.receiving() || c.head_sent || c.abort_reason == AbortReason::client_gone) c.closing = true;
  switch (c.abort_reason) {
    case AbortReason::none:
      break;
    case AbortReason::client_gone:
      x.record.flags.set(ResponseFlag::downstream_connection_termination);
      x.record.details = "downstream_remote_disconnect";
      x.stats[HttpStat::downstream_rq_rx_reset].add();
      x.stats[HttpStat::downstream_cx_destroy_active_rq].add();
      x.stats[HttpStat::downstream_cx_destroy_remote_active_rq].add();
      return std::nullopt;
    case AbortReason::head_timeout:
      x.stats[HttpStat::downstream_rq_header_timeout].add();
      return x.reply(408, "request header timeout", "request_header_timeout");
    case AbortReason::stream_idle:
      x.stats[HttpStat::downstream_rq_idle_timeout].add();
      if (c.head_sent) {
        x.record.flags.set(ResponseFlag::stream_idle_timeout);
        x.record.details = "stream_idle_timeout";
        count_broken_response(x);
        return std::nullopt;
      }
      return x.reply(c.receiving() ? 408 : 504, "stream timeout", "stream_idle_timeout",
                     ResponseFlag::stream_idle_timeout);
    case AbortReason::max_duration:
      x.stats[HttpStat::downstream_rq_max_duration_reached].add();
      x.record.details = "max_duration_timeout";
      if (c.head_sent) {
        count_broken_response(x);
        return std::nullopt;
      }
      return x.reply(c.receiving() ? 408 : 504, "downstream duration timeout", "max_duration_timeout");
    case AbortReason::request_timeout:
      x.stats[HttpStat::downstream_rq_timeout].add();
      if (c.head_sent) return std::nullopt;
      return x.reply(408, "request timeout", "request_overall_timeout");
  }
  return std::nullopt;
}

void finish_record(Exchange& x, const ServerConnection& c) {
  x.record.end = x.worker.now();
  if (c.request_body) {
    x.record.bytes_received = c.request_body->bytes();
    x.record.downstream_bytes.received += c.request_body->wire_bytes();
    if (c.request_body->ended() && !c.request_body->failed()) x.record.request_end = c.request_body->ended_at();
  }
  if (c.request_body && c.request_body->continue_sent()) count_response(c, x.stats, 100);
  if (x.record.status != 0 && !x.record.health_check) count_response(c, x.stats, x.record.status);
  x.stats.record(HttpStat::downstream_rq_time,
                 static_cast<std::uint64_t>((*x.record.end - x.record.start) / std::chrono::milliseconds(1)));
  write_access_logs(x, AccessLogType::downstream_end);
}

Task<bool> show_and_send(ServerConnection& c, Exchange& x, Response reply) {
  co_return co_await send_response(c, x, co_await x.options.filters.show(x, reply));
}

// Neither a client that does not read nor a filter that waits is waited for.
Task<> send_last_words(ServerConnection& c, Exchange& x, const Response& reply) {
  auto sent = co_await within(kLastWordsLimit, show_and_send(c, x, reply));
  if (!sent) c.reset();
}

void begin_exchange(ServerConnection& c, Exchange& x) {
  c.exchange = &x;
  x.client = &c;
  c.enter(ServerConnection::Phase::exchange);
  x.stats[HttpStat::downstream_rq_total].add();
  x.stats[HttpStat::downstream_rq_http1_total].add();
  c.requests++;
  if (x.options.max_requests_per_connection && c.requests >= x.options.max_requests_per_connection) {
    x.stats[HttpStat::downstream_cx_max_requests_reached].add();
    c.closing = true;
  }
  if (c.ending() || c.slot->ends_connection(c.worker) || x.options.health->fails()) c.closing = true;
}

void end_exchange(ServerConnection& c, Exchange& x) {
  c.exchange = nullptr;
  finish_record(x, c);
  if (!c.request_body) return;
  if (!c.request_body->ended()) c.closing = true;
  c.request_body->settle();
  c.request_body = nullptr;
}

// The client has begun a request and hung up; line ends alone are no request.
bool left_within_head(const ServerConnection& c) {
  std::string_view begun(c.inbox.data(), c.inbox.size());
  return c.transport->hung_up() && begun.find_first_not_of("\r\n") != begun.npos;
}

// Bytes that are no request: a record for the log, an answer where there is one, and the end.
Task<> refuse(ServerConnection& c, Exchange& x, const HeadResult& head) {
  if (head.outcome == HeadOutcome::refused && head.error.status == 0) {
    log(Logger::http, LogLevel::warning, "closed a connection: HTTP/2 with prior knowledge is not built yet");
    x.stats[HttpStat::downstream_cx_http2_total].add();
    x.stats[HttpStat::downstream_cx_protocol_error].add();
    co_return;
  }
  x.stats[HttpStat::downstream_rq_total].add();
  x.stats[HttpStat::downstream_rq_http1_total].add();
  if (head.error.detail != kMissingHost) forget_request(x);
  if (head.outcome == HeadOutcome::gone) c.abort_reason = AbortReason::client_gone;
  if (head.outcome == HeadOutcome::timed_out) c.leave_request(x);
  if (auto response = head.outcome == HeadOutcome::refused ? refusal(c, x, head.error) : answer_abort(c, x))
    co_await send_last_words(c, x, *response);
  finish_record(x, c);
}

// One request, from its first byte. False: the connection is done.
Task<bool> serve_one(ServerConnection& c) {
  HttpPin pin(c.slot->current());
  Exchange x(c, pin.options(), pin.stats());
  c.begin_request();
  x.record.start = c.worker.now();
  x.record.start_wall = c.worker.wall();
  h1::RequestParser parser(x.options.limits);
  std::optional<HeadResult> head = take_head(c, x, parser);
  if (!head) head = co_await await_head(c, x, parser);
  c.first_request = false;
  if (head->outcome != HeadOutcome::parsed) {
    const bool begun = left_within_head(c);
    if (head->outcome != HeadOutcome::gone || begun) co_await refuse(c, x, *head);
    if (!c.broke_protocol && !c.spoken && (begun || head->outcome != HeadOutcome::gone)) c.spoken = x.request.version;
    co_return false;
  }
  c.spoken = x.request.version;
  Held active(x.stats[HttpStat::downstream_rq_active]);
  begin_exchange(c, x);
  bool whole = co_await x.scope.run(answer(c, x));
  c.transport->on_hangup(nullptr);
  if (!whole || (c.abort_reason != AbortReason::none && !c.response_ended)) {
    if (std::optional<Response> last_words = answer_abort(c, x)) co_await send_last_words(c, x, *last_words);
  }
  end_exchange(c, x);
  co_return !c.closing;
}

Task<> discard_all(Transport& transport, BlockPool& blocks) {
  Block block = blocks.head();
  for (int reads = 1;; reads++) {
    IoResult r = co_await transport.read(block.data(), block.size());
    if (!r.ok()) co_return;
    if (reads % kStepsInARowMax == 0) co_await turn();
  }
}

// Lets the peer read our last words: closing with unread bytes would reset the connection under them.
Task<> close_gently(ServerConnection& c) {
  c.transport->shutdown_write();
  std::chrono::milliseconds limit =
      c.slot->current() ? c.options().delayed_close_timeout : std::chrono::milliseconds(1000);
  if (limit.count() == 0) co_return;
  bool closed = (co_await within(limit, discard_all(*c.transport, c.worker.blocks()))).has_value();
  if (!closed) c.http_stats()[HttpStat::downstream_cx_delayed_close_timeout].add();
}

Task<> serve_requests(ServerConnection& c) {
  for (int in_a_row = 1;; in_a_row++) {
    if (in_a_row % kStepsInARowMax == 0) co_await turn();
    if (c.inbox.empty()) {
      in_a_row = 0;
      c.inbox.release();
      c.enter(ServerConnection::Phase::idle);
      co_await c.transport->readable();
      if (c.closing) co_return;
    }
    if (!co_await serve_one(c)) co_return;
  }
}

void log_connection(ServerConnection& c) {
  if (!c.slot->current() || c.options().connection_logs.empty()) return;
  HttpPin pin(c.slot->current());
  EndedConnection ended{c, c.accepted, {}, {}, c.spoken};
  if (c.broke_protocol) ended.flags.set(ResponseFlag::downstream_protocol_error);
  write_connection_logs(pin.options(), pin.stats(), ended);
}

// `remote`: the client was the first to end it.
void count_end(ServerConnection& c, StatBlock& stats, bool remote) {
  stats[HttpStat::downstream_cx_destroy].add();
  stats[remote ? HttpStat::downstream_cx_destroy_remote : HttpStat::downstream_cx_destroy_local].add();
  auto length = static_cast<std::uint64_t>((c.worker.now() - c.accepted) / std::chrono::milliseconds(1));
  stats.record(HttpStat::downstream_cx_length_ms, length);
  c.listener_stats[ListenerStat::downstream_cx_destroy].add();
  c.listener_stats.record(ListenerStat::downstream_cx_length_ms, length);
}

}  // namespace

Task<> serve(ServiceWorker& service, std::unique_ptr<Transport> transport, std::shared_ptr<HttpSlot> slot,
             std::shared_ptr<StatBlock> of_listener) {
  StatBlock& listener_stats = *of_listener;
  ServerConnection c(service, std::move(transport), std::move(slot), listener_stats);
  debug(c, Logger::connection, [&] { return "new connection from " + c.peer->text(); });
  std::shared_ptr<StatScope> scope = c.options().stats;  // Outlives a reload that drops the listener.
  StatBlock& stats = c.http_stats();
  stats[HttpStat::downstream_cx_total].add();
  stats[HttpStat::downstream_cx_http1_total].add();
  listener_stats[ListenerStat::downstream_cx_total].add();
  Held active(stats[HttpStat::downstream_cx_active]);
  Held active_h1(stats[HttpStat::downstream_cx_http1_active]);
  Held listener_active(listener_stats[ListenerStat::downstream_cx_active]);
  co_await serve_requests(c);
  bool remote = c.transport->hung_up();
  if (c.farewell) co_await close_gently(c);
  // Behind a whole request and response the connection is ours to end; else the client is given time to do so.
  if (c.request_left || !c.response_ended) remote = c.transport->hung_up();
  count_end(c, stats, remote);
  log_connection(c);
  debug(c, Logger::connection, [&] { return remote ? "remote close" : "closed"; });
}

}  // namespace outrider
