// Worker: one thread, one event loop, one clock.
//
// The thread rule: every object belongs to one Worker and is touched by that thread only. The single exception is
// Worker::post. What is shared is immutable (a Snapshot) or a counter.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/block_pool.h"
#include "core/clock.h"
#include "core/random.h"
#include "core/runtime.h"
#include "core/task.h"
#include "core/timer.h"

namespace outrider {

// A unit of work in the worker's queue; lives in the object that waits.
struct Runnable {
  Runnable* next_runnable = nullptr;
  void (*run)(Runnable*) = nullptr;
};

// Where events come from: epoll, or a simulation.
class Poller {
 public:
  virtual ~Poller() = default;
  // Waits for events at most until the timeout (none: for ever; zero: not at all) and marks or enqueues what they wake.
  // It resumes nothing itself.
  virtual void poll(std::optional<Duration> timeout) = 0;
  // Ends a poll() in progress, or the next one. The only member that other threads may call.
  virtual void wake() = 0;
  // True if no event can ever come from here: a simulation that has run out of them. An event may also wake nothing,
  // so that poll() returned says nothing.
  virtual bool exhausted() const { return false; }
};

class Worker {
 public:
  // All three outlive the worker.
  Worker(int index, Clock& clock, Poller& poller, std::uint64_t seed);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // The worker of this thread; null outside of run().
  static Worker* current() { return current_; }

  // Runs the task to its end and everything that it spawns with it. Without a poller that can wake it (a simulation
  // whose events ran out) it returns early, false.
  bool run(Task<>&& root);
  // Asks the root task to stop. From this worker's thread.
  void stop() { root_stop_.request(); }

  // Any thread: runs the function on the worker's thread, after the current turn.
  void post(std::function<void()> function);

  // From here on: only on the worker's thread.
  void enqueue(Runnable& work) {
    work.next_runnable = nullptr;
    *ready_tail_ = &work;
    ready_tail_ = &work.next_runnable;
  }
  // Time at the beginning of this turn: the clock is read once a turn, not once a request.
  TimePoint now() const { return now_; }
  WallTime wall() const { return wall_; }
  Clock& clock() { return clock_; }
  TimerWheel& timers() { return timers_; }
  // Longer times than kTimeoutMax (a configuration may ask for 10,000 years) are as good as for ever.
  static constexpr Duration kTimeoutMax = std::chrono::years(100);
  void arm(Timer& timer, Duration in) { timers_.arm(timer, now_ + (in < kTimeoutMax ? in : kTimeoutMax)); }
  Random& random() { return random_; }
  BlockPool& blocks() { return blocks_; }
  Poller& poller() { return poller_; }
  // Never null. Valid until the next turn; keep the pointer for longer.
  const RuntimePtr& runtime() const { return runtime_; }
  void set_runtime(RuntimePtr runtime) { runtime_ = std::move(runtime); }
  int index() const { return index_; }

 private:
  void run_ready();
  void run_posted();
  void read_clock();

  const int index_;
  Clock& clock_;
  Poller& poller_;
  TimePoint now_;
  WallTime wall_;
  TimerWheel timers_;
  Random random_;
  BlockPool blocks_;
  RuntimePtr runtime_ = std::make_shared<Runtime>();
  Runnable* ready_ = nullptr;
  Runnable** ready_tail_ = &ready_;
  StopSource root_stop_;
  bool root_done_ = false;

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> has_posted_{false};

  static inline thread_local Worker* current_ = nullptr;
};

}  // namespace outrider
