// Scope: the only home of work that outlives the statement which starts it. within: a deadline at the call site.
//
// The lifetime rule: a Task is awaited in the expression that makes it. What must outlive that expression is spawned
// into a Scope and refers only to what outlives the Scope. A Scope ends by stopping and joining its children.
#pragma once
#include <cassert>
#include <coroutine>
#include <optional>

#include "core/leaf.h"

namespace outrider {

class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { assert(!children_ && !running_); }

  // Starts f(objects...) as a child. A plain function and objects that outlive the Scope: there is nothing to capture.
  // Only while run() is in progress. The child runs at once, until it first waits. The returned handle is valid until
  // the child ends; null if it has ended already; most callers ignore it. A child that is spawned by another one while
  // the Scope already joins its children is asked to stop from the start.
  template <class... P, class... A>
  StopSource* spawn(Task<> (*f)(P...), A&&... objects);

  // co_await scope.run(body): runs the body; when that ends, by value or by stop, stops and joins every child. True if
  // the body ended by itself, false if stop() ended it.
  class Run;
  Run run(Task<>&& body);
  // Asks the body of the run in progress to stop; the awaiter of run() goes on.
  inline void stop();

  // Asks every child to stop, without waiting.
  void stop_children() {
    for (Child* c = children_; c; c = c->next) c->stop.request();
  }
  int live() const { return live_; }
  // co_await scope.idle().wait() ends whenever a child has ended and none is left.
  Signal& idle() { return idle_; }

 private:
  struct Child {
    StopSource stop;
    Scope* scope;
    Child* next = nullptr;
    Child** link = nullptr;
    Task<> task;
    template <class F, class... A>
    Child(Scope* s, F f, A&&... objects) : scope(s), task(f(std::forward<A>(objects)...)) {}
    static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
    static void operator delete(void* memory, std::size_t bytes) { FramePool::deallocate(memory, bytes); }
  };
  void end(Child* child);

  Child* children_ = nullptr;
  int live_ = 0;
  bool running_ = false;
  Run* run_ = nullptr;
  Run* joining_ = nullptr;
  Signal idle_;
};

class Scope::Run : public StopHook, public Runnable {
 public:
  Run(Scope& scope, Task<>& body) : scope_(scope), body_(body) {}
  Run(const Run&) = delete;
  ~Run() { unhook(); }

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiter) {
    awaiter_ = awaiter;
    promise_ = &awaiter.promise();
    scope_.running_ = true;
    scope_.run_ = this;
    on_stop = [](StopHook* hook) { static_cast<Run*>(hook)->body_stop_.request(); };
    if (promise_->stop->requested()) {
      body_stop_.request();
    } else {
      promise_->stop->add(*this);
    }
    bool suspended = body_.start(
        &body_stop_, this, [](void* r) { static_cast<Run*>(r)->body_done(false); },
        [](void* r) { static_cast<Run*>(r)->body_done(true); });
    if (suspended) return true;
    unhook();
    scope_.running_ = false;
    scope_.run_ = nullptr;
    if (!scope_.children_) return false;
    join();
    return true;
  }
  bool await_resume() const noexcept { return !stopped_; }

 private:
  friend class Scope;
  void body_done(bool stopped) {
    stopped_ = stopped;
    unhook();
    scope_.running_ = false;
    scope_.run_ = nullptr;
    if (stopped) body_.discard();  // Its destructors run before the children are joined.
    if (!scope_.children_) {
      go_on();
    } else {
      join();
    }
  }
  void join() {
    scope_.joining_ = this;
    scope_.stop_children();
  }
  void go_on() {
    if (stopped_ && promise_->stop->requested()) {
      promise_->unhandled_stopped();
    } else {
      awaiter_.resume();
    }
  }
  void joined() {
    run = [](Runnable* r) { static_cast<Run*>(r)->go_on(); };
    Worker::current()->enqueue(*this);
  }

  Scope& scope_;
  Task<>& body_;
  StopSource body_stop_;
  std::coroutine_handle<> awaiter_;
  PromiseBase* promise_ = nullptr;
  bool stopped_ = false;
};

inline void Scope::stop() {
  if (run_) run_->body_stop_.request();
}

inline Scope::Run Scope::run(Task<>&& body) { return Run(*this, body); }

