#include "upstream/router.h"

#include <charconv>

#include "core/log.h"
#include "http/http_stats.h"
#include "upstream/attempt.h"
#include "upstream/rewrite.h"

namespace outrider {
namespace {

std::string_view decimal(Arena& arena, std::int64_t number) {
  char digits[24];
  char* end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return arena.copy({digits, static_cast<std::size_t>(end - digits)});
}

struct Meaning {
  int status;
  std::string_view reset_reason;  // In the body.
  std::string_view details;
  ResponseFlag flag;
};

// How Envoy names each failure, and answers it.
Meaning meaning_of(Failure failure) {
  switch (failure) {
    case Failure::connect_failed:
      return {503, "remote connection failure", "remote_connection_failure", ResponseFlag::upstream_connection_failure};
    case Failure::connect_timeout:
      return {503, "connection timeout", "connection_timeout", ResponseFlag::upstream_connection_failure};
    case Failure::overflow:
      return {503, "overflow", "overflow", ResponseFlag::upstream_overflow};
    case Failure::protocol_error:
    case Failure::too_large:
      return {502, "protocol error", "protocol_error", ResponseFlag::upstream_protocol_error};
    default:
      return {503, "connection termination", "connection_termination", ResponseFlag::upstream_connection_termination};
  }
}

// What the client of a declined WebSocket is told, as by Envoy: the status and the fields, but no body.
Response without_body(Exchange& x, Response response) {
  x.record.details = "websocket_handshake_unsuccessful";
  response.head->headers.remove(Known::content_length);
  response.body = &NoBody::shared();
  return response;
}

// Whatever the route would do otherwise.
Response refuse_upgrade(Exchange& x, const Route& route) {
  x.stats[HttpStat::downstream_rq_ws_on_non_ws_route].add();
  x.record.route_name = route.name;
  if (route.cluster) x.record.cluster_name = route.cluster->name();
  return x.reply(403, "", "upgrade_failed");
}

}  // namespace

std::optional<Response> Router::answer(Exchange& x, const Route* route) const {
  if (route && !x.upgrade.empty()) {
    if (!upgrade_allowed(x, *route)) return refuse_upgrade(x, *route);
    x.stats[HttpStat::downstream_cx_upgrades_total].add();
  }
  x.stats[HttpStat::rq_total].add();
  if (!route) {
    x.stats[HttpStat::no_route].add();
    return x.reply(404, "", "route_not_found", ResponseFlag::no_route_found);
  }
  x.record.route_name = route->name;
  x.record.route_metadata = route->metadata.get();
  if (route->idle_timeout) {
    x.stream_idle_timeout = *route->idle_timeout;
    if (x.client) x.client->deadlines_changed();
  }
  if (route->redirect) {
    x.stats[HttpStat::rq_direct_response].add();
    return redirect(x, *route);
  }
  if (route->direct) {
    x.stats[HttpStat::rq_direct_response].add();
    return x.reply(route->direct->status, route->direct->body, "direct_response");
  }
  if (!route->cluster) {
    x.stats[HttpStat::no_cluster].add();
    return x.reply(route->cluster_not_found_status, "", "cluster_not_found", ResponseFlag::no_cluster_found);
  }
  return std::nullopt;
}

OUTRIDER_FORWARDS Task<Response> Router::handle(Exchange& x, Next) const {
  const auto* route = static_cast<const Route*>(x.route());
  std::optional<Response> own = answer(x, route);
  return own ? at_once(*own) : forward(x, *route);
}

Task<Response> Router::forward(Exchange& x, const Route& route) const {
  WorkerCluster& cluster = x.connection.clusters->get(route.cluster);
  x.arena.make_owned<ClusterUse>(cluster);
  x.record.cluster = route.cluster.get();
  x.record.cluster_name = route.cluster->name();
  bool envoy_headers = !options_.suppress_envoy_headers;
  if (envoy_headers && route.timeout.count() > 0) {
    x.request.headers.set(Known::x_envoy_expected_rq_timeout_ms, decimal(x.arena, route.timeout.count()));
  }
  rewrite_request(x, route, envoy_headers);
  Breaker& requests = route.cluster->breakers[static_cast<std::size_t>(route.priority)].requests;
  if (!requests.try_take()) {
    cluster.stats[ClusterStat::upstream_rq_pending_overflow].add();
    Attempt overflow;
    overflow.failure = Failure::overflow;
    co_return fail(x, cluster, overflow);
  }
  x.arena.make_owned<Taken>(requests);
  auto& f = x.arena.make_owned<Forwarding>(x, route, cluster, envoy_headers);
  std::optional<Attempt> tried = co_await within(f.timeout.limit, attempt(f));
  if (!tried) co_return time_out(f);
  if (tried->failure != Failure::none) co_return fail(x, cluster, *tried);
  x.record.details = "via_upstream";
  if (tried->response.tunnel) f.timeout.limit.cancel();  // The route's time-out is one for responses.
  if (declines_websocket(x, *tried->response.head)) co_return without_body(x, tried->response);
  // Where the request has not come whole, there is no time that the answer took.
  if (envoy_headers && x.record.request_end && x.upgrade.empty()) {
    auto spent = (x.worker.now() - *x.record.request_end) / std::chrono::milliseconds(1);
    tried->response.head->headers.set(Known::x_envoy_upstream_service_time, decimal(x.arena, spent));
  }
  co_return tried->response;
}

Response Router::time_out(Forwarding& f) const {
  f.cluster.stats[ClusterStat::upstream_rq_timeout].add();
  f.cluster.stats.count_code(504);
  if (f.host) {
    f.host->numbers.rq_timeout.fetch_add(1, std::memory_order_relaxed);
    f.host->numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
  }
  return f.x.reply(504, "upstream request timeout", "response_timeout", ResponseFlag::upstream_request_timeout);
}

Response Router::fail(Exchange& x, WorkerCluster& cluster, const Attempt& attempt) const {
  if (attempt.client_failed) {
    x.stats[HttpStat::downstream_cx_protocol_error].add();
    return x.reply(400, "Bad Request", "http1.codec_error", ResponseFlag::downstream_protocol_error);
  }
  if (attempt.no_host) {
    cluster.stats[ClusterStat::upstream_cx_none_healthy].add();
    cluster.stats.count_code(503);
    return x.reply(503, "no healthy upstream", "no_healthy_upstream", ResponseFlag::no_healthy_upstream);
  }
  Meaning meaning = meaning_of(attempt.failure);
  if (!attempt.interim) cluster.stats.count_code(meaning.status);
  std::string body = "upstream connect error or disconnect/reset before headers. reset reason: ";
  body += meaning.reset_reason;
  std::string details =
      attempt.interim ? "upstream_reset_after_response_started{" : "upstream_reset_before_response_started{";
  details += meaning.details;
  if (!attempt.reason.empty()) {
    std::string reason = "delayed connect error: " + std::string(attempt.reason);
    x.record.upstream_failure = x.arena.copy(reason);
    details += "|" + reason;
  }
  details += "}";
  std::replace(details.begin(), details.end(), ' ', '_');
  Response response = x.reply(meaning.status, body, x.arena.copy(details), meaning.flag);
  if (attempt.failure == Failure::overflow) response.head->headers.add(Known::x_envoy_overloaded, "true");
  return response;
}

}  // namespace outrider
