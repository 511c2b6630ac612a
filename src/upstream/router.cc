#include "upstream/router.h"

#include <charconv>

#include "core/decimal.h"
#include "core/log.h"
#include "http/debug_log.h"
#include "http/grpc_status.h"
#include "http/http_call.h"
#include "http/http_stats.h"
#include "http/tracing.h"
#include "upstream/attempt.h"
#include "upstream/grpc_answer.h"
#include "upstream/loop.h"
#include "upstream/rewrite.h"
#include "upstream/strict_headers.h"
#include "upstream/time_limit.h"
#include "upstream/tries.h"
#include "upstream/virtual_host.h"

namespace outrider {
namespace {

// What the client of a declined WebSocket is told, as by Envoy: a reply with the status and the fields, but no body.
Response without_body(Exchange& x, const ResponseHead& declined) {
  return x.reply(declined.status, "", "websocket_handshake_unsuccessful", &declined.headers);
}

// Whatever the route would do otherwise.
Response refuse_upgrade(Exchange& x) {
  x.stats[HttpStat::downstream_rq_ws_on_non_ws_route].add();
  return x.reply(403, "", "upgrade_failed");
}

}  // namespace

namespace {

// Without this one request would go round until a time-out ends it.
Response refuse_loop(Exchange& x, const Route& route) {
  x.stats[HttpStat::rq_loop].add();
  const std::string host = route.host ? route.host->name() : std::string();
  log(Logger::router, LogLevel::warning,
      "loop: " + std::string(x.request.method_name) + " " + url_of(x) + " has come back to the route '" + route.name +
          "' of the virtual host '" + host + "' (cluster '" + route.cluster_name + "'), which had sent it on");
  return x.reply(508, kLoopReply, kLoopDetails);
}

Response refuse_unsendable(Exchange& x) {
  std::string name(x.unsendable);
  std::string details = "filter_removed_required_request_headers{invalid_header_value_for:_" + name + "}";
  return x.reply(503, "invalid header value for: " + name, x.arena.copy(details),
                 ResponseFlag::downstream_protocol_error);
}

Response refuse_late(Exchange& x) {
  x.stats[HttpStat::downstream_rq_max_duration_reached].add();
  return x.reply(504, "downstream duration timeout", "max_duration_timeout");
}

constexpr Known kOfTries[] = {Known::x_envoy_retry_on,
                              Known::x_envoy_retry_grpc_on,
                              Known::x_envoy_max_retries,
                              Known::x_envoy_retriable_status_codes,
                              Known::x_envoy_retriable_header_names,
                              Known::x_envoy_hedge_on_per_try_timeout};

constexpr std::uint64_t bits_of_tries() {
  std::uint64_t bits = 0;
  for (Known name : kOfTries) bits |= Headers::bit(name);
  return bits;
}

// Whether the request may be tried more than once, by its route or by what it says itself, which nobody behind the
// router is told.
void prepare_tries(Forwarding& f, std::chrono::milliseconds per_try_timeout) {
  Headers& headers = f.x.request.headers;
  constexpr std::uint64_t kOfTriesBits = bits_of_tries();
  bool asks = headers.present() & kOfTriesBits;
  if (f.route.retry || asks || per_try_timeout.count() > 0) {
    f.tries = &f.x.arena.make_owned<Tries>(f, f.route.retry.get(), per_try_timeout);
  }
  if (!asks) return;
  for (Known name : kOfTries) headers.remove(name);
}

Response direct_response(Exchange& x, const DirectResponse& direct) {
  if (!direct.format) {
    // What was made, or is elsewhere, is where the request went (RFC 9110 section 15.3.2).
    Headers fields(x.arena);
    bool located = direct.status == 201 || direct.status / 100 == 3;
    if (located) fields.add(Known::location, x.arena.copy(url_of(x)));
    return x.reply(direct.status, direct.body, "direct_response", &fields);
  }
  std::string body;
  direct.format->append(x, body);
  Response response = x.reply(direct.status, body, "direct_response");
  if (!body.empty()) response.head->headers.set(Known::content_type, direct.content_type);
  return response;
}

}  // namespace

std::optional<Response> Router::answer(Exchange& x, const Route* route) const {
  if (route && !x.upgrade.empty()) {
    if (!upgrade_allowed(x, *route)) return refuse_upgrade(x);
    x.stats[HttpStat::downstream_cx_upgrades_total].add();
  }
  x.stats[HttpStat::rq_total].add();
  if (!route) {
    x.stats[HttpStat::no_route].add();
    return x.reply(404, "", "route_not_found", ResponseFlag::no_route_found);
  }
  if (route->idle_timeout || route->limits_stream) {
    x.stream_idle_timeout = route->idle_timeout.value_or(x.stream_idle_timeout);
    if (route->limits_stream && !limit_stream(x, *route)) return refuse_late(x);
    if (x.client) x.client->deadlines_changed();
  }
  if (route->redirect) {
    x.stats[HttpStat::rq_direct_response].add();
    return redirect(x, *route, !options_.suppress_envoy_headers);
  }
  if (route->direct) {
    x.stats[HttpStat::rq_direct_response].add();
    return direct_response(x, *route->direct);
  }
  return std::nullopt;
}

OUTRIDER_FORWARDS Task<Response> Router::handle(Exchange& x, Next) const {
  const auto* route = static_cast<const Route*>(x.route());
  if (std::optional<Response> own = answer(x, route)) return at_once(*own);
  if (!mark_hop(x, *route)) return at_once(refuse_loop(x, *route));
  if (route->cluster) return forward(x, *route, *route->cluster);
  if (!route->cluster_header.empty() && x.record.cluster) return forward(x, *route, *x.record.cluster);
  x.stats[HttpStat::no_cluster].add();
  return at_once(x.reply(route->cluster_not_found_status, "", "cluster_not_found", ResponseFlag::no_cluster_found));
}

namespace {

void tell_attempts(Forwarding& f, ResponseHead& head) {
  if (!f.route.host || !f.route.host->options().count_attempts_in_response) return;
  std::uint32_t attempts = std::max(1U, f.x.record.attempts);
  head.headers.set(Known::x_envoy_attempt_count, decimal(f.x.arena, attempts));
}

void count_time_out(Forwarding& f) {
  if (f.tries && f.tries->waiting()) return;
  f.count_code(f.timeout_status);
  f.cluster.stats[ClusterStat::upstream_rq_timeout].add();
  if (f.virtual_cluster) (*f.virtual_cluster)[VirtualClusterStat::upstream_rq_timeout].add();
  if (!f.host) return;
  note_local_failure(f, *f.host, 504);
  f.host->numbers.rq_timeout.fetch_add(1, std::memory_order_relaxed);
  f.host->numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Task<Response> Router::forward(Exchange& x, const Route& route, Cluster& to) const {
  WorkerCluster& cluster = x.connection.clusters->get(to);
  debug(x, Logger::router, [&] {
    return "cluster '" + to.name() + "' match for URL '" + std::string(x.request.path) + "', route '" + route.name +
           "'";
  });
  x.arena.make_owned<ClusterUse>(cluster);
  if (!options_.strict_headers.empty()) {
    if (std::optional<Response> refused = check_strictly(x, options_.strict_headers)) co_return *refused;
  }
  bool envoy_headers = !options_.suppress_envoy_headers;
  x.record.uncounted = x.record.health_check || !options_.dynamic_stats;
  TimeLimits limits = time_limits(x, route, options_);
  auto& f = x.arena.make_owned<Forwarding>(x, route, cluster, envoy_headers, limits.whole);
  f.child_span = options_.start_child_span;
  f.find_counters();
  if (x.request.headers.has(Known::x_envoy_upstream_rq_timeout_alt_response)) {
    f.timeout_status = 204;
    x.request.headers.remove(Known::x_envoy_upstream_rq_timeout_alt_response);
  }
  rewrite_request(x, route, envoy_headers);
  if (!x.unsendable.empty()) co_return refuse_unsendable(x);
  prepare_tries(f, limits.per_try);
  Breaker& requests = to.breakers[static_cast<std::size_t>(route.priority)].requests;
  if (!requests.try_take()) {
    cluster.stats[ClusterStat::upstream_rq_active_overflow].add();
    x.record.attempts++;
    Attempt overflow;
    overflow.failure = Failure::overflow;
    co_return fail(f, overflow);
  }
  x.arena.make_owned<Taken>(requests);
  if (route.mirrors && cluster.has_hosts()) mirror(f);
  std::optional<Attempt> tried = co_await within(f.timeout.limit, f.tries ? attempt_repeatedly(f) : attempt(f));
  if (!tried && f.timeout.was_too_long(x.worker.now())) co_return stream_too_long(f);
  if (!tried) {
    count_time_out(f);
    co_return time_out(f, "response_timeout");
  }
  if (x.trace) tell_trace(*x.trace, *tried);
  if (tried->ended != TryEnd::itself) {
    f.count_code(f.timeout_status);
    co_return time_out(f,
                       tried->ended == TryEnd::timeout ? "upstream_per_try_timeout" : "upstream_per_try_idle_timeout");
  }
  if (tried->failure != Failure::none) co_return fail(f, *tried);
  x.record.details = "via_upstream";
  if (tried->response.tunnel) f.timeout.limit.cancel();  // The route's time-out is one for responses.
  if (declines_websocket(f, *tried->response.head)) co_return without_body(x, *tried->response.head);
  ResponseHead& head = *tried->response.head;
  if (head.status < 500 && !tried->response.tunnel && is_grpc_request(x.request))
    count_grpc_answer(x, *f.host, tried->response);
  finish(f, head);
  co_return tried->response;
}

// What the route and Envoy's custom put into a response.
void Router::finish(Forwarding& f, ResponseHead& head) const {
  Exchange& x = f.x;
  // Where the request has not come whole, there is no time that the answer took.
  if (f.envoy_headers && x.record.request_end && x.upgrade.empty()) {
    auto spent = (x.worker.now() - *x.record.request_end) / std::chrono::milliseconds(1);
    head.headers.set(Known::x_envoy_upstream_service_time, decimal(x.arena, spent));
  }
  tell_attempts(f, head);
  x.record.status = head.status;
  for (std::string_view cookie : f.new_cookies) head.headers.add(Known::set_cookie, cookie);
  for (const auto& mutations : f.route.response_headers) apply_together(*mutations, x, head);
}

Response Router::time_out(Forwarding& f, std::string_view details) const {
  Response response =
      f.x.reply(f.timeout_status, "upstream request timeout", details, ResponseFlag::upstream_request_timeout);
  tell_attempts(f, *response.head);
  return response;
}

Response Router::stream_too_long(Forwarding& f) const {
  f.cluster.stats[ClusterStat::upstream_rq_max_duration_reached].add();
  return f.x.reply(f.x.record.request_end ? 504 : 408, "upstream max stream duration reached",
                   "upstream_max_stream_duration_reached", ResponseFlag::upstream_max_stream_duration_reached);
}

Response Router::fail(Forwarding& f, const Attempt& attempt) const {
  Exchange& x = f.x;
  if (attempt.client_failed) {
    x.stats[HttpStat::downstream_cx_protocol_error].add();
    return x.reply(400, "Bad Request", "http1.codec_error", ResponseFlag::downstream_protocol_error);
  }
  if (attempt.no_host) {
    f.cluster.stats[ClusterStat::upstream_cx_none_healthy].add();
    f.count_code(503);
    Response response = x.reply(503, "no healthy upstream", "no_healthy_upstream", ResponseFlag::no_healthy_upstream);
    tell_attempts(f, *response.head);
    return response;
  }
  FailureMeaning meaning = meaning_of(attempt.failure);
  if (!attempt.interim) f.count_code(meaning.status);
  std::string body = "upstream connect error or disconnect/reset before headers. ";
  body += f.tries && f.tries->retrying() ? "retried and the latest reset reason: " : "reset reason: ";
  body += meaning.reset_reason;
  std::string details =
      attempt.interim ? "upstream_reset_after_response_started{" : "upstream_reset_before_response_started{";
  details += meaning.details;
  if (!attempt.reason.empty()) {
    std::string reason = attempt.failure == Failure::local_connect_failed ? "" : "delayed connect error: ";
    reason += attempt.reason;
    x.record.upstream_failure = x.arena.copy(reason);
    details += "|" + reason;
  }
  details += "}";
  std::replace(details.begin(), details.end(), ' ', '_');
  Response response = x.reply(meaning.status, body, x.arena.copy(details), meaning.flag);
  tell_attempts(f, *response.head);
  if (attempt.failure == Failure::overflow) response.head->headers.add(Known::x_envoy_overloaded, "true");
  return response;
}

}  // namespace outrider
