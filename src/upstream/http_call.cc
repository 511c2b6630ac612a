#include "upstream/http_call.h"

#include "core/decimal.h"
#include "core/log.h"
#include "http/http_stats.h"
#include "upstream/attempt.h"
#include "upstream/failure_meaning.h"
#include "upstream/loop.h"

namespace outrider {
namespace {

using Result = std::expected<HttpAnswer, CallFailure>;

std::int64_t milliseconds_since(TimePoint start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Worker::current()->now() - start).count();
}

// The answer outlives the exchange that its views belong to.
void keep_head(const ResponseHead& from, HttpAnswer& to, Arena& arena) {
  to.head.status = from.status;
  to.head.version = from.version;
  for (const Field& field : from.headers) {
    to.head.headers.add(arena.copy(field.name), field.known, arena.copy(field.value));
  }
}

// Nothing: it is whole.
Task<std::optional<CallFailure>> read_body(Body& body, std::string& into, const HttpCall& call) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = body.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) co_return CallFailure::reset;
    if (frame.is_data() && !call.discard_answer) into.append(frame.data);
    if (into.size() > call.answer_bytes_max) co_return CallFailure::too_large;
    if (frame.last) co_return std::nullopt;
  }
}

void tell_reason(const HttpCall& call, const Exchange& x, std::string_view what) {
  if (!call.reason || !x.record.upstream_peer) return;
  *call.reason = x.record.upstream_peer->text();
  if (!what.empty()) call.reason->append(": ").append(what);
}

CallFailure failure_of(const Attempt& attempt) { return attempt.no_host ? CallFailure::no_host : CallFailure::reset; }

Task<> exchange(Forwarding& f, Arena& arena, const HttpCall& call, Result& result) {
  Attempt attempt = co_await outrider::attempt(f);
  if (attempt.failure != Failure::none) {
    bool broken = attempt.failure == Failure::protocol_error || attempt.failure == Failure::too_large;
    f.count_code(broken ? 502 : 503);
    result = std::unexpected(failure_of(attempt));
    tell_reason(call, f.x, attempt.reason.empty() ? meaning_of(attempt.failure).reset_reason : attempt.reason);
    co_return;
  }
  HttpAnswer answer(arena);
  keep_head(*attempt.response.head, answer, arena);
  answer.head.headers.set(Known::x_envoy_upstream_service_time, decimal(arena, milliseconds_since(f.x.record.start)));
  if (auto failure = co_await read_body(*attempt.response.body, answer.body, call)) {
    result = std::unexpected(*failure);
    tell_reason(call, f.x, {});
    co_return;
  }
  result = std::move(answer);
}

Task<> run_exchange(Forwarding& f, Arena& arena, const HttpCall& call, Result& result) {
  co_await f.x.scope.run(exchange(f, arena, call, result));
}

// Marks the call, unless it has no cause.
bool goes_round(HttpCall& call, const Cluster& cluster) {
  if (!call.cause || mark_call(*call.request, call.cause->request, cluster)) return false;
  call.cause->stats[HttpStat::rq_loop].add();
  log(Logger::router, LogLevel::warning,
      "loop: a call of a filter, " + std::string(call.request->method_name) + " " + std::string(call.request->path) +
          " to the cluster '" + cluster.name() + "', has led to the request that it was to be made for");
  return true;
}

}  // namespace

ClusterCaller::ClusterCaller(Worker& worker, Network& network, WorkerClusters& clusters, Scope& scope)
    : clusters_(clusters), started_(scope), scope_("", http_stat_table()), connection_{worker, network, &clusters, this,
                                                                                       0,      nullptr, nullptr} {
  options_.edge = false;
}

// A call with copies of all that it needs.
struct ClusterCaller::Started {
  Started(ClusterCaller& c, const HttpCall& from) : caller(c), head(arena), call(from) {
    call.cluster = arena.copy(from.cluster);
    call.body = arena.copy(from.body);
    call.request = &head;
    head.set_method(arena.copy(from.request->method_name));
    head.path = arena.copy(from.request->path);
    head.authority = arena.copy(from.request->authority);
    for (const Field& f : from.request->headers) head.headers.add(arena.copy(f.name), f.known, arena.copy(f.value));
    caller.started_count_++;
  }
  ~Started() { caller.started_count_--; }

