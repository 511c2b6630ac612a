// Stop: a request to end early, passed down the chain of awaiting tasks. It asks; it never destroys.
#pragma once

namespace outrider {

// Told once when its StopSource is asked to stop. Lives in the waiting object, usually inside a coroutine frame.
struct StopHook {
  StopHook* next = nullptr;
  StopHook** link = nullptr;  // Null: not hooked.
  void (*on_stop)(StopHook*) = nullptr;

  void unhook() {
    if (!link) return;
    *link = next;
    if (next) next->link = link;
    link = nullptr;
  }
};

class StopSource {
 public:
  StopSource() = default;
  StopSource(const StopSource&) = delete;
  StopSource& operator=(const StopSource&) = delete;

  bool requested() const { return requested_; }

  // The hook must be unhooked before either object ends.
  void add(StopHook& hook) {
    hook.next = head_;
    if (head_) head_->link = &hook.next;
    hook.link = &head_;
    head_ = &hook;
  }

  // Hooks only mark and enqueue: nothing is resumed or destroyed inside this call.
  void request() {
    if (requested_) return;
    requested_ = true;
    while (head_) {
      StopHook* hook = head_;
      hook->unhook();
      hook->on_stop(hook);
    }
  }

 private:
  bool requested_ = false;
  StopHook* head_ = nullptr;
};

}  // namespace outrider
