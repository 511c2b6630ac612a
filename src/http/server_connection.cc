#include "http/server_connection.h"

#include <atomic>

namespace outrider {
namespace {

// Of all workers, as in Envoy.
std::uint64_t next_connection_id() {
  static std::atomic<std::uint64_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

TimePoint after(TimePoint since, std::chrono::milliseconds limit) {
  return limit.count() > 0 ? since + limit : TimePoint::max();
}

}  // namespace

ServerConnection::ServerConnection(ServiceWorker& s, std::unique_ptr<Transport> t, std::shared_ptr<HttpSlot> h,
                                   StatBlock& listener)
    : DownstreamConnection{s.worker, s.network, s.clusters, s.caller, next_connection_id(), &t->peer(), t.get()},
      service(s),
      transport(std::move(t)),
      slot(std::move(h)),
      listener_stats(listener),
      accepted(s.worker.now()) {
  alarm_.owner = this;
  alarm_.timer.on_fire = [](Timer* timer) { reinterpret_cast<Alarm*>(timer)->owner->check_deadlines(); };
  on_hangup = [](HangupHook* hook) { static_cast<ServerConnection*>(hook)->abort(AbortReason::client_gone); };
  next = service.connections.first;
  if (next) next->link = &next;
  link = &service.connections.first;
  service.connections.first = this;
  service.connections.count.add();
}

ServerConnection::~ServerConnection() {
  *link = next;
  if (next) next->link = link;
  service.connections.count.sub();
}

TimePoint ServerConnection::next_deadline() const {
  if (!slot->current()) return TimePoint::max();
  const HttpOptions& o = options();
  TimePoint deadline = closing || ending() ? TimePoint::max() : after(accepted, o.max_connection_duration);
  switch (phase) {
    case Phase::idle:
      if (slot->draining) deadline = std::min(deadline, phase_since + kDrainGrace);
      return std::min(deadline, ending() ? ends_at : after(phase_since, o.idle_timeout));
    case Phase::head:
      deadline = std::min(
          {deadline, after(request_since, o.request_headers_timeout), after(request_since, o.request_timeout)});
      return std::min(deadline, after(std::max(phase_since, transport->last_progress()), o.stream_idle_timeout));
    case Phase::exchange:
      if (exchange) deadline = std::min(deadline, after(request_since, exchange->max_duration));
      if (awaits_request()) deadline = std::min(deadline, after(request_since, o.request_timeout));
      return std::min(deadline, after(std::max(phase_since, transport->last_progress()),
                                      exchange ? exchange->stream_idle_timeout : o.stream_idle_timeout));
  }
  return deadline;
}

void ServerConnection::arm(TimePoint when) {
  armed_for = when;
  worker.timers().arm(alarm_.timer, when);
}

void ServerConnection::check_deadlines() {
  armed_for = TimePoint::max();
  TimePoint now = worker.now();
  if (now >= next_deadline()) expire(now);
  TimePoint d = next_deadline();
  if (d <= now) return;  // It has just been acted upon.
  if (d != TimePoint::max()) arm(d);
}

void ServerConnection::expire(TimePoint now) {
  const HttpOptions& o = options();
  StatBlock& stats = http_stats();
  if (!closing && !ending() && now >= after(accepted, o.max_connection_duration)) {
    stats[HttpStat::downstream_cx_max_duration_reached].add();
    begin_to_end(now);
  } else if (phase == Phase::idle && slot->draining) {
    stats[HttpStat::downstream_cx_drain_close].add();
    stop_waiting();
  } else if (phase == Phase::idle && ending()) {
    stop_waiting();
  } else if (phase == Phase::idle) {
    stats[HttpStat::downstream_cx_idle_timeout].add();
    begin_to_end(now);
  } else if (phase == Phase::head && now >= after(request_since, o.request_headers_timeout)) {
    abort(AbortReason::head_timeout);
  } else if (awaits_request() && now >= after(request_since, o.request_timeout)) {
    abort(AbortReason::request_timeout);
  } else if (exchange && now >= after(request_since, exchange->max_duration)) {
    abort(AbortReason::max_duration);
  } else {
    abort(AbortReason::stream_idle);
  }
}

// A client that has said nothing yet has nothing on its way.
void ServerConnection::begin_to_end(TimePoint now) {
  ends_at = now + options().drain_timeout;
  if (phase == Phase::exchange) closing = true;
  if (phase == Phase::idle && first_request) stop_waiting();
}

void ServerConnection::deadlines_changed() {
  TimePoint d = next_deadline();
  if (d < armed_for) arm(d);
}

void ServerConnection::stop_waiting() {
  closing = true;
  transport->interrupt_reader();
}

void ServerConnection::abort(AbortReason reason) {
  if (abort_reason != AbortReason::none) return;
  abort_reason = reason;
  if (phase == Phase::head) transport->interrupt_reader();
  if (exchange) exchange->scope.stop();
}

void ServerConnection::leave_request(Exchange& x) {
  closing = true;
  if (std::exchange(request_left, true)) return;
  x.stats[HttpStat::downstream_rq_response_before_rq_complete].add();
  x.stats[HttpStat::downstream_rq_rx_reset].add();
}

void count_response(const ServerConnection& c, StatBlock& stats, int status) {
  unsigned hundreds = static_cast<unsigned>(status) / 100;
  auto count = [&](StatBlock& block, auto first, auto completed) {
    block[completed].add();
    if (hundreds >= 1 && hundreds <= 5) block.cell(static_cast<unsigned>(first) + hundreds - 1).add();
  };
  count(stats, HttpStat::downstream_rq_1xx, HttpStat::downstream_rq_completed);
  const LocalHttp* http = c.slot->current();
  if (!http || !http->listener_stats) return;
  count(*http->listener_stats, ListenerHttpStat::downstream_rq_1xx, ListenerHttpStat::downstream_rq_completed);
}

void drain_connections(ServiceWorker& service) {
  ServerConnection* following = nullptr;
  for (ServerConnection* c = service.connections.first; c; c = following) {
    following = c->next;
    if (!c->slot->draining || c->closing) continue;
    if (c->phase != ServerConnection::Phase::idle) {
      c->closing = true;
    } else if (service.worker.now() - c->phase_since < kDrainGrace) {
      c->deadlines_changed();
    } else {
      c->http_stats()[HttpStat::downstream_cx_drain_close].add();
      c->stop_waiting();
    }
  }
}

}  // namespace outrider
