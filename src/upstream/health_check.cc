#include "upstream/health_check.h"

#include <algorithm>

#include "http/h1_body.h"
#include "http/http_stats.h"
#include "http/inbox.h"
#include "net/network.h"
#include "upstream/health_check_stats.h"
#include "wire/h1_name_case.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;

// What of an answer a check may read.
constexpr std::size_t kTcpAnswerMax = 64 * 1024;
constexpr std::size_t kBodyMax = 1024 * 1024;

bool all_found(std::string_view answer, const std::vector<std::string>& pieces) {
  std::size_t from = 0;
  for (const std::string& each : pieces) {
    std::size_t at = answer.find(each, from);
    if (at == std::string_view::npos) return false;
    from = at + each.size();
  }
  return true;
}

milliseconds part_of(Random& random, milliseconds most) {
  return most.count() > 0 ? milliseconds(random.below(static_cast<std::uint64_t>(most.count()))) : milliseconds(0);
}

bool any_has(const std::vector<HealthCheckOptions::StatusRange>& ranges, int status) {
  return std::ranges::any_of(ranges, [&](const auto& r) { return r.has(status); });
}

}  // namespace

struct HealthChecks::Connection {
  explicit Connection(std::unique_ptr<Transport> t) : transport(std::move(t)) {}
  std::unique_ptr<Transport> transport;
  Inbox inbox;
  bool spent = false;  // It carries no other question.
};

HealthChecks::Session::Session(std::shared_ptr<Followed> f, EndpointPtr e)
    : cluster(std::move(f)), endpoint(std::move(e)) {}
HealthChecks::Session::~Session() = default;

HealthChecks::HealthChecks(Worker& worker, Network& network, std::function<void(Cluster&)> changed,
                           std::function<void(const Cluster&, const Endpoint&)> passed)
    : worker_(worker),
      changed_(std::move(changed)),
      passed_(std::move(passed)),
      scope_("", http_stat_table()),
      connection_{worker, network, nullptr, nullptr, 0, nullptr, nullptr},
      network_(network) {
  options_.edge = false;
}

Task<> HealthChecks::run() { co_await tasks_.run(until_stopped()); }

void HealthChecks::follow(const ClusterPtr& cluster) {
  if (!cluster->options.health_check || followed_.contains(cluster.get())) return;
  followed_[cluster.get()] = std::make_shared<Followed>(*this, cluster, *cluster->options.health_check,
                                                        cluster->health_check_stats->local(worker_.index()));
  hosts_changed(*cluster);
}

void HealthChecks::end(Session& session) {
  if (session.stop) session.stop->request();
}

void HealthChecks::forget(const Cluster& cluster) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  for (auto& session : at->second->sessions) end(*session);
  at->second->sessions.clear();
  followed_.erase(at);
  asked_.notify_all();
}

void HealthChecks::hosts_changed(const Cluster& cluster) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  std::shared_ptr<Followed> f = at->second;
  HostSetPtr hosts = cluster.hosts();
  std::erase_if(f->sessions, [&](const auto& session) {
    if (std::ranges::find(hosts->all, session->endpoint) != hosts->all.end()) return false;
    end(*session);
    return true;
  });
  for (const EndpointPtr& host : hosts->all) {
    bool known = std::ranges::any_of(f->sessions, [&](const auto& s) { return s->endpoint == host; });
    if (known || host->check.disabled) continue;
    auto session = f->sessions.emplace_back(std::make_shared<Session>(f, host));
    session->stop = tasks_.spawn(keep_asking, session);
  }
  set_gauges(*f);
  asked_.notify_all();
}

Task<> HealthChecks::first_results() {
  auto all_asked = [](const auto& entry) {
    return std::ranges::none_of(entry.second->sessions, [](const auto& s) { return s->first; });
  };
  while (!std::ranges::all_of(followed_, all_asked)) co_await asked_.wait();
}

Task<> HealthChecks::keep_asking(std::shared_ptr<Session> session) {
  struct Ended {
    Session& session;
    ~Ended() { session.stop = nullptr; }
  } ended{*session};
  HealthChecks& self = session->cluster->owner;
  const HealthCheckOptions& o = session->cluster->options;
  if (o.initial_jitter.count() > 0) co_await sleep(part_of(self.worker_.random(), o.initial_jitter));
  for (;;) {
    session->cluster->stats[HealthCheckStat::attempt].add();
    std::optional<Result> result = co_await within(o.timeout, self.ask(*session));
    if (!result) session->connection.reset();
    milliseconds wait = self.take(*session, result.value_or(Result::timed_out));
    bool spent = session->connection && session->connection->spent;
    if (spent || !o.reuse_connection) session->connection.reset();
    co_await sleep(wait);
  }
}

Task<HealthChecks::Result> HealthChecks::ask(Session& session) {
  Result result = session.cluster->options.http ? co_await ask_http(session) : co_await ask_tcp(session);
  if (result == Result::unreachable) session.connection.reset();
  co_return result;
}

