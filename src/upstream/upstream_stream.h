// One request on one upstream connection, and its response.
#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "http/exchange.h"
#include "http/h1_body.h"
#include "upstream/pool.h"

namespace outrider {

// How long one attempt may take until its response begins: from when it has a connection and the request is whole.
struct TryTimeout {
  std::chrono::milliseconds length{0};  // 0: none.
  bool connected = false;
  Limit limit;
};

// How long a response may take: the route's time-out, from the end of the client's request, wherever that is then, and
// the cluster's max_stream_duration, from the begin of the stream to the host. Both to the end of the response.
class ResponseTimeout {
 public:
  // Zero: none.
  explicit ResponseTimeout(std::chrono::milliseconds length) : length_(length) {}
  void request_received(Exchange& x) {
    if (!x.record.request_end) x.record.request_end = x.worker.now();
    if (length_.count() > 0 && !received_) start(x.worker.now() + std::min<Duration>(length_, Worker::kTimeoutMax));
    received_ = true;
    if (of_try) start_try();
  }
  // An attempt has its connection.
  void connected() {
    if (!of_try) return;
    of_try->connected = true;
    start_try();
  }
  void stream_begins(Exchange& x, std::chrono::milliseconds max_duration) {
    if (max_duration.count() == 0) return;
    longest_ = x.worker.now() + max_duration;
    start(end_);
  }
  // What has ended it: the duration of its stream.
  bool was_too_long(TimePoint now) const { return longest_ <= end_ && longest_ <= now; }
  Limit limit;
  TryTimeout* of_try = nullptr;       // Of the attempt in progress; null: it has none.
  std::chrono::milliseconds idle{0};  // Between two pieces of a response; 0: none.

 private:
  void start_try() {
    if (received_ && of_try->connected && of_try->length.count() > 0) of_try->limit.start(of_try->length);
  }
  void start(TimePoint end) {
    end_ = end;
    limit.start(std::min(end_, longest_) - Worker::current()->now());
  }
  const std::chrono::milliseconds length_;
  bool received_ = false;
  TimePoint end_ = TimePoint::max(), longest_ = TimePoint::max();
};

// Lives in the exchange's arena. It is the response's body, and for a tunnel the way to the other side. When the
// response has ended well its connection goes back to the pool; in every other case the connection is closed.
class UpstreamStream final : public Body, public Sink {
 public:
  UpstreamStream(Exchange& x, EndpointPool& pool, UpstreamConnection& connection, ResponseTimeout& timeout);
  ~UpstreamStream() override;

  // Writes the head, and the first frame of the body with it, as far as that goes without waiting. `whole`: no more
  // frames follow. True: there is more to send, which pump() does.
  bool send(const RequestHead& head, h1::BodyFraming framing, const Frame& first, bool whole);
  // Sends the rest of the request, in the exchange's scope: a host may answer before it has read all.
  void start_pump();
  // Instead of a request: the bytes of both sides pass as they are. The answer that tells the client so.
  ResponseHead* open_tunnel();
  // The response's head; null: see failure(). Informational responses are passed on.
  Task<ResponseHead*> receive_head();
  // The time of a whole response goes to the cluster's statistics, and to those of a virtual cluster and of the route,
  // if there are any.
  void time_response(CodeCopy origin, bool canary, StatBlock* virtual_cluster, StatBlock* of_route) {
    timed_ = true;
    origin_ = origin;
    timed_too_[0] = virtual_cluster;
    timed_too_[1] = of_route;
    canary_ = canary;
  }
  // Gives the connection up before its time: nothing may use the stream any more, a pump neither.
  void abandon();
  // The same, once the pump has ended: then the request's body has no reader any more.
  Task<> give_up();

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
  static Task<> pump(UpstreamStream& stream);
  Task<Frame> pull_within_idle(std::size_t max);
  Frame time_out(ClusterStat counter, std::string_view details);
  Task<> pass_on(ResponseHead& head);
  void end_of_connection();
  Frame end_late();
  void complete();
  Task<Frame> pull_body(std::size_t max) { co_return co_await body_->pull(max); }
  void forget_sent(std::size_t bytes);
  void count_sent(std::size_t bytes);
  void request_is_sent();
  Task<bool> write_unsent();
  Task<bool> write_frame(const Frame& frame);

  Exchange& x_;
  EndpointPool& pool_;
  UpstreamConnection* connection_;
  StatBlock& stats_;
  ResponseTimeout& timeout_;
  Inbox inbox_;
  h1::BodyFraming request_framing_;
  h1::BodyFraming framing_;
  std::optional<H1Body> body_;
  Failure failure_ = Failure::none;
  std::array<iovec, 4> unsent_;  // Of the head and the first frame.
  std::size_t unsent_count_ = 0;
  bool whole_ = false;         // The first frame was the last.
  bool request_sent_ = false;  // All of it.
  bool answered_ = false;
  bool keep_alive_ = false;
  bool client_failed_ = false;
  bool cut_short_ = false;  // The connection ended within the response.
  bool continued_ = false;  // The backend's 100 has been passed on.
  bool interim_ = false;
  bool pumping_ = false;
  StopSource* pump_ = nullptr;  // While it is pumping.
  Signal pump_ended_;
  bool timed_ = false;
  CodeCopy origin_ = CodeCopy::external;
  bool canary_ = false;
  std::array<StatBlock*, 2> timed_too_{};  // Of VirtualClusterStat; null: none.
  TimePoint began_;
  AttemptRecord record_;
};

}  // namespace outrider
