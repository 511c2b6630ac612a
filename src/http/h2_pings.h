// Asks the peer of an HTTP/2 connection now and then whether it is still there (connection_keepalive).
#pragma once
#include "core/worker.h"
#include "http/h2_options.h"
#include "http/h2_session.h"

namespace outrider {

class H2Pings {
 public:
  // All outlive it.
  H2Pings(const H2Keepalive& options, Worker& worker, H2Session& session)
      : options_(options), worker_(worker), session_(session) {
    plan();
  }

  // max(): there is none.
  TimePoint next_deadline() const { return std::min(asks_at_, answer_due_); }
  // False: the peer has not answered in time. Counts it.
  bool expire(TimePoint now) {
    if (now >= answer_due_) {
      session_.count_keepalive_timeout();
      answer_due_ = TimePoint::max();
      return false;
    }
    if (now >= asks_at_) ask();
    return true;
  }
  void ask() {
    asks_at_ = TimePoint::max();
    answer_due_ = worker_.now() + options_.timeout;
    session_.connection().send_ping(kOpaque);
    session_.touched();
  }
  bool asked() const { return answer_due_ != TimePoint::max(); }
  void answered(std::uint64_t opaque) {
    if (opaque != kOpaque || !asked()) return;
    answer_due_ = TimePoint::max();
    plan();
  }

 private:
  static constexpr std::uint64_t kOpaque = 0x6f75747269646572;  // "outrider"

  void plan() {
    if (options_.interval.count() == 0) return;
    auto most =
        static_cast<std::uint64_t>(static_cast<double>(options_.interval.count()) * options_.jitter_percent / 100);
    std::chrono::milliseconds more(most == 0 ? 0 : static_cast<std::int64_t>(worker_.random().next() % most));
    asks_at_ = worker_.now() + options_.interval + more;
  }

  const H2Keepalive& options_;
  Worker& worker_;
  H2Session& session_;
  TimePoint asks_at_ = TimePoint::max();
  TimePoint answer_due_ = TimePoint::max();
};

}  // namespace outrider
