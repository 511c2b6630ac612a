// A network inside one Worker, for tests: same contract as TCP, with every fault at hand and nothing left to chance.
#pragma once
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "net/network.h"

namespace outrider {

// How the connections to one address behave. May be changed at any time and holds from then on.
struct SimulatedPath {
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

  Duration latency{0};  // One way, for bytes, for FIN and RST and for either step of a handshake.
  // Bytes sent and not yet read, in each direction; beyond that a write waits.
  std::size_t capacity_bytes = 64 * 1024;
  std::size_t write_bytes_max = kNoLimit;    // One write takes at most so many: a partial write.
  std::size_t segment_bytes_max = kNoLimit;  // Bytes arrive in pieces of at most this size, each for a read of its own.
  // A connection over which so many bytes have come, both directions together, is reset for both ends.
  std::size_t reset_after_bytes = kNoLimit;
  int connect_error = 0;    // connect() ends with this errno, ECONNREFUSED for one. 0: as the listener decides.
  bool black_hole = false;  // connect() never ends.
  int accept_error = 0;     // accept() gives this errno (EMFILE …) while connections wait.
  Address source;           // Of the clients, without port; unset: the loopback address.
};

// Nothing in it blocks or opens a descriptor. It makes no event of its own: bytes, FIN and RST arrive in the order in
// which they were sent, each in a turn of the worker of its own.
class SimulatedNetwork final : public Network {
 public:
  static constexpr std::size_t kBacklogMax = 4096;  // Connections that wait for accept(); further ones are refused.

  // The worker outlives its transports, the network the worker's last run() and all of its transports.
  explicit SimulatedNetwork(Worker& worker);
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  ~SimulatedNetwork() override;

  // The behaviour of connections to that address, old and new ones.
  SimulatedPath& path(const Address& to) { return route(to).path; }
  // While cut, nothing arrives at either end and no handshake proceeds; what was sent arrives once it is mended.
  void cut(const Address& to) { route(to).cut = true; }
  void mend(const Address& to);
  // Both ends of the connection see a reset at once.
  void reset(const Transport& either_end);

  // Listens; the result is for acceptor(). Two listeners at one address: the later one gets the connections.
  int listen_on(const Address& at);
  std::unique_ptr<Acceptor> acceptor(int listening_fd) override;
  std::expected<std::unique_ptr<Transport>, ConnectError> connect(const Address& to,
                                                                  const ConnectOptions& options = {}) override;

  // Ends of connections that exist: a test asserts that none leaks.
  int open_ends() const { return open_ends_; }

 private:
  class End;
  class Listener;
  struct Connection;
  struct Route {
    SimulatedPath path;
    bool cut = false;
    TimePoint last_arrival{};
    Listener* listener = nullptr;
    std::vector<std::function<void()>> held;  // What would have arrived while it was cut.
  };
  struct Alarm : Timer {
    SimulatedNetwork* network;
  };
  struct Turn : Runnable {
    SimulatedNetwork* network;
    bool queued = false;
  };

  Route& route(const Address& to) { return routes_[to]; }
  void send(Route& route, std::function<void()> arrival);
  void schedule();
  void run_one();
  void arrive_connection(const std::shared_ptr<Connection>& connection);

  Worker& worker_;
  std::map<Address, Route> routes_;
  std::map<int, Address> listening_;  // Not yet taken over by an acceptor.
  int next_listening_fd_ = 0;
  std::uint16_t next_port_ = 40000;
  int open_ends_ = 0;
  // What is under way, by time of arrival; equal times keep their order.
  struct Arrival {
    Route* route;
    std::function<void()> run;
  };
  std::multimap<TimePoint, Arrival> under_way_;
  Alarm alarm_;
  Turn turn_;
};

}  // namespace outrider
