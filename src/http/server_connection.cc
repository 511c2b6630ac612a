#include "http/server_connection.h"

#include <atomic>

namespace outrider {
namespace {

// Of all workers, as in Envoy.
std::uint64_t next_connection_id() {
  static std::atomic<std::uint64_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
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

TimePoint ServerConnection::end_of_life() const {
  return closing || ending() ? TimePoint::max() : after(accepted, options().max_connection_duration);
}

void ServerConnection::begin_request() {
  requests++;
  const std::uint32_t max = options().max_requests_per_connection;
  bool last = max > 0 && requests >= max;
  if (last && !closing) http_stats()[HttpStat::downstream_cx_max_requests_reached].add();
  if (last || ending() || slot->ends_connection(worker) || options().health->fails()) protocol->end_behind_request();
}

void ServerConnection::arm(TimePoint when) {
  armed_for_ = when;
  worker.timers().arm(alarm_.timer, when);
}

void ServerConnection::check_deadlines() {
  armed_for_ = TimePoint::max();
  TimePoint now = worker.now();
  if (now >= next_deadline()) protocol->expire(now);
  TimePoint d = next_deadline();
  if (d <= now) return;  // It has just been acted upon.
  if (d != TimePoint::max()) arm(d);
}

void ServerConnection::deadlines_changed() {
  TimePoint d = next_deadline();
  if (d < armed_for_) arm(d);
}

void drain_connections(ServiceWorker& service) {
  ServerConnection* following = nullptr;
  for (ServerConnection* c = service.connections.first; c; c = following) {
    following = c->next;
    if (c->slot->draining && !c->closing && c->protocol) c->protocol->drain();
  }
}

}  // namespace outrider
