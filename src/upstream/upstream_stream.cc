#include "upstream/upstream_stream.h"

#include <utility>

#include "upstream/failure_meaning.h"
#include "upstream/virtual_cluster_stats.h"
#include "wire/h1.h"

namespace outrider {

UpstreamStream::UpstreamStream(Exchange& x, EndpointPool& pool, std::uint64_t connection_id, ResponseTimeout& timeout)
    : x_(x),
      pool_(pool),
      stats_(pool.owner.stats),
      timeout_(timeout),
      began_(x.worker.now()),
      record_{&pool.endpoint->address, pool.endpoint->hostname, connection_id, x.record.last_attempt} {
  x.record.last_attempt = &record_;
  x.record.upstream_bytes = {};
  pool_.streams++;
  stats_[ClusterStat::upstream_rq_total].add();
  stats_[ClusterStat::upstream_rq_active].add();
  pool_.endpoint->numbers.rq_total.fetch_add(1, std::memory_order_relaxed);
  pool_.endpoint->numbers.rq_active.fetch_add(1, std::memory_order_relaxed);
}

UpstreamStream::~UpstreamStream() { pool_.streams--; }

void UpstreamStream::end_activity() {
  stats_[ClusterStat::upstream_rq_active].sub();
  pool_.endpoint->numbers.rq_active.fetch_sub(1, std::memory_order_relaxed);
}

void UpstreamStream::request_is_sent() {
  request_sent_ = true;
  x_.record.upstream_end = x_.worker.now();
}

void UpstreamStream::start_pump() {
  pumping_ = true;
  pump_ = x_.scope.spawn(&UpstreamStream::pump, *this);
}

Task<> UpstreamStream::give_up() {
  if (pumping_ && pump_) {
    pump_->request();
    while (pumping_) co_await pump_ended_.wait();
  }
  abandon();
}

Task<> UpstreamStream::pump(UpstreamStream& stream) {
  struct Ended {
    UpstreamStream& stream;
    ~Ended() {
      stream.pumping_ = false;
      stream.pump_ended_.notify_all();
    }
  } ended{stream};
  if (stream.has_unsent() && !co_await stream.write_unsent()) co_return;
  if (stream.whole_) {
    stream.request_is_sent();
    co_return;
  }
  Body& body = *stream.x_.request_body;
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = stream.trailers_ ? Frame::with_trailers(*stream.trailers_) : body.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) {
      stream.client_failed_ = true;
      stream.wake();
      co_return;
    }
    if (frame.last) stream.timeout_.request_received(stream.x_);
    // A failed write is not the exchange's failure: the response may be on its way.
    if (!co_await stream.write_frame(frame)) co_return;
    if (frame.last) {
      stream.request_is_sent();
      co_return;
    }
  }
}

// Informational responses are for the client, but for the 100 that this side has asked for or promised itself.
Task<> UpstreamStream::pass_on(ResponseHead& head) {
  if (!std::exchange(interim_, true)) stats_.count_code(head.status);
  bool is_continue = head.status == 100;
  if (!x_.client || (is_continue && (!x_.options.proxy_100_continue || continued_))) co_return;
  if (h1::strip_hop_by_hop(head.headers)) co_return;
  continued_ = continued_ || is_continue;
  co_await x_.client->inform(head);
}

void UpstreamStream::record_time() {
  if (!timed_) return;
  auto spent = static_cast<std::uint64_t>((x_.worker.now() - began_) / std::chrono::milliseconds(1));
  stats_.record(ClusterStat::upstream_rq_time, spent);
  pool_.owner.copy(origin_).record(CodeCopyStat::upstream_rq_time, spent);
  if (canary_) pool_.owner.copy(CodeCopy::canary).record(CodeCopyStat::upstream_rq_time, spent);
  for (StatBlock* block : timed_too_) {
    if (block) block->record(VirtualClusterStat::upstream_rq_time, spent);
  }
}

Frame UpstreamStream::note(Frame frame) {
  if (frame.last) {
    x_.record.response_end = x_.worker.now();
    x_.record.upstream_bytes.received += body_wire_bytes();
  }
  if (!frame.is_reset()) return frame;
  failure_ = frame.failure;
  FailureMeaning meaning = meaning_of(broken_by(frame.failure));
  x_.record.flags.set(meaning.flag);
  x_.record.details = meaning.after_start;
  return frame;
}

Frame UpstreamStream::time_out(ClusterStat counter, std::string_view details) {
  stats_[counter].add();
  pool_.endpoint->numbers.rq_timeout.fetch_add(1, std::memory_order_relaxed);
  x_.record.flags.set(ResponseFlag::upstream_request_timeout);
  x_.record.details = details;
  failure_ = Failure::local_reset;
  return Frame::reset(Failure::local_reset);
}

Frame UpstreamStream::end_late() {
  if (!timeout_.was_too_long(x_.worker.now())) return time_out(ClusterStat::upstream_rq_timeout, "response_timeout");
  stats_[ClusterStat::upstream_rq_max_duration_reached].add();
  x_.record.flags.set(ResponseFlag::upstream_max_stream_duration_reached);
  x_.record.details = "upstream_max_stream_duration_reached";
  failure_ = Failure::local_reset;
  return Frame::reset(Failure::local_reset);
}

Task<Frame> UpstreamStream::pull_within_idle(std::size_t max) {
  std::optional<Frame> frame = co_await within(timeout_.idle, pull_body(max));
  if (frame) co_return *frame;
  co_return time_out(ClusterStat::upstream_rq_per_try_idle_timeout, "upstream_per_try_idle_timeout");
}

Task<Frame> UpstreamStream::pull(std::size_t max) {
  bool idles = timeout_.idle.count() > 0;
  std::optional<Frame> frame = co_await within(timeout_.limit, idles ? pull_within_idle(max) : pull_body(max));
  if (!frame) co_return end_late();
  if (frame->is_reset() && failure_ == Failure::local_reset) co_return *frame;
  co_return note(*frame);
}

}  // namespace outrider
