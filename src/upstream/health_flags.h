// What is known of a host's health, each source by itself. Envoy's names, as `/clusters` shows them.
#pragma once
#include <atomic>
#include <cstdint>

namespace outrider {

#define OUTRIDER_HEALTH_FLAGS(X)    \
  X(failed_active_hc)               \
  X(failed_outlier_check)           \
  X(failed_eds_health)              \
  X(degraded_active_hc)             \
  X(degraded_eds_health)            \
  X(pending_dynamic_removal)        \
  X(pending_active_hc)              \
  X(excluded_via_immediate_hc_fail) \
  X(active_hc_timeout)              \
  X(eds_status_draining)

enum class HealthFlag : std::uint8_t {
#define X(name) name,
  OUTRIDER_HEALTH_FLAGS(X)
#undef X
      count
};

// Written by the main thread, read by any.
class HealthFlags {
 public:
  void set(HealthFlag flag, bool on = true) {
    if (on) {
      bits_.fetch_or(bit(flag), std::memory_order_relaxed);
    } else {
      bits_.fetch_and(~bit(flag), std::memory_order_relaxed);
    }
  }
  void clear(HealthFlag flag) { set(flag, false); }
  bool has(HealthFlag flag) const { return bits_.load(std::memory_order_relaxed) & bit(flag); }
  bool any() const { return bits_.load(std::memory_order_relaxed) != 0; }

 private:
  static std::uint32_t bit(HealthFlag flag) { return 1U << static_cast<unsigned>(flag); }
  std::atomic<std::uint32_t> bits_{0};
};

}  // namespace outrider
