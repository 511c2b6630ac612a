#include "upstream/attempt.h"

#include "core/ascii.h"
#include "core/decimal.h"
#include "http/debug_log.h"
#include "http/grpc_status.h"
#include "http/tracing.h"
#include "upstream/grpc_answer.h"
#include "upstream/h1_upstream_stream.h"
#include "upstream/h2_upstream_stream.h"
#include "upstream/rewrite.h"
#include "upstream/tries.h"
#include "upstream/virtual_host.h"

namespace outrider {
namespace {

// May the request be sent a second time if the first may have been seen (RFC 9110 section 9.2.2)?
bool idempotent(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::put:
    case Method::delete_:
    case Method::options:
    case Method::trace:
      return true;
    default:
      return false;
  }
}

void report(Forwarding& f, Endpoint& endpoint, std::uint32_t reasons) {
  HealthObserver* observer = f.cluster.cluster->observer;
  if (!observer) return;
  for (unsigned i = 0; reasons >> i; i++) {
    if ((reasons >> i) & 1) {
      observer->too_many_errors(f.cluster.cluster, endpoint.shared_from_this(), static_cast<EjectionReason>(i));
    }
  }
}

void note_failure(Forwarding& f, Endpoint& endpoint) {
  endpoint.numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
  note_local_failure(f, endpoint, 503);
}

// What the answer says of the host's health.
void note_health(Forwarding& f, Endpoint& endpoint, const ResponseHead& head) {
  if (endpoint.outlier) {
    if (std::uint32_t reasons = endpoint.outlier->put_status(status_of_answer(f.x, head))) report(f, endpoint, reasons);
  }
  HealthObserver* observer = f.cluster.cluster->observer;
  if (observer && head.headers.has(Known::x_envoy_immediate_health_check_fail)) {
    observer->fail_at_once(f.cluster.cluster, endpoint.shared_from_this());
  }
}

// Keeps a pool, and with it its endpoint, as long as the exchange.
struct PoolUse {
  explicit PoolUse(EndpointPool& p) : pool(p) { pool.streams++; }
  PoolUse(const PoolUse&) = delete;
  ~PoolUse() { pool.streams--; }
  EndpointPool& pool;
};

struct Sending {
  Frame first;  // The first frame of the body, if it is here already.
  bool whole;   // It is also the last.
};

// Connection and its like are for one hop: what filters, scripts or the configuration put in goes no further.
void strip_hop_by_hop(Exchange& x) {
  Headers& headers = x.request.headers;
  if (!h1::has_hop_by_hop(headers)) return;
  bool upgrades = !x.upgrade.empty();
  if (!h1::strip_hop_by_hop(headers, upgrades)) return;
  headers.remove(Known::te);
  headers.set(Known::connection, upgrades ? "upgrade" : "close");
  (void)h1::strip_hop_by_hop(headers, upgrades);
}

// What follows a CONNECT is no body.
Sending prepare(Exchange& x) {
  strip_hop_by_hop(x);
  if (x.request.method == Method::connect) return {Frame::end(), true};
  Frame first = x.request_body->poll(BlockPool::kBodyBytes);
  return {first, first.kind == Frame::Kind::end || (first.is_data() && first.last)};
}

}  // namespace

void tell_trace(RequestTrace& trace, const Attempt& attempt) {
  if (attempt.client_failed || attempt.no_host) return;
  if (attempt.ended != TryEnd::itself) return trace.attempt_failed({}, ResponseFlag::upstream_request_timeout);
  if (attempt.failure == Failure::none) return trace.attempt_answered(attempt.response.head->status);
  FailureMeaning meaning = meaning_of(attempt.failure);
  trace.attempt_failed(meaning.reset_reason, meaning.flag);
}

ReplayBody* Forwarding::keep_body() {
  if (kept_body || x.request_body == &NoBody::shared()) return kept_body;
  std::uint64_t bytes_max = route.request_bytes_kept.value_or(x.options.buffer_bytes_max);
  kept_body = &x.arena.make_owned<ReplayBody>(*x.request_body, bytes_max);
  kept_body->too_long = &cluster.stats[ClusterStat::retry_or_shadow_abandoned];
  x.request_body = kept_body;
  return kept_body;
}

HashChoice Forwarding::hash_choice(std::uint32_t attempt) {
  if (!hashed) hashed.emplace(route.hash ? hash_of(x, *route.hash, x.arena, new_cookies) : std::nullopt);
  return {hashed->hash, attempt};
}

