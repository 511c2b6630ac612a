// A request on a connection of HTTP/1.
#pragma once
#include <array>
#include <optional>

#include "http/h1_body.h"
#include "upstream/upstream_stream.h"

namespace outrider {

// When the response has ended well its connection goes back to the pool; in every other case the connection is closed.
class H1UpstreamStream final : public UpstreamStream {
 public:
  H1UpstreamStream(Exchange& x, EndpointPool& pool, UpstreamConnection& connection, ResponseTimeout& timeout);
  ~H1UpstreamStream() override;

  // Instead of a request: the bytes of both sides pass as they are. The answer that tells the client so.
  ResponseHead* open_tunnel();
  Task<ResponseHead*> receive_head() override;
  void abandon() override;

  std::optional<std::uint64_t> length() const override { return body_->length(); }
  Task<bool> write(std::string_view data) override;
  void finish() override;

 private:
  bool send(const RequestHead& head, const Frame& first, bool whole) override;
  Frame poll_body(std::size_t max) override { return body_->poll(max); }
  Task<Frame> pull_body(std::size_t max) override { co_return co_await body_->pull(max); }
  std::uint64_t body_wire_bytes() const override { return body_->wire_bytes(); }
  Failure broken_by(Failure failure) override;
  bool has_unsent() const override { return unsent_count_ > 0; }
  Task<bool> write_unsent() override;
  Task<bool> write_frame(const Frame& frame) override;
  void wake() override { connection_->transport->interrupt_reader(); }

  ResponseHead* accept(ResponseHead& head, std::size_t head_bytes);
  void detach(ResponseHead& head, std::size_t head_bytes);
  void end_of_connection();
  void complete();
  void forget_sent(std::size_t bytes);
  void count_sent(std::size_t bytes);

  UpstreamConnection* connection_;
  Inbox inbox_;
  h1::BodyFraming request_framing_;
  h1::BodyFraming framing_;
  std::optional<H1Body> body_;
  std::array<iovec, 4> unsent_;  // Of the head and the first frame.
  std::size_t unsent_count_ = 0;
  bool keep_alive_ = false;
  bool cut_short_ = false;  // The connection ended within the response.
};

}  // namespace outrider
