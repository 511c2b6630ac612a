// Tries: what the attempts of one request share when it may be sent again.
#pragma once
#include <optional>

#include "http/exchange.h"
#include "upstream/attempt.h"
#include "upstream/retry_policy.h"

namespace outrider {

// Lives in the exchange's arena.
class Tries {
 public:
  // By the route's policy (null: none) and what the request's own fields say.
  Tries(Forwarding& f, const RetryPolicy* policy, std::chrono::milliseconds per_try_timeout);
  Tries(const Tries&) = delete;
  ~Tries() { release(); }

  // Whether another attempt is made. All that comes of the answer is counted, and flagged where there is none.
  bool again(const Attempt& attempt);
  // Until the next attempt.
  Task<> wait();
  // The request as the next attempt sends it.
  void prepare_request(bool after_timeout);
  // x-envoy-expected-rq-timeout-ms: the time that an attempt has, which is never longer than what is left.
  void tell_expected_timeout();

  // The host of the attempt that begins; null: there is none.
  Endpoint* pick();

  std::chrono::milliseconds per_try_timeout() const { return per_try_timeout_; }
  std::chrono::milliseconds idle_timeout() const { return idle_timeout_; }
  bool retrying() const { return retrying_; }
  // No attempt is in progress: the next one is being waited for.
  bool waiting() const { return waiting_; }

 private:
  void read_request();
  bool wanted(const ResponseHead& head);
  bool wanted_after_failure(const Attempt& attempt) const;
  bool take_retry();
  void release();
  void count(ClusterStat of_cluster, VirtualClusterStat of_others);
  bool refused(const Endpoint& host) const;
  void leave_out_priorities();
  void find_others();
  void find_reset_interval(const ResponseHead& head);

  Forwarding& f_;
  const RetryPolicy& policy_;
  RetryReasons on_;
  std::uint32_t left_;
  std::chrono::milliseconds per_try_timeout_;
  std::chrono::milliseconds idle_timeout_;
  std::chrono::milliseconds interval_, interval_max_;
  std::optional<std::chrono::milliseconds> reset_interval_;  // What the last response has asked for.
  std::vector<std::uint32_t> status_codes_;                  // Those of the request.
  std::vector<std::string_view> header_names_;               // Likewise.
  std::vector<const Endpoint*> attempted_;
  std::vector<bool> left_out_;  // By priority.
  std::size_t attempted_since_ = 0;
  HostSetPtr others_;        // Without those priorities; null: all.
  HostSetPtr others_of_;     // The cluster's hosts among which they are.
  Breaker* held_ = nullptr;  // The unit of the circuit breaker, from one retry to the next decision.
  bool retrying_ = false;
  bool waiting_ = false;
};

// As attempt(), again and again as f.tries says.
Task<Attempt> attempt_repeatedly(Forwarding& f);

}  // namespace outrider
