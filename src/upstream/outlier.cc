#include "upstream/outlier.h"

namespace outrider {
namespace {

bool counts_up_to(std::atomic<std::uint32_t>& row, std::uint32_t limit) {
  return row.fetch_add(1, std::memory_order_relaxed) + 1 == limit;
}

// The usual case writes nothing.
void clear(std::atomic<std::uint32_t>& row) {
  if (row.load(std::memory_order_relaxed) != 0) row.store(0, std::memory_order_relaxed);
}

}  // namespace

std::uint32_t Outlier::put_status(int status) {
  external.total.fetch_add(1, std::memory_order_relaxed);
  if (status < 500 || status >= 600) {
    external.good.fetch_add(1, std::memory_order_relaxed);
    clear(fives_);
    clear(gateway_failures_);
    return 0;
  }
  std::uint32_t reasons = 0;
  if (status >= 502 && status <= 504) {
    if (counts_up_to(gateway_failures_, options_.consecutive_gateway_failure)) {
      reasons |= bit(EjectionReason::consecutive_gateway_failure);
    }
  } else {
    clear(gateway_failures_);
  }
  if (counts_up_to(fives_, options_.consecutive_5xx)) reasons |= bit(EjectionReason::consecutive_5xx);
  return reasons;
}

std::uint32_t Outlier::put_local_failure(int status) {
  if (!options_.split_local_origin) return put_status(status);
  local.total.fetch_add(1, std::memory_order_relaxed);
  if (!counts_up_to(local_failures_, options_.consecutive_local_origin_failure)) return 0;
  return bit(EjectionReason::consecutive_local_origin_failure);
}

void Outlier::put_connected() {
  if (!options_.split_local_origin) return;
  local.total.fetch_add(1, std::memory_order_relaxed);
  local.good.fetch_add(1, std::memory_order_relaxed);
  clear(local_failures_);
}

void Outlier::reset_row(EjectionReason reason) {
  if (reason == EjectionReason::consecutive_5xx) clear(fives_);
  if (reason == EjectionReason::consecutive_gateway_failure) clear(gateway_failures_);
  if (reason == EjectionReason::consecutive_local_origin_failure) clear(local_failures_);
}

void Outlier::reset_rows() {
  for (auto* row : {&fives_, &gateway_failures_, &local_failures_}) clear(*row);
}

}  // namespace outrider