void Forwarding::find_counters() {
  int worker = x.worker.index();
  if (route.stats) of_route = &route.stats->of(worker);
  if (!route.host || route.host->options().clusters.empty()) return;
  const VirtualCluster* named = route.host->cluster_of(x.request);
  if (!named) return;
  virtual_cluster = &named->stats.of(worker);
  if (!named->catches_all) x.record.virtual_cluster_name = named->name;
}

void Forwarding::count_request() {
  for (StatBlock* block : {virtual_cluster, of_route}) {
    if (block) (*block)[VirtualClusterStat::upstream_rq_total].add();
  }
}

void Forwarding::count_code(int status, bool canary) {
  if (x.record.uncounted) return;
  cluster.stats.count_code(status);
  cluster.copy(origin_of(x.request)).count_code(status);
  if (canary) cluster.copy(CodeCopy::canary).count_code(status);
  if (virtual_cluster) virtual_cluster->count_code(status);
  if (of_route) of_route->count_code(status);
}

void Forwarding::note_status(Endpoint& endpoint, const ResponseHead& head) {
  bool canary = !x.record.uncounted && is_canary(head);
  if (stream && !x.record.uncounted) stream->time_response(origin_of(x.request), canary, virtual_cluster, of_route);
  if (declines_websocket(*this, head)) return;
  count_code(head.status, canary);
  if (head.status < 500 && is_grpc_request(x.request)) return;  // The router counts it, by its status of gRPC.
  auto& count = head.status >= 500 ? endpoint.numbers.rq_error : endpoint.numbers.rq_success;
  count.fetch_add(1, std::memory_order_relaxed);
}

void note_local_failure(Forwarding& f, Endpoint& host, int status) {
  if (!host.outlier) return;
  if (std::uint32_t reasons = host.outlier->put_local_failure(status)) report(f, host, reasons);
}

bool declines_websocket(const Forwarding& f, const ResponseHead& head) {
  if (head.status == 101 || head.status >= 400 || !equals_ignore_case(f.x.upgrade, "websocket")) return false;
  return !f.cluster.cluster->options.speaks_h2(f.x.request.version);
}

namespace {

// `authority`: the request's, before any host was aimed at.
void aim_at(Forwarding& f, Endpoint& endpoint, std::string_view authority) {
  Exchange& x = f.x;
  x.record.upstream_peer = &endpoint.address;
  x.record.upstream_hostname = endpoint.hostname;
  x.record.host_metadata = endpoint.metadata.get();
  if (f.route.host && f.route.host->options().count_attempts_in_request) {
    x.request.headers.set(Known::x_envoy_attempt_count, decimal(x.arena, x.record.attempts));
  }
  if (f.route.host_rewrite.of_endpoint && !endpoint.hostname.empty()) {
    x.request.authority = authority;
    rewrite_host(x, f.route.host_rewrite, endpoint.hostname, f.envoy_headers);
  }
}

// Of either kind of stream and connection.
template <class Stream, class Connection>
Stream& begin_stream(Forwarding& f, EndpointPool& pool, Connection& connection, const Address& local, TimePoint created,
                     TimePoint connected) {
  Exchange& x = f.x;
  if (f.host->outlier) f.host->outlier->put_connected();
  f.timeout.connected();
  auto& stream = x.arena.make_owned<Stream>(x, pool, connection, f.timeout);
  f.stream = &stream;
  f.count_request();
  f.timeout.stream_begins(x, f.cluster.cluster->options.max_stream_duration);
  x.record.upstream_local = &local;
  x.record.upstream_connect_begin = created;
  x.record.upstream_connect_end = connected;
  return stream;
}

H1UpstreamStream& begin_h1(Forwarding& f, EndpointPool& pool, UpstreamConnection& c) {
  return begin_stream<H1UpstreamStream>(f, pool, c, c.transport->local(), c.created, c.connected);
}

UpstreamStream& begin_on(Forwarding& f, EndpointPool& pool, const Acquired& acquired) {
  f.x.record.upstream_version = acquired.h2 ? Version::http2 : Version::http11;
  if (!acquired.h2) return begin_h1(f, pool, *acquired.connection);
  H2UpstreamConnection& c = *acquired.h2;
  return begin_stream<H2UpstreamStream>(f, pool, c, c.local(), c.created(), c.connected());
}

Attempt without_connection(Forwarding& f, Endpoint& endpoint, const Acquired& acquired) {
  debug(f.x, Logger::pool, [&] { return "no connection: " + std::string(acquired.reason); });
  if (acquired.failure != Failure::overflow) note_failure(f, *(f.host = &endpoint));
  return {.failure = acquired.failure, .reason = acquired.reason};
}

UpstreamProtocol protocol_for(const Forwarding& f) {
  if (f.route.terminates_connect && f.x.request.method == Method::connect) return UpstreamProtocol::other;
  bool h2 = f.cluster.cluster->options.speaks_h2(f.x.request.version);
  return h2 ? UpstreamProtocol::http2 : UpstreamProtocol::http1;
}

// What can be had at once.
Acquired take_ready(EndpointPool& pool, UpstreamProtocol protocol) {
  switch (protocol) {
    case UpstreamProtocol::http1:
      return {.connection = pool.take_idle()};
    case UpstreamProtocol::http2:
      return {.h2 = pool.h2.waiting == 0 ? H2UpstreamConnection::with_room(pool.h2) : nullptr};
    case UpstreamProtocol::other:
      return {};
  }
  return {};
}

// The host has not seen the request, or may as well see it twice, and all of it is still here.
bool may_replay(const Forwarding& f, const UpstreamStream& stream, bool reused, bool all_here) {
  if (!all_here) return false;
  if (stream.passed_over()) return true;
  return stream.failure() == Failure::connection_closed && reused && stream.untouched() &&
         idempotent(f.x.request.method);
}

// The answer to a CONNECT that ends here: behind it the bytes of both sides pass as they are.
Attempt terminate_connect(Forwarding& f, EndpointPool& pool, const Acquired& acquired) {
  H1UpstreamStream& stream = begin_h1(f, pool, *acquired.connection);
  ResponseHead* head = stream.open_tunnel();
  f.note_status(*f.host, *head);
  return {.response = {head, &stream, &stream}};
}

}  // namespace

