#include "http/server_stream.h"

#include "http/access_log.h"
#include "http/debug_log.h"
#include "http/edge.h"

namespace outrider {
namespace {

constexpr std::chrono::seconds kLastWordsLimit{1};

// Nothing of an unusable head is logged.
void forget_request(Exchange& x) { x.request = RequestHead(x.arena); }

void count_broken_response(Exchange& x) {
  x.stats[HttpStat::downstream_rq_tx_reset].add();
  x.stats[HttpStat::downstream_rq_rx_reset].add();
}

Response redirect_to_path(Exchange& x) {
  x.stats[HttpStat::downstream_rq_redirected_with_normalized_path].add();
  Response response = x.reply(307, "", kPathRefused);
  response.head->headers.add(Known::location, x.request.path);
  return response;
}

}  // namespace

TimePoint ServerStream::next_deadline() const {
  if (abort_reason != AbortReason::none) return TimePoint::max();
  const HttpOptions& o = connection.options();
  if (!exchange) {
    TimePoint whole = std::min(after(since, o.request_headers_timeout), after(since, o.request_timeout));
    return std::min(whole, after(std::max(since, last_progress()), o.stream_idle_timeout));
  }
  TimePoint deadline = after(since, exchange->max_duration);
  if (awaits_request()) deadline = std::min(deadline, after(since, o.request_timeout));
  return std::min(deadline, after(std::max(head_end, last_progress()), exchange->stream_idle_timeout));
}

void ServerStream::expire(TimePoint now) {
  const HttpOptions& o = connection.options();
  if (!exchange && now >= after(since, o.request_headers_timeout)) {
    abort(AbortReason::head_timeout);
  } else if (awaits_request() && now >= after(since, o.request_timeout)) {
    abort(AbortReason::request_timeout);
  } else if (exchange && now >= after(since, exchange->max_duration)) {
    abort(AbortReason::max_duration);
  } else {
    abort(AbortReason::stream_idle);
  }
}

void ServerStream::abort(AbortReason reason) {
  const bool served = response_ended && !exchange;
  if (abort_reason != AbortReason::none || served) return;
  abort_reason = reason;
  if (exchange) {
    exchange->scope.stop();
  } else {
    connection.transport->interrupt_reader();
  }
}

void ServerStream::leave_request(Exchange& x) {
  be_last();
  if (std::exchange(request_left, true)) return;
  x.stats[HttpStat::downstream_rq_response_before_rq_complete].add();
  x.stats[HttpStat::downstream_rq_rx_reset].add();
}

std::optional<Response> ServerStream::refusal(Exchange& x, const ProtocolError& error) {
  bool path = error.detail == kPathRefused;
  if (!path && error.detail != kNoOriginalAddress && error.detail != kMissingHost) return std::nullopt;
  if (x.options.routes) x.options.routes->find_host(x);
  if (error.status == 307) return redirect_to_path(x);
  if (error.detail != kMissingHost) {
    x.stats[path ? HttpStat::downstream_rq_failed_path_normalization
                 : HttpStat::downstream_rq_rejected_via_ip_detection]
        .add();
  }
  return x.reply(error.status, "", error.detail);
}

std::optional<Response> ServerStream::check_path(Exchange& x) {
  if (x.request.path.starts_with('/') || x.request.method == Method::connect) return std::nullopt;
  x.stats[HttpStat::downstream_rq_non_relative_path].add();
  return x.reply(404, "", "absolute_path_rejected");
}

void ServerStream::note_response(Exchange& x, const ResponseHead& head) {
  x.record.status = head.status;
  x.response_headers = &head.headers;
}

Task<> ServerStream::answer(Exchange& x) {
  // Set here, in the scope's run: a client that has already hung up still gets what can be said at once.
  watch(true);
  if (std::optional<Response> refused = admit(x)) {
    if (!co_await send_response(x, co_await x.options.filters.show(x, *refused))) be_last();
    if (x.record.flags.has(ResponseFlag::downstream_protocol_error)) forget_request(x);
    co_return;
  }
  begin_access_log(x);
  Response response = co_await x.options.filters(x);
  if (response.tunnel) {
    co_await run_tunnel(x, response);
    be_last();
  } else if (!co_await send_response(x, response)) {
    be_last();
  }
}

std::optional<Response> ServerStream::answer_abort(Exchange& x) {
  bool waited = receiving();
  bool gone = abort_reason == AbortReason::client_gone;
  if (waited || head_sent || gone) be_last();
  switch (abort_reason) {
    case AbortReason::none:
      break;
    case AbortReason::client_gone:
      x.record.flags.set(ResponseFlag::downstream_connection_termination);
      x.record.details = "downstream_remote_disconnect";
      x.stats[HttpStat::downstream_rq_rx_reset].add();
      x.stats[HttpStat::downstream_cx_destroy_active_rq].add();
      x.stats[HttpStat::downstream_cx_destroy_remote_active_rq].add();
      break;
    case AbortReason::client_reset:
      x.record.flags.set(ResponseFlag::downstream_remote_reset);
      x.record.details = "http2.remote_reset";
      x.stats[HttpStat::downstream_rq_rx_reset].add();
      break;
    case AbortReason::broke_protocol:
      x.record.flags.set(ResponseFlag::downstream_protocol_error);
      x.record.details = failure_details;
      x.stats[HttpStat::downstream_rq_rx_reset].add();
      break;
    case AbortReason::head_timeout:
      x.stats[HttpStat::downstream_rq_header_timeout].add();
      return x.reply(408, "request header timeout", "request_header_timeout");
    case AbortReason::stream_idle:
      x.stats[HttpStat::downstream_rq_idle_timeout].add();
      if (!head_sent) {
        return x.reply(waited ? 408 : 504, "stream timeout", "stream_idle_timeout", ResponseFlag::stream_idle_timeout);
      }
      x.record.flags.set(ResponseFlag::stream_idle_timeout);
      x.record.details = "stream_idle_timeout";
      count_broken_response(x);
      break;
    case AbortReason::max_duration:
      x.stats[HttpStat::downstream_rq_max_duration_reached].add();
      x.record.details = "max_duration_timeout";
      if (!head_sent) return x.reply(waited ? 408 : 504, "downstream duration timeout", "max_duration_timeout");
      count_broken_response(x);
      break;
    case AbortReason::request_timeout:
      x.stats[HttpStat::downstream_rq_timeout].add();
      if (!head_sent) return x.reply(408, "request timeout", "request_overall_timeout");
      break;
  }
  return std::nullopt;
}

void ServerStream::count_response(StatBlock& stats, int status) const {
  unsigned hundreds = static_cast<unsigned>(status) / 100;
  auto count = [&](StatBlock& block, auto first, auto completed) {
    block[completed].add();
    if (hundreds >= 1 && hundreds <= 5) block.cell(static_cast<unsigned>(first) + hundreds - 1).add();
  };
  count(stats, HttpStat::downstream_rq_1xx, HttpStat::downstream_rq_completed);
  const LocalHttp* http = connection.slot->current();
  if (!http || !http->listener_stats) return;
  count(*http->listener_stats, ListenerHttpStat::downstream_rq_1xx, ListenerHttpStat::downstream_rq_completed);
}

void ServerStream::finish_record(Exchange& x) {
  x.record.end = x.worker.now();
  if (request_body) {
    x.record.bytes_received = request_body->bytes();
    x.record.downstream_bytes.received += request_body->wire_bytes();
    if (request_body->ended() && !request_body->failed()) x.record.request_end = request_body->ended_at();
  }
  if (x.record.status != 0 && !x.record.health_check) count_response(x.stats, x.record.status);
  x.stats.record(HttpStat::downstream_rq_time,
                 static_cast<std::uint64_t>((*x.record.end - x.record.start) / std::chrono::milliseconds(1)));
  write_access_logs(x, AccessLogType::downstream_end);
}

Task<bool> ServerStream::show_and_send(Exchange& x, Response reply) {
  co_return co_await send_response(x, co_await x.options.filters.show(x, reply));
}

Task<> ServerStream::send_last_words(Exchange& x, const Response& reply) {
  auto sent = co_await within(kLastWordsLimit, show_and_send(x, reply));
  if (!sent) cut_off();
}

void ServerStream::begin(Exchange& x) {
  x.stats[HttpStat::downstream_rq_active].add();
  exchange = &x;
  x.client = this;
  head_end = connection.worker.now();
  connection.deadlines_begin();
  x.stats[HttpStat::downstream_rq_total].add();
  connection.begin_request();
}

std::optional<Response> ServerStream::last_words(Exchange& x, bool whole) {
  watch(false);
  if (whole && (abort_reason == AbortReason::none || response_ended)) return std::nullopt;
  return answer_abort(x);
}

void ServerStream::end(Exchange& x) {
  exchange = nullptr;
  finish_record(x);
  x.stats[HttpStat::downstream_rq_active].sub();
}

}  // namespace outrider
