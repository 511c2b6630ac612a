// One connection of HTTP/2, either side of it (RFC 9113): bytes in, events out; calls in, bytes out. No socket, no
// clock.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/h2_flood.h"
#include "wire/h2_frame.h"
#include "wire/h2_head.h"
#include "wire/h2_settings.h"
#include "wire/h2_stream.h"
#include "wire/send_buffer.h"

namespace outrider::h2 {

enum class Side : std::uint8_t { server, client };

struct Options {
  Settings settings;                                                   // What we tell the peer.
  std::vector<std::pair<std::uint16_t, std::uint32_t>> more_settings;  // Told likewise; they mean nothing to us.
  std::uint32_t connection_window = kWindowDefault;  // For all streams together; at least the default.
  HeadLimits head, trailers;
  FloodLimits floods;
  // A malformed message costs its stream only, not the connection (Envoy:
  // override_stream_error_on_invalid_http_message).
  bool lenient = false;
};

// What ends a connection, or a stream from our side.
struct Fault {
  ErrorCode code = ErrorCode::no_error;
  std::string_view detail;  // Envoy's, of messages; else empty. Static.
  std::string_view reason;  // For the log. Static.
  Flood flood = Flood::none;
};

// Who is told what came. It may call any function of the Connection meanwhile, but receive().
class Events {
 public:
  // Server: a new stream, with its `request` and `arena`. Null: it is refused.
  virtual Stream* stream_opens(StreamId id) = 0;
  // A stream of the peer's was refused: there are too many, or stream_opens() said so.
  virtual void stream_refused() {}
  // The head is complete: the request's or the response's (informational ones too: give `response` another one then).
  // Asked of a stream that has an error: see stream_failed().
  virtual void head_received(Stream& stream) = 0;
  // Body bytes, valid during the call. Flow control waits until consumed() is told of them.
  virtual void data_received(Stream& stream, std::string_view data) = 0;
  // The peer has ended its side: stream.trailers, if there were any, are complete.
  virtual void remote_ended(Stream& stream) = 0;
  // The stream is closed before its end, by the peer's RST_STREAM or GOAWAY.
  virtual void stream_reset(Stream& stream, ErrorCode code) = 0;
  // The same, by us: the peer broke a rule. RST_STREAM is written.
  virtual void stream_failed(Stream& stream, const Fault& fault) = 0;
  // More may be sent on it.
  virtual void window_opened(Stream& stream) = 0;
  virtual void settings_received() = 0;
  // The peer takes no more streams; those above `last` are reset already.
  virtual void goaway_received(StreamId last, ErrorCode code) = 0;
  virtual void ping_answered(std::uint64_t opaque) = 0;

 protected:
  ~Events() = default;
};

class Connection {
 public:
  // The options and the events outlive it.
  Connection(Side side, const Options& options, Events& events);
  Connection(const Connection&) = delete;

  // The preface, our settings and window; to be called once, first.
  void start();
  // Takes all of the bytes. False: the connection has failed; what is in output() is the last that it says.
  bool receive(std::string_view bytes);
  const Fault& fault() const { return fault_; }
  bool failed() const { return fault_.code != ErrorCode::no_error; }

  // What is to be sent. When frames of it have gone, tell sent().
  SendBuffer& output() { return output_; }
  const WaitingFrames& waiting() const { return guard_.waiting(); }
  void sent(const WaitingFrames& frames) { guard_.sent(frames); }

  const Settings& peer() const { return peer_; }
  std::uint32_t streams() const { return streams_.size(); }
  template <class Visit>
  void each_stream(Visit visit) const {
    streams_.each(visit);
  }

  // The peer takes no more of them.
  bool goaway_received() const { return goaway_received_; }
  // Client: may another stream be opened now? Then open() sends its request.
  bool may_open() const;
  void open(Stream& stream, bool end);
  // Server: an informational or the final response. `end`: nothing follows.
  void send_response(Stream& stream, const ResponseHead& head, bool end);
  // How many bytes of a body may be sent now: never more than fits one frame.
  std::size_t sendable(const Stream& stream) const;
  // At most sendable() bytes; none at all only to end the stream.
  void send_data(Stream& stream, std::string_view data, bool end);
  void send_trailers(Stream& stream, const Headers& trailers);
  // Ends it at once, in both directions. Nothing more is told of it.
  void reset(Stream& stream, ErrorCode code);
  // Somebody has read so many bytes of it: the peer may send as many more.
  void consumed(Stream& stream, std::size_t bytes);

  // No further streams are taken. First announced, then meant (section 6.8): `last` is the highest that was or will be
  // served; kStreamIdMax announces only.
  void send_goaway(StreamId last, ErrorCode code, std::string_view debug = {});
  StreamId last_remote_stream() const { return last_remote_; }
  void send_ping(std::uint64_t opaque);

