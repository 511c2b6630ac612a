#include "http/tracing.h"

#include <charconv>

#include "core/worker.h"

namespace outrider {
namespace {

#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kDefinitions[] = {OUTRIDER_TRACING_STATS(X)};
#undef X

// The 15th character of a request id says why there is a trace; Envoy's convention.
constexpr std::size_t kReasonAt = 14, kIdBytes = 36;
enum class Reason : char { none = '4', sampled = '9', service = 'a', client = 'b' };

bool is_uuid(std::string_view id) { return id.size() == kIdBytes && id[8] == '-' && id[13] == '-'; }

std::uint64_t number_of_id(std::string_view id) {
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + 8, number, 16);
  return number;
}

Reason reason_of(std::string_view id) {
  switch (id[kReasonAt]) {
    case '9':
      return Reason::sampled;
    case 'a':
      return Reason::service;
    case 'b':
      return Reason::client;
    default:
      return Reason::none;
  }
}

// Envoy's order: what the client asks for, what a proxy of one's own asks for, chance; then the limit over all.
Reason decide(Exchange& x, const TraceSampling& t, std::string_view id) {
  const Runtime& runtime = *x.worker.runtime();
  Random& random = x.worker.random();
  Reason reason = reason_of(id);
  if (reason == Reason::none) {
    const Headers& headers = x.request.headers;
    if (headers.find("x-client-trace-id") && t.client.sample(runtime, random)) {
      reason = Reason::client;
    } else if (headers.find("x-envoy-force-trace")) {
      reason = Reason::service;
    } else if (t.random.now(runtime).takes(number_of_id(id))) {
      reason = Reason::sampled;
    }
  }
  if (reason != Reason::none && !t.overall.now(runtime).takes(number_of_id(id))) reason = Reason::none;
  return reason;
}

void mark(Exchange& x, std::string_view id, Reason reason) {
  std::string marked(id);
  marked[kReasonAt] = static_cast<char>(reason);
  x.request.headers.set(Known::x_request_id, x.arena.copy(marked));
}

TracingStat stat_of(Reason reason) {
  switch (reason) {
    case Reason::sampled:
      return TracingStat::random_sampling;
    case Reason::service:
      return TracingStat::service_forced;
    case Reason::client:
      return TracingStat::client_enabled;
    case Reason::none:
      break;
  }
  return TracingStat::not_traceable;
}

}  // namespace

const StatTable& tracing_stat_table() {
  static const StatTable table{kDefinitions, ""};
  return table;
}

void TracingFilter::begin(Exchange& x) const {
  const Tracing& t = *tracing_;
  const RouteEntry* route = x.route();
  const RouteTracing* said = route ? route->tracing.get() : nullptr;
  std::string_view id = x.request.headers.value(Known::x_request_id);
  Reason reason = Reason::none;
  if (is_uuid(id)) {
    reason = decide(x, said && said->sampling ? *said->sampling : t.sampling, id);
    mark(x, id, reason);
  }
  x.trace = &x.arena.make_owned<RequestTrace>(t, said);
  x.trace->begin(x, stat_of(reason));
}

// As Envoy: a health check counts twice.
void RequestTrace::count(const Exchange& x) const {
  StatBlock& stats = tracing_.stats->local(x.worker.index());
  if (x.record.health_check) stats[TracingStat::health_check].add();
  stats[x.record.health_check ? TracingStat::not_traceable : reason_].add();
}

OUTRIDER_FORWARDS Task<Response> TracingFilter::handle(Exchange& x, Next next) const {
  begin(x);
  return x.trace->sees_response() ? watch(x, next) : next(x);
}

Task<Response> TracingFilter::watch(Exchange& x, Next next) const {
  Response response = co_await next(x);
  x.trace->see_response(x, response.head->headers);
  co_return response;
}

OUTRIDER_FORWARDS Task<Response> TracingFilter::see_reply(Exchange& x, Response reply) const {
  if (x.trace) x.trace->see_response(x, reply.head->headers);
  return at_once(reply);
}

void TracingLog::write(const Exchange& x) {
  if (x.trace && x.record.log_type == AccessLogType::downstream_end) x.trace->report(x);
}

}  // namespace outrider
