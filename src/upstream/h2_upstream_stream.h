// A request on a connection of HTTP/2.
#pragma once
#include <optional>

#include "upstream/h2_upstream_connection.h"
#include "upstream/upstream_stream.h"

namespace outrider {

class H2UpstreamStream final : public UpstreamStream {
 public:
  // The connection has room for it.
  H2UpstreamStream(Exchange& x, EndpointPool& pool, H2UpstreamConnection& connection, ResponseTimeout& timeout);
  ~H2UpstreamStream() override;

  Task<ResponseHead*> receive_head() override;
  void abandon() override;
  bool passed_over() const override;

  std::optional<std::uint64_t> length() const override { return stream_->length(); }
  Task<bool> write(std::string_view data) override;
  void finish() override;

 private:
  bool send(const RequestHead& head, const Frame& first, bool whole) override;
  Frame poll_body(std::size_t max) override { return stream_->poll(max); }
  OUTRIDER_FORWARDS Task<Frame> pull_body(std::size_t max) override { return stream_->pull(max); }
  std::uint64_t body_wire_bytes() const override { return stream_->wire_bytes(); }
  bool has_unsent() const override { return !unsent_.empty(); }
  Task<bool> write_unsent() override;
  Task<bool> write_frame(const Frame& frame) override;
  void wake() override { stream_->changed().notify_all(); }

  void answer_key(ResponseHead& head);
  bool asks_upgrade() const;
  const RequestHead& as_connect(const RequestHead& head);
  void set_length();
  void set_scheme();
  ResponseHead* accept(ResponseHead& head);
  void count_end();

  H2UpstreamConnection::Use connection_;
  std::optional<H2Stream> stream_;  // Until it is given up.
  std::string_view unsent_;         // Of the first frame.
  bool stays_open_ = false;         // The end of the request's body does not end our side: a tunnel may follow.
};

}  // namespace outrider
