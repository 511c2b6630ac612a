// Simulated time: a Poller that never waits. It moves the clock to whatever comes next.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <utility>

#include "core/worker.h"

namespace outrider {

// For tests of one Worker. Whole minutes of time-outs pass in microseconds, always in the same order.
class SimulatedPoller final : public Poller {
 public:
  // The clock outlives it, and is the worker's.
  explicit SimulatedPoller(SimulatedClock& clock) : clock_(clock) {}
  SimulatedPoller(const SimulatedPoller&) = delete;

  // Runs the function inside poll(), when the clock has come to that moment: it may mark and enqueue, nothing else.
  // Functions for the same moment run in the order in which they were given.
  void at(TimePoint when, std::function<void()> function) { events_.emplace(when, std::move(function)); }
  void after(Duration delay, std::function<void()> function) { at(clock_.now() + delay, std::move(function)); }

  void poll(std::optional<Duration> timeout) override {
    if (woken_.exchange(false, std::memory_order_acquire)) timeout = Duration::zero();
    TimePoint now = clock_.now();
    if (!events_.empty() && (!timeout || events_.begin()->first <= now + *timeout)) {
      TimePoint next = events_.begin()->first;
      if (next > now) clock_.advance(next - now);
      run_due();
    } else if (timeout) {
      clock_.advance(*timeout);
    }
  }
  void wake() override { woken_.store(true, std::memory_order_release); }
  bool exhausted() const override { return events_.empty(); }

 private:
  void run_due() {
    // What these functions add for the same moment belongs to the next poll().
    std::multimap<TimePoint, std::function<void()>> due;
    for (auto end = events_.upper_bound(clock_.now()); events_.begin() != end;) {
      due.insert(due.end(), events_.extract(events_.begin()));
    }
    for (auto& [when, function] : due) function();
  }

  SimulatedClock& clock_;
  std::multimap<TimePoint, std::function<void()>> events_;
  std::atomic<bool> woken_{false};
};

}  // namespace outrider
