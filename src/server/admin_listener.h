// Where the admin page is served: an address of its own, on the main thread.
#pragma once
#include <memory>

#include "admin/admin.h"
#include "server/flags.h"
#include "server/service_loop.h"

namespace outrider {

class AdminListener {
 public:
  // Everything outlives it.
  AdminListener(Worker& main, TcpNetwork& network, StatRegistry& stats);

  // Listens where the snapshot has the page, if it has one; else false, and the log says what is wrong.
  bool open(const Snapshot& snapshot, const Flags& flags, AdminView view);
  bool is_open() const { return acceptor_ != nullptr; }
  // Until it is stopped; connections are children of the scope.
  static Task<> serve(AdminListener& self, Scope& connections);

 private:
  Worker& main_;
  TcpNetwork& network_;
  StatRegistry& stats_;
  ServiceWorker service_;
  std::unique_ptr<Acceptor> acceptor_;
  std::shared_ptr<HttpSlot> slot_;
  std::shared_ptr<StatScope> listener_stats_;
};

}  // namespace outrider
