// race: two tasks at once, for the first good result.
#pragma once
#include <array>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/stop.h"
#include "core/task.h"

namespace outrider {

template <class T, class Good>
class Race : public StopHook {
  static_assert(!std::is_void_v<T>, "a race is for a result");

 public:
  Race(Good good, Task<T>& first, Task<T>& second) : good_(std::move(good)) {
    sides_[0].task = &first;
    sides_[1].task = &second;
  }
  Race(const Race&) = delete;
  ~Race() { unhook(); }

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiter) {
    awaiter_ = awaiter;
    promise_ = &awaiter.promise();
    on_stop = [](StopHook* hook) { static_cast<Race*>(hook)->stop_both(); };
    if (promise_->stop->requested()) {
      stop_both();
    } else {
      promise_->stop->add(*this);
    }
    for (Side& side : sides_) {
      if (side.state == State::ended) continue;  // The other one has won before this one began.
      side.race = this;
      side.state = State::running;
      bool suspended = side.task->start(
          &side.stop, &side, [](void* s) { static_cast<Side*>(s)->race->side_done(*static_cast<Side*>(s), true); },
          [](void* s) { static_cast<Side*>(s)->race->side_done(*static_cast<Side*>(s), false); });
      if (!suspended) settle(side, true);
    }
    if (!all_ended()) return true;
    unhook();
    return false;
  }
  T await_resume() { return std::move(*result_); }

 private:
  enum class State : unsigned char { waiting, running, ended };
  struct Side {
    StopSource stop;
    Race* race = nullptr;
    Task<T>* task = nullptr;
    State state = State::waiting;
  };

  void stop_both() {
    for (Side& side : sides_) side.stop.request();
  }
  bool all_ended() const { return sides_[0].state == State::ended && sides_[1].state == State::ended; }

  // The task is destroyed here: what it held is free before anybody else goes on.
  void settle(Side& side, bool by_value) {
    side.state = State::ended;
    last_by_value_ = by_value;
    bool won = false;
    if (by_value && !won_) {
      result_.emplace(side.task->take());
      won = won_ = good_(static_cast<const T&>(*result_));
    }
    side.task->discard();
    if (!won) return;
    Side& loser = &side == &sides_[0] ? sides_[1] : sides_[0];
    if (loser.state == State::running) {
      loser.stop.request();
    } else if (loser.state == State::waiting) {
      loser.task->discard();
      loser.state = State::ended;
    }
  }

  void side_done(Side& side, bool by_value) {
    settle(side, by_value);
    if (!all_ended()) return;
    unhook();
    if (won_ || last_by_value_) {
      awaiter_.resume();
    } else {
      promise_->unhandled_stopped();
    }
  }

  [[no_unique_address]] Good good_;
  std::array<Side, 2> sides_;
  std::optional<T> result_;
  bool won_ = false;
  bool last_by_value_ = false;
  std::coroutine_handle<> awaiter_;
  PromiseBase* promise_ = nullptr;
};

// co_await race(good, f(x), g(y)): runs both at once and gives the first result for which good(const T&) is true, else
// the one that came last. When the awaiter goes on, both tasks have ended and are destroyed; the loser was asked to
// stop. If f ends at once with a good result, g never begins.
template <class Good, class T>
Race<T, Good> race(Good good, Task<T>&& first, Task<T>&& second) {
  return Race<T, Good>(std::move(good), first, second);
}

}  // namespace outrider
