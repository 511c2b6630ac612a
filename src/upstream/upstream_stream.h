// One request to a host, and its response, whatever is spoken.
#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "http/exchange.h"
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

// Lives in the exchange's arena. It is the response's body, and for a tunnel the way to the other side.
class UpstreamStream : public Body, public Sink {
 public:
  // Sends the head, and the first frame of the body with it, as far as that goes without waiting. `whole`: no more
  // frames follow. True: there is more to send, which start_pump() does.
  bool begin(const RequestHead& head, const Frame& first, bool whole) {
    if (first.kind == Frame::Kind::trailers) trailers_ = first.trailers;
    return send(head, first, whole);
  }
  // Sends the rest of the request, in the exchange's scope: a host may answer before it has read all.
  void start_pump();
  // The response's head; null: see failure(). Informational responses are passed on.
  virtual Task<ResponseHead*> receive_head() = 0;
  // The time of a whole response goes to the cluster's statistics, and to those of a virtual cluster and of the route,
  // if there are any.
  void time_response(CodeCopy origin, bool canary, StatBlock* virtual_cluster, StatBlock* of_route) {
    timed_ = true;
    origin_ = origin;
    timed_too_[0] = virtual_cluster;
    timed_too_[1] = of_route;
    canary_ = canary;
  }
  // Gives it up, or back: nothing may use the stream any more, a pump neither.
  virtual void abandon() = 0;
  // The same, once the pump has ended: then the request's body has no reader any more.
  Task<> give_up();

  Failure failure() const { return failure_; }
  // No byte of a response came: on a reused connection, a sign that it was dead already.
  bool untouched() const { return !answered_; }
  // The host has certainly not looked at the request, nor will it.
  virtual bool passed_over() const { return false; }
  // An informational response came.
  bool interim() const { return interim_; }
  // The client's body broke, not the upstream.
  bool client_failed() const { return client_failed_; }
  // Behind the head bytes pass both ways, whatever they mean.
  bool tunnel() const { return tunnel_; }

  Frame poll(std::size_t max) final { return note(poll_body(max)); }
  Task<Frame> pull(std::size_t max) final;

 protected:
  UpstreamStream(Exchange& x, EndpointPool& pool, std::uint64_t connection_id, ResponseTimeout& timeout);
  ~UpstreamStream() override;

  virtual bool send(const RequestHead& head, const Frame& first, bool whole) = 0;
  // Of the response.
  virtual Frame poll_body(std::size_t max) = 0;
  virtual Task<Frame> pull_body(std::size_t max) = 0;
  virtual std::uint64_t body_wire_bytes() const = 0;
  // What the failure of the body is to be called.
  virtual Failure broken_by(Failure failure) { return failure; }
  // Of the request: what send() could not send, then frame after frame. False: nobody takes it any more.
  virtual bool has_unsent() const = 0;
  virtual Task<bool> write_unsent() = 0;
  virtual Task<bool> write_frame(const Frame& frame) = 0;
  // Ends receive_head(): the client has failed.
  virtual void wake() = 0;

  void request_is_sent();
  Task<> pass_on(ResponseHead& head);
  // The response is whole, and its time counts.
  void record_time();
  void end_activity();

  Exchange& x_;
  EndpointPool& pool_;
  StatBlock& stats_;
  ResponseTimeout& timeout_;
  Failure failure_ = Failure::none;
  bool whole_ = false;         // The first frame was the last.
  bool request_sent_ = false;  // All of it.
  bool answered_ = false;
  bool client_failed_ = false;
  bool tunnel_ = false;

 private:
  Frame note(Frame frame);
  static Task<> pump(UpstreamStream& stream);
  Task<Frame> pull_within_idle(std::size_t max);
  Frame time_out(ClusterStat counter, std::string_view details);
  Frame end_late();

  const Headers* trailers_ = nullptr;  // Of a request that has no other body.
  bool continued_ = false;             // The backend's 100 has been passed on.
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
