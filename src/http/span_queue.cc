#include "http/span_queue.h"

#include <algorithm>

#include "core/worker.h"

namespace outrider {
namespace {

DeliveryEvent event_of(const SendingTracer& tracer, const std::expected<HttpAnswer, CallFailure>& answer) {
  if (answer) return tracer.accepts(answer->head.status) ? DeliveryEvent::accepted : DeliveryEvent::refused;
  switch (answer.error()) {
    case CallFailure::no_cluster:
      return DeliveryEvent::no_cluster;
    case CallFailure::too_large:
      return DeliveryEvent::failed;
    default:  // Envoy answers such requests itself, with 503 or 504.
      return DeliveryEvent::refused;
  }
}

}  // namespace

void SendingTracer::report(Worker& worker, const Span& span) const {
  if (SpanQueue* queue = SpanQueue::current()) queue->add(shared_from_this(), encode(span));
}

std::uint64_t SpanQueue::setting(const Batch& batch, std::string_view key, std::uint64_t fallback) const {
  return worker_.runtime()->integer(batch.tracer->delivery().runtime_prefix + std::string(key), fallback);
}

std::size_t SpanQueue::spans_wanted(const Batch& batch) const {
  return std::max<std::uint64_t>(1, setting(batch, "min_flush_spans", kMinFlushSpans));
}

SpanQueue::Batch* SpanQueue::batch_of(const SendingTracer& tracer) {
  auto at = std::ranges::find_if(batches_, [&](const auto& batch) { return batch->tracer.get() == &tracer; });
  return at == batches_.end() ? nullptr : at->get();
}

void SpanQueue::Batch::add(std::string span) {
  bytes += span.size();
  spans.push_back(std::move(span));
}

void SpanQueue::begin(std::shared_ptr<const SendingTracer> tracer, std::string span) {
  Batch& batch = *batches_.emplace_back(std::make_unique<Batch>(std::move(tracer)));
  batch.add(std::move(span));
  scope_.spawn(deliver, *this, batch);
}

void SpanQueue::add(std::shared_ptr<const SendingTracer> tracer, std::string span) {
  Batch* found = batch_of(*tracer);
  if (!found) return begin(std::move(tracer), std::move(span));
  Batch& batch = *found;
  const SpanDelivery& delivery = batch.tracer->delivery();
  if (batch.spans.size() >= delivery.spans_max || batch.bytes + span.size() > delivery.bytes_max) {
    batch.tracer->count(worker_.index(), DeliveryEvent::span_dropped, 1);
    if (delivery.sends_when_full) batch.enough.notify_all();
    return;
  }
  batch.add(std::move(span));
  if (batch.spans.size() >= spans_wanted(batch)) batch.enough.notify_all();
}

Task<> SpanQueue::send(Batch& batch) {
  const SendingTracer& tracer = *batch.tracer;
  const SpanDelivery& delivery = tracer.delivery();
  tracer.count(worker_.index(), DeliveryEvent::span_sent, batch.spans.size());
  std::string body = tracer.body(batch.spans);
  batch.spans.clear();
  batch.bytes = 0;
  Arena arena;
  RequestHead head(arena);
  head.set_method(Method::post);
  head.path = delivery.path;
  head.authority = delivery.authority;
  for (const auto& [name, value] : delivery.fields) head.headers.set(std::string_view(name), std::string_view(value));
  auto limit = setting(batch, "request_timeout", static_cast<std::uint64_t>(delivery.timeout.count()));
  auto answer = co_await caller_.call(arena, {delivery.cluster, &head, body, std::chrono::milliseconds(limit)});
  tracer.count(worker_.index(), event_of(tracer, answer), 1);
}

Task<> SpanQueue::wait(Batch& batch) { co_await batch.enough.wait(); }

Task<> SpanQueue::deliver(SpanQueue& self, Batch& batch) {
  for (;;) {
    if (batch.spans.size() < self.spans_wanted(batch)) {
      std::chrono::milliseconds interval(self.setting(batch, "flush_interval_ms", kFlushInterval_ms));
      bool timer = !(co_await within(interval, wait(batch)));
      if (timer) batch.tracer->count(self.worker_.index(), DeliveryEvent::timer_flushed, 1);
    }
    if (batch.spans.empty()) break;
    co_await self.send(batch);
  }
  std::erase_if(self.batches_, [&](const auto& each) { return each.get() == &batch; });
}

Task<> SpanQueue::run(Worker& worker, HttpCaller& caller) {
  SpanQueue queue(worker, caller);
  co_await queue.scope_.run(until_stopped());
}

}  // namespace outrider
