#include "core/worker.h"

#include <cassert>

namespace outrider {

Worker::Worker(int index, Clock& clock, Poller& poller, std::uint64_t seed)
    : index_(index),
      clock_(clock),
      poller_(poller),
      now_(clock.now()),
      wall_(clock.wall()),
      timers_(now_),
      random_(seed) {}

Worker::~Worker() { assert(!ready_ || root_done_); }

void Worker::post(std::function<void()> function) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(function));
  }
  has_posted_.store(true, std::memory_order_release);
  poller_.wake();
}

void Worker::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> posted;
  {
    std::lock_guard lock(posted_mutex_);
    posted.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (auto& function : posted) function();
}

// Runs what was ready when it was called; what that enqueues waits for the next turn's batch, so I/O is not starved.
void Worker::run_ready() {
  Runnable* batch = ready_;
  ready_ = nullptr;
  ready_tail_ = &ready_;
  while (batch) {
    Runnable* work = batch;
    batch = work->next_runnable;
    work->run(work);
  }
}

void Worker::read_clock() {
  now_ = clock_.now();
  wall_ = clock_.wall();
}

bool Worker::run(Task<>&& root) {
  Worker* before = std::exchange(current_, this);
  root_done_ = false;
  read_clock();
  auto finish = [](void* w) { static_cast<Worker*>(w)->root_done_ = true; };
  if (!root.start(&root_stop_, this, finish, finish)) root_done_ = true;
  bool complete = true;
  while (!root_done_) {
    run_ready();
    if (root_done_) break;  // What is posted counts on what the root kept.
    run_posted();
    std::optional<Duration> timeout;
    if (ready_) {
      timeout = Duration::zero();
    } else if (auto at = timers_.next()) {
      timeout = *at > now_ ? *at - now_ : Duration::zero();
    }
    poller_.poll(timeout);
    read_clock();
    timers_.advance(now_);
    if (!timeout && !ready_ && !has_posted_.load(std::memory_order_acquire) && !timers_.next() && poller_.exhausted()) {
      complete = false;  // Nothing can ever happen again.
      break;
    }
  }
  if (complete) root.discard();
  while (ready_) run_ready();  // Connections on their way out; no task is left that could wait.
  current_ = before;
  return complete;
}

}  // namespace outrider