  ClusterCaller& caller;
  Arena arena;
  RequestHead head;
  HttpCall call;
};

Task<> ClusterCaller::run(ClusterCaller& self, std::unique_ptr<Started> started) {
  (void)co_await self.call(started->arena, started->call);
}

void ClusterCaller::start(HttpCall call) {
  ClusterPtr cluster = clusters_.find(call.cluster);
  if (!cluster || goes_round(call, *cluster)) return;
  call.cause = nullptr;  // It may be over before the call is.
  if (started_count_ < kStartedMax) {
    started_.spawn(run, *this, std::make_unique<Started>(*this, call));
    return;
  }
  clusters_.get(cluster).stats[ClusterStat::upstream_rq_pending_overflow].add();
}

bool ClusterCaller::has_cluster(std::string_view name) { return clusters_.find(name) != nullptr; }

Task<Result> ClusterCaller::call(Arena& arena, HttpCall call) {
  ClusterPtr cluster = clusters_.find(call.cluster);
  if (!cluster) co_return std::unexpected(CallFailure::no_cluster);
  if (goes_round(call, *cluster)) co_return std::unexpected(CallFailure::loop);
  WorkerCluster& local = clusters_.get(cluster);
  Exchange x(connection_, options_, scope_.local(connection_.worker.index()));
  x.record.start = connection_.worker.now();
  x.arena.make_owned<ClusterUse>(local);
  x.request.set_method(call.request->method_name);
  x.request.path = call.request->path;
  x.request.authority = call.request->authority;
  for (const Field& field : call.request->headers) x.request.headers.add(field.name, field.known, field.value);
  x.request.headers.set("x-envoy-internal", "true");
  if (call.timeout.count() > 0) {
    x.request.headers.set(Known::x_envoy_expected_rq_timeout_ms, decimal(x.arena, call.timeout.count()));
  }
  if (!call.body.empty()) x.request_body = &x.arena.make_owned<TextBody>(call.body);
  Route route;
  Breaker& requests = cluster->breakers[static_cast<std::size_t>(route.priority)].requests;
  if (!requests.try_take()) {
    local.stats[ClusterStat::upstream_rq_active_overflow].add();
    co_return std::unexpected(CallFailure::reset);
  }
  x.arena.make_owned<Taken>(requests);
  auto& f = x.arena.make_owned<Forwarding>(x, route, local, false, std::chrono::milliseconds(0));
  Result result = std::unexpected(CallFailure::timed_out);
  Limit limit;
  if (call.timeout.count() > 0) limit.start(call.timeout);
  co_await within(limit, run_exchange(f, arena, call, result));
  if (!result && result.error() == CallFailure::timed_out) {
    local.stats[ClusterStat::upstream_rq_timeout].add();
    f.count_code(504);
    tell_reason(call, x, {});
  }
  co_return result;
}

std::optional<Membership> ClusterCaller::membership(std::string_view name) const {
  ClusterPtr cluster = clusters_.find(name);
  if (!cluster) return std::nullopt;
  Membership counted;
  HostSetPtr hosts = cluster->hosts();
  for (const EndpointPtr& host : hosts->all) {
    counted.all++;
    HostHealth health = host->health_now();
    if (health == HostHealth::healthy) counted.healthy++;
    if (health == HostHealth::degraded) counted.degraded++;
  }
  return counted;
}

void ClusterCaller::count_reply(const Exchange& x, int status) {
  if (!x.record.cluster) return;
  WorkerCluster& cluster = clusters_.get(*x.record.cluster);
  cluster.stats.count_code(status);
  cluster.copy(CodeCopy::internal).count_code(status);
}

StatBlock* ClusterCaller::stats_of_cluster(const Exchange& x, const std::string& below, const StatTable& table) {
  return x.record.cluster ? &x.record.cluster->stats_below(below, table, x.worker.index()) : nullptr;
}

}  // namespace outrider
