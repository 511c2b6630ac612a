// Whether the process wants requests: what the admin's /healthcheck/fail and /healthcheck/ok say.
#pragma once
#include <atomic>

namespace outrider {

// One a process; written by the main thread, read by all. While it fails, a health check of this proxy is answered with
// 503, and a connection ends behind its next response.
class ServerHealth {
 public:
  bool fails() const { return fails_.load(std::memory_order_relaxed); }
  void set_failing(bool fails) { fails_.store(fails, std::memory_order_relaxed); }

 private:
  std::atomic<bool> fails_{false};
};

// For services whose health nobody can change.
inline const ServerHealth kHealthyServer;

}  // namespace outrider
