// Task<T>: a lazy, immovable piece of asynchronous work that ends by value or by stop.
#pragma once
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/frame_pool.h"
#include "core/stop.h"

namespace outrider {

// What every Task's promise has: who waits for it, and the stop source it inherits from its awaiter.
struct PromiseBase {
  enum class Phase : unsigned char { starting, suspended, done };

  StopSource* stop = nullptr;
  void* parent = nullptr;  // The receiver, told by one of the two functions below.
  void (*on_value)(void*) = nullptr;
  void (*on_stopped)(void*) = nullptr;
  Phase phase = Phase::suspended;

  // This task is never resumed again: its owner destroys it.
  void unhandled_stopped() { on_stopped(parent); }

  static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { FramePool::deallocate(memory, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::abort(); }  // Failures are values.

  struct Final {
    bool await_ready() noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> h) noexcept {
      PromiseBase& p = h.promise();
      // While our awaiter is still below us on the stack it goes on by itself: the stack grows with nesting only.
      if (p.phase == Phase::starting) {
        p.phase = Phase::done;
      } else {
        p.on_value(p.parent);  // May destroy this frame.
      }
    }
    void await_resume() noexcept {}
  };
  Final final_suspend() noexcept { return {}; }
};

template <class T>
struct ResultSlot {
  std::optional<T> value;
  void return_value(T v) { value.emplace(std::move(v)); }
  T take() { return std::move(*value); }
};
template <>
struct ResultSlot<void> {
  void return_void() {}
  void take() {}
};

#if defined(__clang__)
// A plain function that passes a Task through without being a coroutine.
#define OUTRIDER_FORWARDS [[clang::coro_wrapper, clang::coro_disable_lifetimebound]]
#define OUTRIDER_TASK_TYPE [[nodiscard, clang::coro_return_type, clang::coro_lifetimebound]]
#else
#define OUTRIDER_FORWARDS
#define OUTRIDER_TASK_TYPE [[nodiscard]]
#endif

// Await it in the expression that makes it: `co_await f(x)`. It cannot be moved, stored or detached; what must outlive
// the expression is spawned into a Scope. References given to it therefore live as long as it does.
template <class T = void>
class OUTRIDER_TASK_TYPE Task {
 public:
  struct promise_type : PromiseBase, ResultSlot<T> {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };

  Task(Task&&) = delete;
  ~Task() { discard(); }

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiter) {
    return start(
        awaiter.promise().stop, awaiter.address(), [](void* a) { std::coroutine_handle<>::from_address(a).resume(); },
        [](void* a) { std::coroutine_handle<P>::from_address(a).promise().unhandled_stopped(); });
  }
  T await_resume() { return take(); }

  // For combinators. Runs the task until it suspends (true) or ends by value (false); then one of the two functions is
  // called later. A stopped task must be discarded by its owner before anybody else is resumed.
  bool start(StopSource* stop, void* parent, void (*on_value)(void*), void (*on_stopped)(void*)) {
    promise_type& p = handle_.promise();
    p.stop = stop;
    p.parent = parent;
    p.on_value = on_value;
    p.on_stopped = on_stopped;
    p.phase = PromiseBase::Phase::starting;
    handle_.resume();
    if (p.phase == PromiseBase::Phase::done) return false;
    p.phase = PromiseBase::Phase::suspended;
    return true;
  }
  T take() { return handle_.promise().take(); }
  void discard() {
    if (handle_) std::exchange(handle_, {}).destroy();
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace outrider
