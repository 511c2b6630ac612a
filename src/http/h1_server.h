// HTTP/1 on a client's connection: one request after the other.
#pragma once
#include "http/h1_body.h"
#include "http/server_stream.h"

namespace outrider {

class H1Server final : public ServerProtocol, public ServerStream, Transport::HangupHook {
 public:
  explicit H1Server(ServerConnection& c);
  ~H1Server();

  // Until the connection is done. True: it has not begun, as the client's first bytes are HTTP/2's preface; they are in
  // inbox().
  Task<bool> run();
  Inbox& inbox() { return inbox_; }

  TimePoint next_deadline() const override;
  void expire(TimePoint now) override;
  void drain() override;
  void end_behind_request() override { connection.closing = true; }

  Task<> inform(const ResponseHead& head) override;
  Task<bool> write(std::string_view data) override;
  void finish() override { connection.transport->shutdown_write(); }

 private:
  enum class HeadOutcome : std::uint8_t { parsed, refused, gone, timed_out, http2 };
  struct HeadResult {
    HeadOutcome outcome = HeadOutcome::gone;
    ProtocolError error;
  };

  std::optional<HeadResult> take_head(Exchange& x, h1::RequestParser& parser);
  Task<HeadResult> await_head(Exchange& x, h1::RequestParser& parser);
  bool left_within_head() const;
  Task<> refuse(Exchange& x, const HeadResult& head);
  Response refuse_bytes(Exchange& x, const ProtocolError& error);
  Task<bool> serve_one();
  void begin_request();
  void end_request(Exchange& x);
  void begin_to_end(TimePoint now);
  void stop_waiting();

  std::optional<Response> admit(Exchange& x) override;
  void take_body(Exchange& x, h1::BodyFraming framing, bool answers_expectation);
  Task<bool> send_response(Exchange& x, const Response& response) override;
  Task<bool> send_tunnel_head(Exchange& x, ResponseHead& head) override;
  Body& tunnel_source(Exchange& x) override;
  void cut_off() override;
  void be_last() override { connection.closing = true; }
  void watch(bool on) override { connection.transport->on_hangup(on ? this : nullptr); }
  TimePoint last_progress() const override { return connection.transport->last_progress(); }

  bool request_received(Exchange& x);
  bool may_go_on(Exchange& x);
  void decide_closing(Exchange& x, const ResponseHead& head, h1::BodyFraming framing);

  Worker& worker_;
  Inbox inbox_;
  H1Body* body_ = nullptr;  // The same as request_body.
  TimePoint idle_since_;
  bool idle_ = true;
  bool first_request_ = true;
  bool informing_ = false;  // A 1xx is written in part: stopped there, nothing else can be said.
  bool http2_ = false;
  std::optional<Held> counted_;  // From its first bytes on.
};

}  // namespace outrider
