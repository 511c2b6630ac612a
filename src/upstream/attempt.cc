#include "upstream/attempt.h"

#include "core/ascii.h"

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

void note_status(Exchange& x, WorkerCluster& cluster, Endpoint& endpoint, int status) {
  cluster.stats.count_code(status);
  (status >= 500 ? endpoint.numbers.rq_error : endpoint.numbers.rq_success).fetch_add(1, std::memory_order_relaxed);
}

// Keeps a pool, and with it its endpoint, as long as the exchange.
struct PoolUse {
  explicit PoolUse(EndpointPool& p) : pool(p) { pool.streams++; }
  PoolUse(const PoolUse&) = delete;
  ~PoolUse() { pool.streams--; }
  EndpointPool& pool;
};

struct Sending {
  h1::BodyFraming framing;
  Frame first;  // The first frame of the body, if it is here already.
  bool whole;   // It is also the last.
};

Sending prepare(Exchange& x) {
  Frame first = x.request_body->poll(BlockPool::kBodyBytes);
  std::optional<std::uint64_t> length = x.request_body->length();
  if (first.kind == Frame::Kind::end && !length) length = 0;
  h1::BodyFraming framing = h1::outgoing_request_framing(x.request.method, length);
  return {framing, first, first.kind == Frame::Kind::end || (first.is_data() && first.last)};
}

}  // namespace

bool declines_websocket(const Exchange& x, const ResponseHead& head) {
  return head.status != 101 && head.status < 400 && equals_ignore_case(x.upgrade, "websocket");
}

Task<Attempt> attempt(Exchange& x, const Route& route, WorkerCluster& cluster, Limit& limit) {
  Sending sending = prepare(x);
  if (sending.first.is_reset()) co_return Attempt{Failure::local_reset, {}, false, true, false, {}};
  for (int replays = 0;; replays++) {
    Endpoint* endpoint = cluster.pick();
    if (!endpoint) co_return Attempt{Failure::connect_failed, {}, true, false, false, {}};
    EndpointPool& pool = cluster.pool(*endpoint);
    x.record.upstream_peer = &endpoint->address;
    x.record.attempts++;
    if (route.auto_host_rewrite) x.request.authority = endpoint->hostname;
    UpstreamConnection* connection = pool.take_idle();
    bool reused = connection != nullptr;
    if (!connection) {
      x.arena.make_owned<PoolUse>(pool);  // The record for the log names its endpoint, whatever comes of this.
      Acquired acquired =
          co_await acquire(cluster, pool, cluster.cluster->breakers[static_cast<std::size_t>(route.priority)]);
      if (!acquired.connection) co_return Attempt{acquired.failure, acquired.reason, false, false, false, {}};
      connection = acquired.connection;
      reused = connection->requests > 0;
    }
    auto& stream = x.arena.make_owned<UpstreamStream>(x, pool, *connection, route.timeout, limit);
    x.record.upstream_local = &connection->transport->local();
    ResponseHead* head = nullptr;
    if (co_await stream.send(x.request, sending.framing, sending.first, sending.whole)) {
      if (!sending.whole) x.scope.spawn(&UpstreamStream::pump, stream);
      head = co_await stream.receive_head();
    }
    if (head) {
      if (!declines_websocket(x, *head)) note_status(x, cluster, *endpoint, head->status);
      co_return Attempt{Failure::none, {},    false,
                        false,         false, Response{head, &stream, stream.tunnel() ? &stream : nullptr}};
    }
    bool replay = stream.failure() == Failure::connection_closed && reused && stream.untouched() && sending.whole &&
                  idempotent(x.request.method) && replays < kReplaysMax;
    if (!replay) {
      endpoint->numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
      co_return Attempt{stream.failure(), {}, false, stream.client_failed(), stream.interim(), {}};
    }
  }
}

}  // namespace outrider
