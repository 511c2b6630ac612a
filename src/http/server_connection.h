// The state of one HTTP/1 client connection; private to serve.cc and its parts.
#pragma once
#include "http/h1_body.h"
#include "http/serve.h"

namespace outrider {

// A draining connection that was opened or used a moment ago may have a request on its way: it is idle for so long
// before it is closed. The answer to that request ends it.
inline constexpr std::chrono::milliseconds kDrainGrace{500};

enum class AbortReason : std::uint8_t { none, client_gone, stream_idle, request_timeout, head_timeout, max_duration };

// Time-outs are checked by one timer, set again lazily: a request that goes well never touches it.
struct ServerConnection final : DownstreamConnection, ClientStream, Transport::HangupHook {
  enum class Phase : std::uint8_t { idle, head, exchange };

  ServerConnection(ServiceWorker& s, std::unique_ptr<Transport> t, std::shared_ptr<HttpSlot> h, StatBlock& listener);
  ~ServerConnection();

  // The deadlines of the phase count from here.
  void enter(Phase p) {
    phase = p;
    phase_since = worker.now();
    // The timer looks at all deadlines when it fires: it is set anew only for one that could pass before.
    auto armed_in = std::chrono::duration_cast<std::chrono::milliseconds>(armed_for - phase_since);
    if (!slot->current() || armed_in >= options().shortest_timeout()) deadlines_changed();
  }
  // Forgets the request before.
  void begin_request() {
    abort_reason = AbortReason::none;
    request_body = nullptr;
    head_sent = response_ended = request_left = false;
    request_since = worker.now();
    enter(Phase::head);
  }
  Task<> inform(const ResponseHead& head) override;
  void deadlines_changed() override;
  // The request at hand is answered, but what is still to come of it is not waited for: the connection ends with it.
  void leave_request(Exchange& x) override;
  // The next response is the last, as Envoy's drain sequence.
  void begin_to_end(TimePoint now);
  bool ending() const { return ends_at != TimePoint::max(); }
  void stop_waiting();  // Ends an idle wait: the connection is to close.
  void abort(AbortReason reason);
  // The connection is to end by RST: a FIN would look like the end of the message.
  void reset() {
    closing = true;
    farewell = false;
    transport->reset_on_close();
  }
  // The request has not been received whole.
  bool receiving() const { return phase == Phase::head || (request_body && !request_body->ended()); }
  // It is still waited for: once the response has begun, the rest of it, or a tunnel, has all the time it wants.
  bool awaits_request() const { return receiving() && !head_sent; }
  const HttpOptions& options() const { return *slot->current()->options; }
  StatBlock& http_stats() const { return *slot->current()->stats; }

  ServiceWorker& service;
  std::unique_ptr<Transport> transport;
  std::shared_ptr<HttpSlot> slot;
  StatBlock& listener_stats;
  Inbox inbox;
  Phase phase = Phase::idle;
  TimePoint phase_since;
  TimePoint request_since;  // The first byte of the request at hand.
  TimePoint accepted;
  TimePoint ends_at = TimePoint::max();  // Idle until then, it is closed.
  Exchange* exchange = nullptr;          // In phase exchange.
  H1Body* request_body = nullptr;
  AbortReason abort_reason = AbortReason::none;
  bool first_request = true;
  bool head_sent = false;
  bool informing = false;         // A 1xx is written in part: stopped there, nothing else can be said.
  bool response_ended = false;    // Sent whole.
  bool request_left = false;      // The response ends before the request does.
  bool closing = false;           // No further request.
  bool broke_protocol = false;    // What came was no HTTP.
  std::optional<Version> spoken;  // Of the last request; none: not a byte came, or none that is HTTP.
  bool farewell = true;           // Before closing, the peer is given time to read what was sent.
  std::uint32_t requests = 0;
  ServerConnection* next = nullptr;
  ServerConnection** link = nullptr;

 private:
  struct Alarm {
    Timer timer;
    ServerConnection* owner;
  };
  TimePoint next_deadline() const;
  void arm(TimePoint when);
  void check_deadlines();
  void expire(TimePoint now);

  Alarm alarm_;
  TimePoint armed_for = TimePoint::max();
};

// Counts a response, an informational one too.
void count_response(const ServerConnection& c, StatBlock& stats, int status);
// Sends the response's head and body to the client; false if the connection cannot carry another message.
Task<bool> send_response(ServerConnection& c, Exchange& x, const Response& response);
// After a 101 or an accepted CONNECT: bytes go both ways until both directions have ended.
Task<> run_tunnel(ServerConnection& c, Exchange& x, const Response& response);

}  // namespace outrider
