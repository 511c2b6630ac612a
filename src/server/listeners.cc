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

// Also where it is only the port that is the same: the addresses may overlap.
bool Listeners::is_ours(const Address& address) const {
  return std::ranges::any_of(open_, [&](const OpenListener& o) {
    return std::ranges::any_of(o.configured, [&](const ListenerAddress& a) {
      return address.is_pipe() ? a.address == address : !a.address.is_pipe() && a.address.port() == address.port();
    });
  });
}

std::expected<void, std::string> Listeners::bind(const ListenerAddress& at, OpenListener& open) const {
  ListenOptions options = at.options;
  options.bind_only = true;
  if (!is_ours(at.address)) {
    if (auto free = probe_free(at.address, options); !free) return free;
  }
  const std::size_t place = open.bound.size();
  open.bound.push_back(at.address);
  for (std::size_t w = 0; w < flags_.concurrency; w++) {
    if (w > 0 && (at.address.is_pipe() || !options.reuse_port)) {
      open.sockets[w].push_back(dup(open.sockets[0][place]));
      continue;
    }
    auto fd = listen_on(open.bound.back(), options);
    if (!fd) return std::unexpected(fd.error());
    open.sockets[w].push_back(*fd);
    if (auto set = set_pipe_mode(at.address, at.pipe_mode); !set) return set;
    open.bound.back() = bound_address(*fd);  // The same for every worker.
  }
  return {};
}

namespace {

void close_all(OpenListener& listener) {
  for (std::vector<int>& of_worker : listener.sockets) {
    for (int fd : std::exchange(of_worker, {})) close(fd);
  }
}

}  // namespace

std::expected<std::vector<OpenListener>, std::string> Listeners::open(const Snapshot& next) const {
  std::vector<OpenListener> opened;
  for (const ListenerConfig& l : next.listeners) {
    auto is_here = [&](const OpenListener& o) { return o.is(l); };
    if (std::ranges::any_of(open_, is_here) || std::ranges::any_of(waiting_, is_here)) continue;
    OpenListener& o = opened.emplace_back(l.name, l.addresses, l.binds);
    o.sockets.resize(flags_.concurrency);
    for (const ListenerAddress& at : l.addresses) {
      if (!l.binds) {
        o.bound.push_back(at.address);
      } else if (auto bound = bind(at, o); !bound) {
        std::ranges::for_each(opened, close_all);
        return std::unexpected(bound.error());
      }
    }
  }
  return opened;
}

bool Listeners::start(OpenListener& o, const ListenerConfig& config) {
  for (std::vector<int>& of_worker : o.sockets) {
    for (std::size_t i = 0; i < of_worker.size(); i++) {
      const ListenerAddress& at = config.addresses[i];
      auto listening = listen_bound(of_worker[i], at.address, at.options);
      if (listening) continue;
      log(Logger::config, LogLevel::error, "the listener '" + o.name + "' is left out: " + listening.error());
      close_all(o);
      return false;
    }
  }
  for (std::size_t w = 0; w < workers_.size(); w++) workers_[w]->add_listener(config, std::exchange(o.sockets[w], {}));
  return true;
}

void Listeners::hand_over(std::vector<OpenListener> opened, const Snapshot& snapshot) {
  for (OpenListener& o : opened) {
    stats()[ListenerManagerStat::listener_added].add();
    const ListenerConfig& config = *std::ranges::find(snapshot.listeners, o.name, &ListenerConfig::name);
    o.fingerprint = config.fingerprint;
    if (start(o, config)) {
      stats()[ListenerManagerStat::listener_create_success].add();
      open_.push_back(std::move(o));
    } else {
      stats()[ListenerManagerStat::listener_create_failure].add();
      stats()[ListenerManagerStat::listener_removed].add();
    }
  }
  stats()[ListenerManagerStat::total_listeners_active].set(open_.size());
}

void Listeners::wait(std::vector<OpenListener> opened) { std::ranges::move(opened, std::back_inserter(waiting_)); }

void Listeners::close(std::vector<OpenListener> opened) { std::ranges::for_each(opened, close_all); }

void Listeners::update(const Snapshot& next) {
  std::erase_if(waiting_, [&](OpenListener& o) {
    const bool stays = std::ranges::any_of(next.listeners, [&](const ListenerConfig& l) { return o.is(l); });
    if (!stays) close_all(o);
    return !stays;
  });
  std::erase_if(open_, [&](OpenListener& o) {
    auto config = std::ranges::find_if(next.listeners, [&](const auto& l) { return o.is(l); });
    bool gone = config == next.listeners.end();
    for (auto& w : workers_) gone ? w->remove_listener(o.name) : w->update_listener(*config);
    if (gone) stats()[ListenerManagerStat::listener_removed].add();
    if (!gone && std::exchange(o.fingerprint, config->fingerprint) != config->fingerprint) {
      stats()[ListenerManagerStat::listener_modified].add();
    }
    return gone;
  });
}

std::vector<std::pair<std::string, Address>> Listeners::addresses() const {
  std::vector<std::pair<std::string, Address>> list;
  for (const OpenListener& l : open_) {
    for (const Address& address : l.bound) list.emplace_back(l.name, address);
  }
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
