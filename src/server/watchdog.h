// Watchdog: a thread that counts when another one is stuck in one turn of its event loop, and may end the process.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/snapshot.h"
#include "core/random.h"
#include "net/poll.h"
#include "observe/counters.h"

namespace outrider {

// The events of a worker, which anyone may see taking its turns.
class WatchedPoller final : public Poller {
 public:
  explicit WatchedPoller(EpollPoller& poller) : poller_(poller) {}
  void poll(std::optional<Duration> timeout) override {
    step();
    poller_.poll(timeout);
    step();
  }
  void wake() override { poller_.wake(); }

  // Any thread. Odd while it waits for events; another number in every turn.
  std::uint64_t turn() const { return turn_.load(std::memory_order_relaxed); }

 private:
  void step() { turn_.store(turn_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  EpollPoller& poller_;
  std::atomic<std::uint64_t> turn_{0};
};

// One thread that is watched, as the watchdog sees it.
class WatchedThread {
 public:
  explicit WatchedThread(const WatchedPoller& poller) : poller_(poller) {}
  // How long it has been in the turn that it is in now, as far as it was looked at; zero: it waits for events.
  Duration stuck_for(TimePoint now);

  bool missed = false, mega_missed = false;  // Counted for this turn.

 private:
  const WatchedPoller& poller_;
  std::uint64_t turn_ = UINT64_MAX;
  TimePoint since_{};
};

class Watchdog {
 public:
  // Counts as <name>.watchdog_miss, and for each thread as server.<thread>.watchdog_miss.
  Watchdog(std::string name, const WatchdogOptions& options, StatRegistry& stats, Clock& clock, std::uint64_t seed);
  Watchdog(const Watchdog&) = delete;
  ~Watchdog();  // Ends its thread.

  // Before start(); the poller outlives this.
  void watch(const std::string& thread, const WatchedPoller& poller);
  void start();

 private:
  struct Watched {
    std::string name;
    WatchedThread state;
    std::shared_ptr<StatScope> scope;
    StatBlock& stats;
  };
  void run();
  void look();
  Duration interval() const;

  const std::string name_;
  WatchdogOptions options_;
  StatRegistry& registry_;
  Clock& clock_;
  std::shared_ptr<StatScope> scope_;
  StatBlock& stats_;
  std::vector<Watched> watched_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace outrider