Task<Attempt> attempt(Forwarding& f) {
  Exchange& x = f.x;
  Sending sending = prepare(x);
  if (sending.first.is_reset()) co_return Attempt{.failure = Failure::local_reset, .client_failed = true};
  if (sending.whole && x.request.method != Method::connect) f.timeout.request_received(x);
  const std::string_view authority = x.request.authority;
  const UpstreamProtocol protocol = protocol_for(f);
  for (int replays = 0;; replays++) {
    x.record.attempts++;
    Endpoint* endpoint = f.tries ? f.tries->pick() : pick_host(f);
    if (!endpoint) co_return Attempt{.failure = Failure::connect_failed, .no_host = true};
    EndpointPool& pool = f.cluster.pool(*endpoint);
    aim_at(f, *endpoint, authority);
    if (x.trace && replays == 0) x.trace->begin_attempt(x, f.child_span);
    Acquired acquired = take_ready(pool, protocol);
    bool ready = acquired.connection || acquired.h2;
    debug(x, Logger::pool, [&] {
      return (ready ? "using existing connection to " : "creating a new connection to ") + endpoint->address.text();
    });
    if (!ready) {
      x.arena.make_owned<PoolUse>(pool);  // The record for the log names its endpoint, whatever comes of this.
      Breakers& breakers = f.cluster.cluster->breakers[static_cast<std::size_t>(f.route.priority)];
      bool h2 = protocol == UpstreamProtocol::http2;
      acquired = co_await (h2 ? acquire_h2(pool, breakers) : acquire(pool, breakers, protocol));
      if (acquired.failure != Failure::none) co_return without_connection(f, *endpoint, acquired);
    }
    f.host = endpoint;
    if (protocol == UpstreamProtocol::other) co_return terminate_connect(f, pool, acquired);
    const bool reused = acquired.connection && acquired.connection->requests > 0;
    UpstreamStream& stream = begin_on(f, pool, acquired);
    debug(x, Logger::router, [&] { return "router decoding headers:" + debug_fields(x.request); });
    bool more = stream.begin(x.request, sending.first, sending.whole);
    if (more) stream.start_pump();
    // Even if sending has failed: a response may have come before.
    if (ResponseHead* head = co_await stream.receive_head()) {
      debug(x, Logger::router, [&] { return "upstream headers complete:" + debug_fields(*head); });
      note_health(f, *endpoint, *head);
      if (!f.tries) f.note_status(*endpoint, *head);
      co_return Attempt{.response = {head, &stream, stream.tunnel() ? &stream : nullptr}};
    }
    bool replay = may_replay(f, stream, reused, sending.whole && !more) && replays < kReplaysMax;
    debug(x, Logger::router, [&] { return replay ? "upstream reset: sending it again" : "upstream reset"; });
    if (!replay) {
      if (!stream.client_failed()) note_failure(f, *endpoint);
      co_return Attempt{
          .failure = stream.failure(), .client_failed = stream.client_failed(), .interim = stream.interim()};
    }
    x.record.upstream_local = nullptr;
    x.record.upstream_version.reset();
    stream.abandon();  // What it holds of the circuit breakers may be what the next connection needs.
  }
}

}  // namespace outrider
