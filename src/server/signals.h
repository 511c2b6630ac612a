// The signals that a proxy heeds: SIGTERM, SIGINT, SIGHUP and SIGUSR1.
#pragma once
#include <functional>

#include "net/poll.h"

namespace outrider {

// Leaves them to a Signals. Call it before any thread is started: a thread that does not block them would take them.
void block_signals();
// Until block_signals() is called again, SIGTERM and SIGINT end the process at once, as they do by default: when the
// main thread may wait for something other than its events (a file that is a pipe, a log that nobody reads).
void allow_signals_to_end();

// Signals as events of the thread whose poller it is.
class Signals final : public EventTarget {
 public:
  // `heed` is called from inside the event loop, with the number of the signal.
  Signals(EpollPoller& poller, std::function<void(int)> heed);
  Signals(const Signals&) = delete;
  ~Signals();
  void on_events(std::uint32_t) override;

 private:
  const std::function<void(int)> heed_;
  int fd_;
};

}  // namespace outrider
