// Timers: a hierarchical wheel with a tick of one millisecond. Arming and cancelling cost a few instructions.
#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "core/clock.h"

namespace outrider {

class TimerWheel;

// Fires once, never early, at most about a millisecond late. Belongs to one wheel; may be destroyed while armed.
class Timer {
 public:
  Timer() = default;
  explicit Timer(void (*fire)(Timer*)) : on_fire(fire) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  bool armed() const { return wheel_ != nullptr; }
  inline void cancel();

  void (*on_fire)(Timer*) = nullptr;

 private:
  friend class TimerWheel;
  TimerWheel* wheel_ = nullptr;
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;
  std::uint64_t tick_ = 0;
  std::uint16_t slot_ = 0;  // level * kSlots + index.
};

class TimerWheel {
 public:
  // 64^6 ms is about two years; what lies beyond waits in the last level and is sorted in again.
  static constexpr int kLevels = 6;
  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;

  explicit TimerWheel(TimePoint start) : start_(start) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  // Arms the timer for that moment (at once if it is past), anew if it was armed.
  void arm(Timer& timer, TimePoint when);
  // Fires what is due at `now`, in order of time. A fired timer may arm itself or others again.
  void advance(TimePoint now);
  // When advance() has something to do next, at the latest; none without timers. May be early, never late.
  std::optional<TimePoint> next() const;

 private:
  friend class Timer;
  static std::uint64_t slot_tick(std::uint64_t tick, int level) { return tick >> (kBits * level); }
  void insert(Timer& timer);
  void remove(Timer& timer);
  std::optional<std::uint64_t> next_tick(int* level, int* slot) const;

  TimePoint start_;
  std::uint64_t elapsed_ = 0;  // Ticks processed.
  std::array<std::uint64_t, kLevels> occupied_{};
  std::array<Timer*, kLevels * kSlots> slots_{};
};

inline void Timer::cancel() {
  if (wheel_) wheel_->remove(*this);
}

}  // namespace outrider
