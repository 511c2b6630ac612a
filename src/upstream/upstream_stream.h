// One request on one upstream connection, and its response.
#pragma once
#include <optional>

#include "http/exchange.h"
#include "http/h1_body.h"
#include "upstream/pool.h"

namespace outrider {

// Lives in the exchange's arena. It is the response's body, and for a tunnel the way to the other side. When the
// response has ended well its connection goes back to the pool; in every other case the connection is closed.
class UpstreamStream final : public Body, public Sink {
 public:
  // `limit`: the route's time-out; started when the request has been sent whole. Zero: none.
  UpstreamStream(Exchange& x, EndpointPool& pool, UpstreamConnection& connection, std::chrono::milliseconds timeout,
                 Limit& limit);
  ~UpstreamStream() override;

  // Writes the head, and the first frame of the body with it. `whole`: no more frames follow.
  Task<bool> send(const RequestHead& head, h1::BodyFraming framing, const Frame& first, bool whole);
  // Sends the rest of the request's body. To be spawned into the exchange's scope.
  static Task<> pump(UpstreamStream& stream);
  // The response's head; null: see failure(). Informational responses are passed on.
  Task<ResponseHead*> receive_head();

  Failure failure() const { return failure_; }
  // No byte of a response came: on a reused connection, a sign that it was dead already.
  bool untouched() const { return !answered_; }
  // An informational response came.
  bool interim() const { return interim_; }
  // The client's body broke, not the upstream.
  bool client_failed() const { return client_failed_; }
  bool tunnel() const { return framing_.kind == h1::BodyFraming::Kind::tunnel; }

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;
  std::optional<std::uint64_t> length() const override { return body_->length(); }

  Task<bool> write(std::string_view data) override;
  void finish() override;

 private:
  ResponseHead* accept(ResponseHead& head, std::size_t head_bytes);
  void detach(ResponseHead& head, std::size_t head_bytes);
  Frame note(Frame frame);
  Task<> pass_on(ResponseHead& head);
  void end_of_connection();
  void complete();
  Task<Frame> pull_body(std::size_t max) { co_return co_await body_->pull(max); }
  Task<bool> write_frame(const Frame& frame);
  void request_whole();

  Exchange& x_;
  EndpointPool& pool_;
  UpstreamConnection* connection_;
  StatBlock& stats_;
  const std::chrono::milliseconds timeout_;
  Limit& limit_;
  Inbox inbox_;
  h1::BodyFraming request_framing_;
  h1::BodyFraming framing_;
  std::optional<H1Body> body_;
  Failure failure_ = Failure::none;
  bool request_done_ = false;
  bool answered_ = false;
  bool keep_alive_ = false;
  bool client_failed_ = false;
  bool cut_short_ = false;  // The connection ended within the response.
  bool continued_ = false;  // The backend's 100 has been passed on.
  bool interim_ = false;
  TimePoint began_;
};

}  // namespace outrider