template <class... P, class... A>
StopSource* Scope::spawn(Task<> (*f)(P...), A&&... objects) {
  assert((running_ || joining_) && "spawn() only inside run()");
  auto* child = new Child(this, f, std::forward<A>(objects)...);
  child->next = children_;
  if (children_) children_->link = &child->next;
  child->link = &children_;
  children_ = child;
  live_++;
  if (joining_) child->stop.request();  // Too late to live: it ends at its first wait.
  bool suspended = child->task.start(
      &child->stop, child, [](void* c) { static_cast<Child*>(c)->scope->end(static_cast<Child*>(c)); },
      [](void* c) { static_cast<Child*>(c)->scope->end(static_cast<Child*>(c)); });
  if (suspended) return &child->stop;
  end(child);
  return nullptr;
}

inline void Scope::end(Child* child) {
  child->task.discard();
  *child->link = child->next;
  if (child->next) child->next->link = child->link;
  delete child;
  live_--;
  if (children_) return;
  idle_.notify_all();
  if (joining_) std::exchange(joining_, nullptr)->joined();
}

// A deadline that can be set before, during and after the waits that it limits, one at a time. Once it has passed it
// stays passed.
class Limit {
 public:
  Limit() = default;
  Limit(const Limit&) = delete;

  // Counts from the turn's beginning.
  void start(Duration in) {
    alarm_.owner = this;
    alarm_.on_fire = [](Timer* t) { static_cast<Alarm*>(t)->owner->expire(); };
    Worker::current()->arm(alarm_, in);
  }
  void cancel() { alarm_.cancel(); }
  bool expired() const { return expired_; }

 private:
  template <class T>
  friend class Within;
  struct Alarm : Timer {
    Limit* owner = nullptr;
  };
  void expire() {
    expired_ = true;
    if (waiter_) waiter_->request();
  }
  Alarm alarm_;
  StopSource* waiter_ = nullptr;  // Of the wait in progress.
  bool expired_ = false;
};

// co_await within(d, f(x)): the task's value, or nullopt when the deadline came first; then the task has been stopped
// and destroyed. For Task<void> the value is a Done. With a Limit, which outlives the expression, the deadline is the
// Limit's.
struct Done {};

template <class T>
class Within : public StopHook {
  using Value = std::conditional_t<std::is_void_v<T>, Done, T>;

 public:
  Within(Duration in, Task<T>& task) : task_(task), in_(in), limit_(own_) {}
  Within(Limit& limit, Task<T>& task) : task_(task), limit_(limit) {}
  Within(const Within&) = delete;
  ~Within() {
    unhook();
    limit_.waiter_ = nullptr;
  }

  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> awaiter) {
    awaiter_ = awaiter;
    promise_ = &awaiter.promise();
    on_stop = [](StopHook* hook) { static_cast<Within*>(hook)->stop_.request(); };
    if (promise_->stop->requested() || limit_.expired()) {
      stop_.request();
    } else {
      promise_->stop->add(*this);
    }
    assert(!limit_.waiter_ && "a Limit serves one wait at a time");
    limit_.waiter_ = &stop_;
    bool suspended = task_.start(
        &stop_, this, [](void* w) { static_cast<Within*>(w)->task_done(); },
        [](void* w) { static_cast<Within*>(w)->task_stopped(); });
    if (!suspended) {
      unhook();
      return false;
    }
    if (&limit_ == &own_) own_.start(in_);
    return true;
  }
  std::optional<Value> await_resume() {
    if (stopped_) return std::nullopt;
    if constexpr (std::is_void_v<T>) {
      return Done{};
    } else {
      return task_.take();
    }
  }

 private:
  void task_done() {
    unhook();
    awaiter_.resume();
  }
  void task_stopped() {
    unhook();
    task_.discard();
    stopped_ = true;
    if (limit_.expired() && !promise_->stop->requested()) {
      awaiter_.resume();
    } else {
      promise_->unhandled_stopped();
    }
  }

  Task<T>& task_;
  Duration in_{};
  Limit own_;
  Limit& limit_;
  StopSource stop_;
  std::coroutine_handle<> awaiter_;
  PromiseBase* promise_ = nullptr;
  bool stopped_ = false;
};

template <class T>
Within<T> within(Duration in, Task<T>&& task) {
  return Within<T>(in, task);
}
template <class T>
Within<T> within(Limit& limit, Task<T>&& task) {
  return Within<T>(limit, task);
}

// The body of a Scope that lives by its children alone.
inline Task<> until_stopped() {
  Signal never;
  co_await never.wait();
}

}  // namespace outrider
