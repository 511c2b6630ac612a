// Taking connections, and a thread that does nothing but serve one address.
#pragma once
#include <chrono>
#include <expected>
#include <memory>
#include <thread>

#include "http/serve.h"
#include "net/tcp.h"

namespace outrider {

// How long a listener rests when the process can take no more connections (no descriptors, no memory).
inline constexpr std::chrono::milliseconds kAcceptPause{100};
// Connections taken in a row before everything else that is ready gets its turn.
inline constexpr int kAcceptsInARowMax = 64;

// As many open files as the system lets this process have; the default of many systems, 1024, is for other programs.
void raise_descriptor_limit();

// Lets a crash leave a core file as large as the system allows; says what is wrong.
std::expected<void, std::string> allow_core_dumps();

// Who gets the connections of a listener.
class ConnectionTaker {
 public:
  virtual void take(std::unique_ptr<Transport> transport) = 0;

 protected:
  ~ConnectionTaker() = default;
};

// Takes connections until it is stopped.
Task<> accept_loop(Acceptor& acceptor, ConnectionTaker& taker, StatBlock& listener_stats,
                   int in_a_row_max = kAcceptsInARowMax);
// Takes connections until it is stopped, and serves each in a child of `connections`, whose run() must be in progress.
// All references outlive `connections`.
Task<> accept_and_serve(Acceptor& acceptor, ServiceWorker& service, std::shared_ptr<HttpSlot> slot,
                        std::shared_ptr<StatBlock> listener_stats, Scope& connections);

// Ends the connections of draining slots as their requests end; returns when all children have ended, or at the limit.
Task<> drain(ServiceWorker& service, Scope& connections, Duration limit);

// A worker with a thread of its own behind one listening socket, for services that need no clusters.
class ServiceThread {
 public:
  struct Options {
    int index = 0;          // Of the worker, for statistics.
    int listening_fd = -1;  // Becomes the thread's.
    std::shared_ptr<const HttpOptions> http;
    std::shared_ptr<StatScope> listener_stats;
    std::chrono::milliseconds drain_limit{5000};  // For requests at hand, when drain() was called.
    std::uint64_t seed = 1;
  };
  explicit ServiceThread(Options options);
  ServiceThread(const ServiceThread&) = delete;
  ~ServiceThread();  // Waits for the thread: call drain() or stop() before.

  // From any thread. drain: no further connection, idle ones are closed, requests at hand are answered. stop: at once.
  void drain();
  void stop();
  void join();

 private:
  static Task<> serve_address(ServiceThread& self);
  static Task<> accept_until_drained(ServiceThread& self, Scope& connections);
  void run();

  const Options options_;
  RealClock clock_;
  EpollPoller poller_;
  Worker worker_;
  TcpNetwork network_;
  ServiceWorker service_;
  Scope accepting_;
  std::thread thread_;
};

}  // namespace outrider