 private:
  // Of the frame whose payload is still to come.
  struct DataInProgress {
    Stream* stream = nullptr;  // Null: nobody wants it.
    std::uint32_t data_left = 0, padding_left = 0;
    std::uint32_t unwanted = 0;  // Bytes that nobody reads: padding, and what comes of a stream that is no more.
    bool end = false;
  };
  struct HeaderBlock {
    StreamId stream = 0;  // 0: none is in progress.
    bool end_stream = false;
    std::uint32_t continuations = 0;
    std::string bytes;
  };

  // Receiving. Each returns how much it took, or whether it is well.
  std::size_t take(std::string_view bytes);
  std::size_t take_preface(std::string_view bytes);
  std::size_t take_data(std::string_view bytes);
  std::size_t collect(std::string_view bytes);
  std::size_t take_frame(const FrameHeader& frame, std::string_view bytes);
  bool check(const FrameHeader& frame);
  bool dispatch(const FrameHeader& frame, std::string_view payload);
  bool begin_data(const FrameHeader& frame, std::uint32_t padding);
  bool accept_data(Stream& stream, std::uint32_t frame_bytes);
  void end_data();
  bool on_headers(const FrameHeader& frame, std::string_view payload);
  bool on_continuation(const FrameHeader& frame, std::string_view payload);
  bool on_priority(const FrameHeader& frame, std::string_view payload);
  bool on_rst_stream(const FrameHeader& frame, std::string_view payload);
  bool on_settings(const FrameHeader& frame, std::string_view payload);
  bool on_ping(const FrameHeader& frame, std::string_view payload);
  bool on_goaway(const FrameHeader& frame, std::string_view payload);
  bool on_window_update(const FrameHeader& frame, std::string_view payload);

  bool on_block(StreamId id, bool end_stream, std::string_view block);
  bool open_remote(StreamId id, bool end_stream, std::string_view block);
  bool take_head(Stream& stream, bool end_stream, std::string_view block);
  bool take_trailers(Stream& stream, bool end_stream, std::string_view block);
  // Of a new stream.
  ReceiveWindow first_window() const;
  bool skip_block(std::string_view block);
  bool accept(Stream& stream, const HeadResult& result, bool end_stream, const Headers& headers);
  bool malformed(Stream& stream, std::string_view detail, std::string_view reason);
  void end_remote(Stream& stream);
  bool body_fits(const Stream& stream) const;
  bool change_initial_window(std::uint32_t before);
  void close(Stream& stream);
  bool is_idle(StreamId id) const;
  bool was_reset(StreamId id) const;

  bool fail(ErrorCode code, std::string_view reason, Flood flood = Flood::none);
  bool fail_stream(Stream& stream, ErrorCode code, std::string_view reason, std::string_view detail = {});

  // Sending.
  char* begin_frame(const FrameHeader& frame);
  void send_block(StreamId id, bool end_stream, const char* begin, const char* end);
  template <class Write>
  void send_head(Stream& stream, std::size_t block_max, bool end, Write write);
  void end_local(Stream& stream);
  void send_settings();
  void send_rst_stream(StreamId id, ErrorCode code);
  void send_window_update(StreamId id, std::uint32_t by);
  void return_to_connection(std::size_t bytes);
  void count_outbound(bool control);

  const Side side_;
  const Options& options_;
  Events& events_;
  SendBuffer output_;
  Settings peer_;
  bool settings_known_ = false;  // The peer's first SETTINGS have come.
  std::uint32_t settings_unacknowledged_ = 0;
  Fault fault_;

  hpack::Encoder encoder_;
  hpack::Decoder decoder_;
  StreamTable streams_;
  std::uint32_t remote_streams_ = 0;  // Of these, the peer's.
  StreamId last_remote_ = 0, next_local_;
  // Streams that the peer passed over when it opened a higher one; of the last time.
  StreamId skipped_from_ = 0, skipped_to_ = 0;
  // The last streams that we have reset: what is still on its way of them is ignored.
  static constexpr std::size_t kResetsRemembered = 64;
  std::array<StreamId, kResetsRemembered> resets_{};
  std::uint32_t reset_count_ = 0;

  SendWindow send_window_{kWindowDefault};
  ReceiveWindow receive_window_;
  FloodGuard guard_;
  StreamId goaway_last_ = kStreamIdMax;  // What we have told the peer.
  bool goaway_received_ = false;

  std::size_t preface_left_;
  std::string partial_;  // A frame that came in part: header, and what of the payload there is.
  DataInProgress data_;
  bool in_data_ = false;
  HeaderBlock block_;
};

}  // namespace outrider::h2
