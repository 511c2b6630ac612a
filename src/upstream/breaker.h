// Circuit breakers: how much of a cluster may be in use at once, over all workers together.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

namespace outrider {

enum class Priority : std::uint8_t { normal, high };

// One limited resource. try_take() never exceeds the limit, whatever the workers do; open() followed by take(), where a
// request asks for several at once, may by one for each worker.
class Breaker {
 public:
  explicit Breaker(std::uint64_t limit = 1024) : limit_(limit) {}

  bool try_take() {
    if (used_.fetch_add(1, std::memory_order_relaxed) < limit_.load(std::memory_order_relaxed)) return true;
    used_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  // Takes one even beyond the limit.
  void take() { used_.fetch_add(1, std::memory_order_relaxed); }
  void give() { used_.fetch_sub(1, std::memory_order_relaxed); }

  bool open() const { return used() >= limit(); }
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(std::uint64_t limit) { limit_.store(limit, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> limit_;
};

// The thresholds of one priority, with Envoy's defaults.
struct Breakers {
  Breaker connections{1024};
  Breaker pending_requests{1024};
  Breaker requests{1024};
  Breaker retries{3};
};

// One unit of a resource, given back on destruction.
class Taken {
 public:
  explicit Taken(Breaker& b) : breaker_(&b) {}
  Taken(const Taken&) = delete;
  ~Taken() { breaker_->give(); }

 private:
  Breaker* breaker_;
};

}  // namespace outrider