Task<bool> HealthChecks::connect(Session& session) {
  Connection* kept = session.connection.get();
  if (kept && !kept->transport->hung_up() && kept->inbox.empty()) co_return true;
  session.connection.reset();
  auto started = network_.connect(session.endpoint->check.address.value_or(session.endpoint->address),
                                  session.cluster->cluster->options.connection());
  if (!started) co_return false;
  session.connection = std::make_unique<Connection>(std::move(*started));
  co_return co_await session.connection->transport->connected() == 0;
}

Task<HealthChecks::Result> HealthChecks::ask_tcp(Session& session) {
  if (!co_await connect(session)) co_return Result::unreachable;
  const HealthCheckOptions::Tcp& tcp = *session.cluster->options.tcp;
  Transport& transport = *session.connection->transport;
  if (!tcp.send.empty()) {
    iovec piece{const_cast<char*>(tcp.send.data()), tcp.send.size()};
    if (!(co_await transport.write(&piece, 1)).ok()) co_return Result::unreachable;
  }
  if (tcp.receive.empty()) {
    session.connection->spent = true;
    co_return Result::healthy;
  }
  std::string answer;
  char bytes[1024];
  while (!all_found(answer, tcp.receive)) {
    IoResult read = co_await transport.read(bytes, sizeof bytes);
    if (!read.ok() || answer.size() > kTcpAnswerMax) co_return Result::unreachable;
    answer.append(bytes, read.bytes);
  }
  co_return Result::healthy;
}

Task<HealthChecks::Result> HealthChecks::ask_http(Session& session) {
  if (!co_await connect(session)) co_return Result::unreachable;
  const Followed& f = *session.cluster;
  const HealthCheckOptions::Http& http = *f.options.http;
  Exchange x(connection_, options_, scope_.local(worker_.index()));
  x.record.start = worker_.now();
  x.record.start_wall = worker_.wall();
  x.record.upstream_peer = &session.endpoint->address;
  x.request.set_method(http.method);
  x.request.path = http.path;
  const std::string& own = session.endpoint->check.hostname;
  x.request.authority = !own.empty() ? own : !http.host.empty() ? http.host : f.cluster->name();
  x.request.headers.add(Known::user_agent, "Envoy/HC");
  apply_together(http.request_headers, x, x.request);
  h1::BodyFraming framing = h1::outgoing_request_framing(x.request.method, 0);
  char* head = static_cast<char*>(x.arena.allocate(h1::request_head_size(x.request, framing), 1));
  char* end = h1::encode_request_head(x.request, framing, head);
  if (f.cluster->options.proper_case_names) h1::capitalize_names(head, end);
  iovec piece{head, static_cast<std::size_t>(end - head)};
  if (!(co_await session.connection->transport->write(&piece, 1)).ok()) co_return Result::unreachable;
  co_return co_await read_answer(session, x);
}

Task<HealthChecks::Result> HealthChecks::read_answer(Session& session, Exchange& x) {
  Connection& c = *session.connection;
  const h1::Limits& limits = session.cluster->cluster->options.limits;
  h1::ResponseParser parser(limits);
  ResponseHead head(x.arena);
  for (;;) {
    h1::ParseResult parsed;
    if (!c.inbox.empty()) parsed = parser.parse(c.inbox.data(), c.inbox.size(), head);
    if (parsed.status == h1::ParseStatus::error) co_return Result::unreachable;
    if (parsed.status == h1::ParseStatus::complete) {
      c.inbox.consume(parsed.consumed);
      if (!head.informational()) break;
      if (head.status == 101) co_return Result::unreachable;
      head.headers.clear();
      parser.reset();
      continue;
    }
    if (!c.inbox.make_room(worker_.blocks(), limits.head_bytes_max + 1)) co_return Result::unreachable;
    IoResult read = co_await c.transport->read(c.inbox.space(), c.inbox.room());
    if (!read.ok()) co_return Result::unreachable;
    c.inbox.filled(read.bytes);
  }
  auto framing = h1::response_framing(head, x.request.method);
  if (!framing) co_return Result::unreachable;
  Result result = judge(session, head);
  bool keeps = h1::persistent(head.version, head.headers) && framing->kind != h1::BodyFraming::Kind::until_close;
  Cell read_bytes;
  H1Body body(worker_, *c.transport, c.inbox, limits, *framing, x.arena, read_bytes, BlockPool::kBodyBytes);
  while (!body.ended()) {
    Frame frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) co_return Result::unreachable;
    if (body.bytes() <= kBodyMax) continue;
    keeps = false;
    break;
  }
  body.settle();
  c.spent = !keeps || !c.inbox.empty();
  c.inbox.release();
  co_return result;
}

