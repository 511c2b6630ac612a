// RetryPolicy: when a route sends a request again, how often and where to. Envoy's document: "Automatic retries".
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/matcher.h"
#include "http/metadata.h"

namespace outrider {

// What makes a request one to try again; the names are those of `retry_on`.
enum class RetryOn : std::uint8_t {
  five_xx,
  gateway_error,
  connect_failure,
  refused_stream,
  reset,
  reset_before_request,
  retriable_4xx,
  retriable_status_codes,
  retriable_headers,
  envoy_ratelimited,
  grpc_cancelled,
  grpc_deadline_exceeded,
  grpc_resource_exhausted,
  grpc_unavailable,
  grpc_internal,
};

class RetryReasons {
 public:
  void add(RetryOn reason) { bits_ |= bit(reason); }
  void add(RetryReasons others) { bits_ |= others.bits_; }
  bool has(RetryOn reason) const { return bits_ & bit(reason); }
  bool any_of(RetryReasons others) const { return bits_ & others.bits_; }
  bool any() const { return bits_ != 0; }
  void clear() { bits_ = 0; }

 private:
  static std::uint32_t bit(RetryOn reason) { return 1U << static_cast<unsigned>(reason); }
  std::uint32_t bits_ = 0;
};

// Calls visit(word) for each word between commas, without blanks around it.
template <class Visit>
void each_listed(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
    if (!word.empty()) visit(word);
  }
}

// Of "5xx,reset". Names that there are not, as Envoy does, are passed over.
RetryReasons parse_retry_on(std::string_view list);       // x-envoy-retry-on
RetryReasons parse_retry_grpc_on(std::string_view list);  // x-envoy-retry-grpc-on

// host_selection_retry_max_attempts beyond this would only cost time.
inline constexpr std::int64_t kHostChoicesMax = 1000;

struct RetryPolicy {
  RetryReasons on;
  std::uint32_t retries = 1;
  std::chrono::milliseconds per_try_timeout{0};       // 0: none.
  std::chrono::milliseconds per_try_idle_timeout{0};  // 0: none.
  std::chrono::milliseconds base_interval{0};         // 0: the runtime's upstream.base_retry_backoff_ms.
  std::chrono::milliseconds max_interval{0};          // 0: ten times the base.
  std::vector<std::uint32_t> status_codes;
  std::vector<HeaderMatcher> headers;          // Of responses: any of them.
  std::vector<HeaderMatcher> request_headers;  // Any of them, if there are any.

  // Where a retry does not go.
  bool not_previous_hosts = false;
  bool not_canaries = false;
  std::vector<Value::Struct> not_hosts;     // Whose metadata of envoy.lb has all of these.
  std::uint32_t host_choices = 1;           // So often another host is looked for.
  std::uint32_t priority_update_after = 0;  // Tries until the priorities that they had are left out; 0: never.

  // Fields of a response that say how long to wait.
  struct ResetHeader {
    std::string name;  // Lower case.
    bool unix_time = false;
  };
  std::vector<ResetHeader> reset_headers;
  std::chrono::milliseconds reset_interval_max{300000};
};

}  // namespace outrider
