// What every leaf operation (sleep, read, wait for a signal) shares: it waits for one event or for a stop, and goes on
// through the worker's queue.
#pragma once
#include <coroutine>

#include "core/worker.h"

namespace outrider {

// Lives in the awaiting coroutine's frame. A derived class gives cancel(), which takes it out of wherever it waits.
class Leaf : public StopHook, public Runnable {
 public:
  Leaf() = default;
  Leaf(const Leaf&) = delete;
  Leaf& operator=(const Leaf&) = delete;

  bool await_ready() const noexcept { return false; }

 protected:
  ~Leaf() { unhook(); }

  // Call from await_suspend. False if a stop is already asked for: then nothing may be set up, and the task ends as
  // stopped from the queue.
  template <class P>
  bool wait(std::coroutine_handle<P> awaiter, void (*cancel)(Leaf*)) {
    awaiter_ = awaiter;
    promise_ = &awaiter.promise();
    cancel_ = cancel;
    if (promise_->stop->requested()) {
      finish_stopped();
      return false;
    }
    on_stop = [](StopHook* hook) {
      auto* leaf = static_cast<Leaf*>(hook);
      leaf->cancel_(leaf);
      leaf->finish_stopped();
    };
    promise_->stop->add(*this);
    return true;
  }

  // The event came. The leaf must already be out of every list it waited in.
  void finish() {
    unhook();
    run = [](Runnable* r) { static_cast<Leaf*>(r)->awaiter_.resume(); };
    Worker::current()->enqueue(*this);
  }

 private:
  void finish_stopped() {
    run = [](Runnable* r) { static_cast<Leaf*>(r)->promise_->unhandled_stopped(); };
    Worker::current()->enqueue(*this);
  }

  std::coroutine_handle<> awaiter_;
  PromiseBase* promise_ = nullptr;
  void (*cancel_)(Leaf*) = nullptr;
};

// co_await sleep(d): ends after d, measured from the turn's beginning.
class sleep : public Leaf {
 public:
  explicit sleep(Duration d) : duration_(d) {}
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (!wait(awaiter, [](Leaf* leaf) { static_cast<sleep*>(leaf)->timer_.cancel(); })) return;
    timer_.owner = this;
    timer_.on_fire = [](Timer* t) { static_cast<Alarm*>(t)->owner->finish(); };
    Worker::current()->arm(timer_, duration_);
  }
  void await_resume() const noexcept {}

 private:
  struct Alarm : Timer {
    sleep* owner = nullptr;
  };
  Duration duration_;
  Alarm timer_;
};

// Where a task could go on without ever waiting (pipelined requests, a fast body), everybody else gets a turn after so
// many steps.
inline constexpr int kStepsInARowMax = 32;

// co_await turn(): lets everything else that is ready go first. For loops that could run long without waiting.
class turn : public Leaf {
 public:
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (wait(awaiter, [](Leaf*) {})) finish();
  }
  void await_resume() const noexcept {}
};

// Wakes every task that waits for it. One thread, so no wake-up can be lost between a check and the wait.
class Signal {
 public:
  class Wait : public Leaf {
   public:
    explicit Wait(Signal& signal) : signal_(signal) {}
    ~Wait() { leave(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> awaiter) {
      if (!wait(awaiter, [](Leaf* leaf) { static_cast<Wait*>(leaf)->leave(); })) return;
      next_waiter_ = nullptr;
      link_waiter_ = signal_.tail_;
      *signal_.tail_ = this;
      signal_.tail_ = &next_waiter_;
    }
    void await_resume() const noexcept {}

   private:
    friend class Signal;
    void leave() {
      if (!link_waiter_) return;
      *link_waiter_ = next_waiter_;
      if (next_waiter_) {
        next_waiter_->link_waiter_ = link_waiter_;
      } else {
        signal_.tail_ = link_waiter_;
      }
      link_waiter_ = nullptr;
    }
    Signal& signal_;
    Wait* next_waiter_ = nullptr;
    Wait** link_waiter_ = nullptr;
  };

  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  Wait wait() { return Wait(*this); }
  bool has_waiters() const { return head_ != nullptr; }
  // Wakes the task that has waited longest; false if none waits.
  bool notify_one() {
    Wait* w = head_;
    if (!w) return false;
    w->leave();
    w->finish();
    return true;
  }
  void notify_all() {
    // Each is taken out before it is enqueued, so a waiter that comes back at once waits for the next signal.
    while (notify_one()) {
    }
  }

 private:
  Wait* head_ = nullptr;
  Wait** tail_ = &head_;
};

}  // namespace outrider
