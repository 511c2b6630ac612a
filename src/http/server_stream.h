// One request at the side of its client, and the way back: what all protocols have in common.
#pragma once
#include "http/exchange.h"
#include "http/received_body.h"
#include "http/server_connection.h"
#include "wire/protocol_error.h"

namespace outrider {

inline constexpr std::string_view kMissingHost = "missing_host_header";

enum class AbortReason : std::uint8_t {
  none,
  client_gone,     // With its connection.
  client_reset,    // The stream alone.
  broke_protocol,  // Within the request, behind its head.
  stream_idle,
  request_timeout,
  head_timeout,
  max_duration,
};

// For a tunnel it is the way to the client.
struct ServerStream : ClientStream, Sink {
  explicit ServerStream(ServerConnection& c) : connection(c), since(c.worker.now()) {}
  ServerStream(const ServerStream&) = delete;

  void abort(AbortReason reason);

  // When the request has waited for too long; max(): never.
  TimePoint next_deadline() const;
  // Whether the request as a whole is too late, or idle.
  void expire(TimePoint now);
  // The request has not been received whole.
  bool receiving() const { return !exchange || (request_body && !request_body->ended()); }
  // It is still waited for: once the response has begun, the rest of it, or a tunnel, has all the time it wants.
  bool awaits_request() const { return receiving() && !head_sent; }

  void deadlines_changed() override { connection.deadlines_changed(); }
  void leave_request(Exchange& x) override;

  ServerConnection& connection;
  TimePoint since;               // The first byte of the request.
  TimePoint head_end;            // Of its head.
  Exchange* exchange = nullptr;  // Once the head is there.
  ReceivedBody* request_body = nullptr;
  AbortReason abort_reason = AbortReason::none;
  bool head_sent = false;
  bool response_ended = false;       // Sent whole.
  bool request_left = false;         // The response ends before the request does.
  std::string_view failure_details;  // Of AbortReason::broke_protocol; static text.

 protected:
  ~ServerStream() = default;

  // A request is served so: begin(x), then answer(x) in its scope, then last_words() sent if there are any, then
  // end(x). (In the protocol's own coroutine: one frame less for each request.)
  void begin(Exchange& x);
  // The filters, then the response to the client. May be stopped at any await, by a time-out or the client's leaving.
  Task<> answer(Exchange& x);
  // What is left to be said; `whole`: answer() has not been stopped.
  std::optional<Response> last_words(Exchange& x, bool whole);
  // Neither a client that does not read nor a filter that waits is waited for.
  Task<> send_last_words(Exchange& x, const Response& reply);
  void end(Exchange& x);

  // What can be said to a request whose exchange was ended early. Nothing once the response has begun.
  std::optional<Response> answer_abort(Exchange& x);
  // Counts the request and writes its line.
  void finish_record(Exchange& x);
  // Counts a response, an informational one too.
  void count_response(StatBlock& stats, int status) const;

  // Whether the request may go to the filters; otherwise the answer.
  virtual std::optional<Response> admit(Exchange& x) = 0;
  // Sends the response's head and body; false: it could not be sent whole.
  virtual Task<bool> send_response(Exchange& x, const Response& response) = 0;
  // The head of the response that begins a tunnel; false: nobody is there any more.
  virtual Task<bool> send_tunnel_head(Exchange& x, ResponseHead& head) = 0;
  // What the client sends into the tunnel.
  virtual Body& tunnel_source(Exchange& x) = 0;
  // The message is not whole: its end must not look like one.
  virtual void cut_off() = 0;
  // No other request may follow behind this one; where requests do not follow each other, nothing.
  virtual void be_last() = 0;
  // The client's leaving ends the exchange from here on, or no more.
  virtual void watch(bool on) = 0;
  // When bytes last moved, in either direction.
  virtual TimePoint last_progress() const = 0;

  // The answer to a head that the edge does not accept, if the protocol has no other.
  std::optional<Response> refusal(Exchange& x, const ProtocolError& error);
  // What is left to be checked behind prepare_request().
  std::optional<Response> check_path(Exchange& x);
  void note_response(Exchange& x, const ResponseHead& head);

 private:
  Task<bool> show_and_send(Exchange& x, Response reply);
  // Bytes go both ways until both directions have ended.
  Task<> run_tunnel(Exchange& x, const Response& response);
  Task<bool> download(Exchange& x, Body& from);
};

}  // namespace outrider
