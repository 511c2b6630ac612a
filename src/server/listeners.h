// The listeners of a running proxy as the main thread knows them: opened, handed over to the workers, changed by a
// reload, drained and stopped.
#pragma once
#include <array>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "admin/admin.h"
#include "config/snapshot.h"
#include "observe/server_stats.h"
#include "server/flags.h"
#include "server/proxy_worker.h"

namespace outrider {

using ProxyWorkers = std::vector<std::unique_ptr<ProxyWorker>>;

// What a listener holds in the main thread: its addresses as configured and as bound.
struct OpenListener {
  std::string name;
  std::vector<ListenerAddress> configured;
  bool binds = true;
  std::vector<Address> bound = {};             // A port 0 has become a real one.
  std::vector<std::vector<int>> sockets = {};  // Of each worker one for each address, until handed over.
  std::array<std::uint64_t, 2> fingerprint{};  // Of the configuration that it has.

  bool is(const ListenerConfig& l) const { return l.name == name && l.addresses == configured && l.binds == binds; }
};

class Listeners {
 public:
  // Everything outlives it.
  Listeners(Worker& main, StatRegistry& stats, const Flags& flags, ProxyWorkers& workers);

  // Opens what the snapshot adds; on an error everything opened is closed again.
  std::expected<std::vector<OpenListener>, std::string> open(const Snapshot& next) const;
  // What was opened is not needed.
  static void close(std::vector<OpenListener> opened);
  // What was opened for the snapshot waits for start_waiting(): the process does not listen yet.
  void wait(std::vector<OpenListener> opened);
  void start_waiting(const Snapshot& snapshot) { hand_over(std::exchange(waiting_, {}), snapshot); }
  // Ends those that the snapshot has no more; the others get its configuration.
  void update(const Snapshot& next);
  // What was opened for the snapshot listens from now on, on every worker.
  void hand_over(std::vector<OpenListener> opened, const Snapshot& snapshot);
  void mark_started() { stats()[ListenerManagerStat::workers_started].set(1); }
  // As the admin page orders it. The scope holds what is left to do when the drain time is over.
  void drain(const Snapshot& snapshot, DrainOrder order, Scope& later);
  // Name and bound address of each.
  std::vector<std::pair<std::string, Address>> addresses() const;

 private:
  // Binds one address for every worker; on an error the sockets that were opened stay in `listener`.
  std::expected<void, std::string> bind(const ListenerAddress& at, OpenListener& listener) const;
  bool is_ours(const Address& address) const;
  // On an error the listener is closed: the others go on, as in Envoy.
  bool start(OpenListener& listener, const ListenerConfig& config);
  void stop(const std::vector<std::string>& names);
  static Task<> stop_after(Listeners& self, std::vector<std::string> names);
  StatBlock& stats() { return stats_->local(main_.index()); }

  Worker& main_;
  const Flags& flags_;
  ProxyWorkers& workers_;
  std::shared_ptr<StatScope> stats_;
  std::vector<OpenListener> open_;
  std::vector<OpenListener> waiting_;  // Bound, at the start.
  bool draining_ = false;              // A graceful drain was ordered.
};

}  // namespace outrider
