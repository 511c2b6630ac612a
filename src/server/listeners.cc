#include "server/listeners.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "core/log.h"

namespace outrider {

Listeners::Listeners(Worker& main, StatRegistry& stats, const Flags& flags, ProxyWorkers& workers)
    : main_(main),
      flags_(flags),
      workers_(workers),
      stats_(stats.scope("listener_manager.", listener_manager_stat_table())) {}

std::expected<void, std::string> Listeners::bind(const ListenerConfig& l, OpenListener& open) const {
  bool ours = std::ranges::find(open_, l.address, &OpenListener::configured) != open_.end();
  if (auto free = probe_free(l.address); !free && !ours) return free;
  for (std::size_t w = 0; w < flags_.concurrency; w++) {
    if (l.address.is_pipe() && w > 0) {
      open.sockets.push_back(dup(open.sockets[0]));
      continue;
    }
    auto fd = listen_on(open.address, {.backlog = l.backlog, .bind_only = true});
    if (!fd) return std::unexpected(fd.error());
    open.sockets.push_back(*fd);
    open.address = bound_address(*fd);  // Port 0 becomes a real one, the same for every worker.
  }
  return {};
}

std::expected<std::vector<OpenListener>, std::string> Listeners::open(const Snapshot& next) const {
  std::vector<OpenListener> opened;
  for (const ListenerConfig& l : next.listeners) {
    if (std::ranges::any_of(open_, [&](const OpenListener& o) { return o.is(l); })) continue;
    opened.push_back({l.name, l.address, l.address, {}, l.backlog, l.binds});
    if (!l.binds) continue;
    auto bound = bind(l, opened.back());
    if (bound) continue;
    for (OpenListener& o : opened) std::ranges::for_each(o.sockets, close);
    return std::unexpected(bound.error());
  }
  return opened;
}

void Listeners::hand_over(std::vector<OpenListener> opened, const Snapshot& snapshot) {
  for (OpenListener& o : opened) {
    auto config = std::ranges::find(snapshot.listeners, o.name, &ListenerConfig::name);
    for (std::size_t w = 0; w < workers_.size(); w++) {
      if (config->binds) ::listen(o.sockets[w], o.backlog);
      workers_[w]->add_listener(*config, config->binds ? o.sockets[w] : -1);
    }
    o.sockets.clear();
    stats()[ListenerManagerStat::listener_added].add();
    stats()[ListenerManagerStat::listener_create_success].add();
    open_.push_back(std::move(o));
  }
  stats()[ListenerManagerStat::total_listeners_active].set(open_.size());
}

void Listeners::update(const Snapshot& next) {
  std::erase_if(open_, [&](const OpenListener& o) {
    auto config = std::ranges::find_if(next.listeners, [&](const auto& l) { return o.is(l); });
    bool gone = config == next.listeners.end();
    for (auto& w : workers_) gone ? w->remove_listener(o.name) : w->update_listener(*config);
    stats()[gone ? ListenerManagerStat::listener_removed : ListenerManagerStat::listener_modified].add();
    return gone;
  });
}

std::vector<std::pair<std::string, Address>> Listeners::addresses() const {
  std::vector<std::pair<std::string, Address>> list;
  for (const OpenListener& l : open_) list.emplace_back(l.name, l.address);
  return list;
}

void Listeners::stop(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (auto& w : workers_) w->stop_listening(name);
    log(Logger::config, LogLevel::info, "the listener '" + name + "' takes no more connections");
  }
  stats()[ListenerManagerStat::listener_stopped].add(names.size() * workers_.size());
}

void Listeners::drain(const Snapshot& snapshot, DrainOrder order, Scope& later) {
  std::vector<std::string> names;
  for (const ListenerConfig& l : snapshot.listeners) {
    if (l.inbound || !order.inbound_only) names.push_back(l.name);
  }
  bool at_once = !order.graceful && !order.skip_exit;
  if (std::exchange(draining_, true) && !at_once) return;
  constexpr Duration kImmediate{1};
  bool gradual = flags_.drain_strategy == DrainStrategy::gradual && flags_.drain_time_s > 0;
  Duration time = gradual ? Duration(std::chrono::seconds(flags_.drain_time_s)) : kImmediate;
  for (const std::string& name : names) {
    for (auto& w : workers_) w->drain_listener(name, time);
  }
  if (at_once) return stop(names);
  if (!order.skip_exit) later.spawn(stop_after, *this, std::move(names));
}

Task<> Listeners::stop_after(Listeners& self, std::vector<std::string> names) {
  co_await sleep(std::chrono::seconds(self.flags_.drain_time_s));
  self.stop(names);
}

}  // namespace outrider