HealthChecks::Result HealthChecks::judge(Session& session, const ResponseHead& head) const {
  const Followed& f = *session.cluster;
  const HealthCheckOptions::Http& http = *f.options.http;
  bool expected = any_has(http.expected, head.status);
  bool fails = !expected && head.headers.has(Known::x_envoy_immediate_health_check_fail);
  if (fails != session.endpoint->flags.has(HealthFlag::excluded_via_immediate_hc_fail)) {
    session.endpoint->flags.set(HealthFlag::excluded_via_immediate_hc_fail, fails);
    session.excluded_anew = true;
  }
  if (!expected) {
    return any_has(http.retriable, head.status) ? Result::failed_retriable : Result::failed;
  }
  Random& random = worker_.random();
  if (http.service_name && RuntimeFraction{{}, "health_check.verify_cluster"}.sample(*worker_.runtime(), random)) {
    f.stats[HealthCheckStat::verify_cluster].add();
    const Field* service = head.headers.find("x-envoy-upstream-healthchecked-cluster");
    if (!http.service_name->matches(service ? service->value : std::string_view())) return Result::failed;
  }
  return head.headers.has(Known::x_envoy_degraded) ? Result::degraded : Result::healthy;
}

milliseconds HealthChecks::take(Session& session, Result result) {
  bool healthy = result == Result::healthy || result == Result::degraded;
  bool changed = healthy ? take_success(session, result == Result::degraded) : take_failure(session, result);
  Followed& f = *session.cluster;
  if (std::exchange(session.first, false)) asked_.notify_all();
  set_gauges(f);
  if (bool excluded_anew = std::exchange(session.excluded_anew, false); changed || excluded_anew) changed_(*f.cluster);
  if (healthy && passed_) passed_(*f.cluster, *session.endpoint);
  return interval(f, healthy, changed);
}

// Whether the host is another one now.
bool HealthChecks::take_success(Session& session, bool degraded) {
  HealthFlags& flags = session.endpoint->flags;
  session.unhealthy_in_a_row = 0;
  session.cluster->stats[HealthCheckStat::success].add();
  bool changed = false;
  bool enough = session.first || ++session.healthy_in_a_row >= session.cluster->options.healthy_threshold;
  if (flags.has(HealthFlag::failed_active_hc) && enough) {
    flags.clear(HealthFlag::active_hc_timeout);
    flags.clear(HealthFlag::failed_active_hc);
    changed = true;
  }
  if (degraded != flags.has(HealthFlag::degraded_active_hc)) {
    flags.set(HealthFlag::degraded_active_hc, degraded);
    changed = true;
  }
  return changed;
}

bool HealthChecks::take_failure(Session& session, Result result) {
  HealthFlags& flags = session.endpoint->flags;
  StatBlock& stats = session.cluster->stats;
  session.healthy_in_a_row = 0;
  stats[HealthCheckStat::failure].add();
  bool by_network = result == Result::unreachable || result == Result::timed_out;
  if (by_network) stats[HealthCheckStat::network_failure].add();
  if (result == Result::told) stats[HealthCheckStat::passive_failure].add();
  flags.set(HealthFlag::active_hc_timeout, result == Result::timed_out);
  if (flags.has(HealthFlag::failed_active_hc)) return false;
  bool may_be_chance = by_network || result == Result::failed_retriable;
  if (may_be_chance && ++session.unhealthy_in_a_row < session.cluster->options.unhealthy_threshold) return false;
  flags.set(HealthFlag::failed_active_hc);
  return true;
}

milliseconds HealthChecks::interval(const Followed& f, bool healthy, bool changed) const {
  const HealthCheckOptions& o = f.options;
  bool used = f.cluster->stats->value(static_cast<std::size_t>(ClusterStat::upstream_cx_total)) > 0;
  milliseconds base = o.interval;
  if (!used) {
    base = healthy ? o.no_traffic_healthy_interval.value_or(o.no_traffic_interval) : o.no_traffic_interval;
  } else if (healthy) {
    if (changed) base = o.healthy_edge_interval.value_or(o.interval);
  } else {
    base = o.unhealthy_interval.value_or(o.interval);
    if (changed) base = o.unhealthy_edge_interval.value_or(base);
  }
  Random& random = worker_.random();
  base += part_of(random, base * o.interval_jitter_percent / 100) + part_of(random, o.interval_jitter);
  const Runtime& runtime = *worker_.runtime();
  auto least = runtime.integer("health_check.min_interval", 1),
       most = runtime.integer("health_check.max_interval", INT64_MAX);
  auto ms = std::max(std::min(static_cast<std::uint64_t>(base.count()), most), std::max<std::uint64_t>(1, least));
  return milliseconds(ms);
}

void HealthChecks::set_gauges(Followed& f) {
  std::uint64_t healthy = 0, degraded = 0;
  for (const auto& session : f.sessions) {
    const HealthFlags& flags = session->endpoint->flags;
    healthy += !flags.has(HealthFlag::failed_active_hc);
    degraded += flags.has(HealthFlag::degraded_active_hc);
  }
  f.stats[HealthCheckStat::healthy].set(healthy);
  f.stats[HealthCheckStat::degraded].set(degraded);
}

void HealthChecks::fail_at_once(const Cluster& cluster, const Endpoint& host) {
  auto at = followed_.find(&cluster);
  if (at == followed_.end()) return;
  for (const auto& session : at->second->sessions) {
    if (session->endpoint.get() != &host) continue;
    session->endpoint->flags.set(HealthFlag::excluded_via_immediate_hc_fail);
    bool changed = take_failure(*session, Result::told);
    set_gauges(*at->second);
    if (changed) changed_(*at->second->cluster);
    return;
  }
}

}  // namespace outrider
