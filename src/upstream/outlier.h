// What outlier detection knows of one host. Workers write, the main thread looks at it now and then.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/clock.h"

namespace outrider {

struct OutlierOptions {
  std::chrono::milliseconds interval{10000};
  std::chrono::milliseconds base_ejection_time{30000};
  std::chrono::milliseconds max_ejection_time{300000};
  std::chrono::milliseconds max_ejection_time_jitter{0};
  std::uint32_t max_ejection_percent = 10;
  bool always_eject_one_host = false;
  bool split_local_origin = false;  // split_external_local_origin_errors
  bool uneject_by_health_check = true;

  std::uint32_t consecutive_5xx = 5;
  std::uint32_t consecutive_gateway_failure = 5;
  std::uint32_t consecutive_local_origin_failure = 5;
  std::uint32_t success_rate_minimum_hosts = 5;
  std::uint32_t success_rate_request_volume = 100;
  std::uint32_t success_rate_stdev_factor = 1900;  // In thousandths.
  std::uint32_t failure_percentage_threshold = 85;
  std::uint32_t failure_percentage_minimum_hosts = 5;
  std::uint32_t failure_percentage_request_volume = 50;

  // In percent.
  std::uint32_t enforcing_consecutive_5xx = 100;
  std::uint32_t enforcing_consecutive_gateway_failure = 0;
  std::uint32_t enforcing_consecutive_local_origin_failure = 100;
  std::uint32_t enforcing_success_rate = 100;
  std::uint32_t enforcing_local_origin_success_rate = 100;
  std::uint32_t enforcing_failure_percentage = 0;
  std::uint32_t enforcing_failure_percentage_local_origin = 0;
};

// What the last interval said of the success rates of a cluster's hosts, in percent; -1: too little was known.
struct SuccessRates {
  double average = -1;
  double ejection_threshold = -1;
};

enum class EjectionReason : std::uint8_t {
  consecutive_5xx,
  consecutive_gateway_failure,
  consecutive_local_origin_failure,
  success_rate,
  local_origin_success_rate,
  failure_percentage,
  local_origin_failure_percentage,
};

class Cluster;
class Endpoint;

// How the answers of one host were. Any worker may write.
class Outlier {
 public:
  explicit Outlier(const OutlierOptions& options) : options_(options) {}
  Outlier(const Outlier&) = delete;

  // Each returns the reasons that have just come up, one bit each.
  std::uint32_t put_status(int status);
  // The host could not be reached, or did not answer in time; `status` is what that is taken for.
  std::uint32_t put_local_failure(int status);
  void put_connected();
  void reset_row(EjectionReason reason);
  void reset_rows();

  struct Rate {
    std::atomic<std::uint64_t> total{0}, good{0};
    double percent = -1;  // Of the last interval; -1: not enough requests. The main thread's.
  };
  Rate external, local;

  // The main thread's.
  TimePoint ejected_at{};
  std::uint32_t ejections = 0;  // Lengthens the next one.
  std::chrono::milliseconds jitter{0};

  static std::uint32_t bit(EjectionReason reason) { return 1U << static_cast<unsigned>(reason); }

 private:
  const OutlierOptions& options_;
  std::atomic<std::uint32_t> fives_{0}, gateway_failures_{0}, local_failures_{0};
};

}  // namespace outrider
