// A client's connection, whatever protocol is spoken on it; private to serve.cc and its parts.
#pragma once
#include "http/serve.h"

namespace outrider {

// A draining connection that was opened or used a moment ago may have a request on its way: it is idle for so long
// before it is closed. The answer to that request ends it.
inline constexpr std::chrono::milliseconds kDrainGrace{500};

// What is spoken on a connection, and when it has waited long enough.
class ServerProtocol {
 public:
  // TimePoint::max(): there is none.
  virtual TimePoint next_deadline() const = 0;
  // A deadline has passed.
  virtual void expire(TimePoint now) = 0;
  // The slot drains.
  virtual void drain() = 0;
  // The request that begins is to be the last one.
  virtual void end_behind_request() = 0;

 protected:
  ~ServerProtocol() = default;
};

// Time-outs are checked by one timer, set again lazily: a request that goes well never touches it.
struct ServerConnection final : DownstreamConnection {
  ServerConnection(ServiceWorker& s, std::unique_ptr<Transport> t, std::shared_ptr<HttpSlot> h, StatBlock& listener);
  ~ServerConnection();

  // Deadlines count from now on. The timer looks at all of them when it fires: it is set anew only for one that could
  // pass before.
  void deadlines_begin() {
    auto armed_in = std::chrono::duration_cast<std::chrono::milliseconds>(armed_for_ - worker.now());
    if (!slot->current() || armed_in >= options().shortest_timeout()) deadlines_changed();
  }
  // They are others than before.
  void deadlines_changed();
  // When the connection has lived for long enough; max(): it may live.
  TimePoint end_of_life() const;
  // A request begins: it may be the last one that this connection serves.
  void begin_request();
  bool ending() const { return ends_at != TimePoint::max(); }
  const HttpOptions& options() const { return *slot->current()->options; }
  StatBlock& http_stats() const { return *slot->current()->stats; }

  ServiceWorker& service;
  std::unique_ptr<Transport> transport;
  std::shared_ptr<HttpSlot> slot;
  StatBlock& listener_stats;
  ServerProtocol* protocol = nullptr;  // Null: nothing is spoken yet, or no more.
  TimePoint accepted;
  TimePoint ends_at = TimePoint::max();  // Idle until then, it is closed.
  bool closing = false;                  // No further request.
  bool broke_protocol = false;           // What came was no HTTP.
  bool farewell = true;                  // Before closing, the peer is given time to read what was sent.
  bool cut_short = false;                // Closed behind a request or a response that was not whole.
  std::optional<Version> spoken;         // Of the last request; none: not a byte came, or none that is HTTP.
  std::string_view close_details;        // For the connection's log; static text.
  std::uint32_t requests = 0;
  ServerConnection* next = nullptr;
  ServerConnection** link = nullptr;

 private:
  struct Alarm {
    Timer timer;
    ServerConnection* owner;
  };
  void arm(TimePoint when);
  void check_deadlines();
  TimePoint next_deadline() const { return protocol ? protocol->next_deadline() : TimePoint::max(); }

  Alarm alarm_;
  TimePoint armed_for_ = TimePoint::max();
};

// The time after `since`; max() where the limit is zero.
inline TimePoint after(TimePoint since, std::chrono::milliseconds limit) {
  return limit.count() > 0 ? since + limit : TimePoint::max();
}

}  // namespace outrider
