// Time as a parameter: the real clock, or one that a test moves.
#pragma once
#include <chrono>

namespace outrider {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() = 0;  // Monotonic.
  virtual WallTime wall() = 0;  // For logs and the `date` header.
};

class RealClock final : public Clock {
 public:
  TimePoint now() override { return std::chrono::steady_clock::now(); }
  WallTime wall() override { return std::chrono::system_clock::now(); }
};

// Moves only when told. Starts an hour after its epoch, so that "before" exists.
class SimulatedClock final : public Clock {
 public:
  TimePoint now() override { return TimePoint(std::chrono::hours(1)) + elapsed_; }
  WallTime wall() override { return WallTime(std::chrono::seconds(1'600'000'000)) + elapsed_; }
  void advance(Duration by) { elapsed_ += by; }

 private:
  Duration elapsed_{0};
};

}  // namespace outrider
