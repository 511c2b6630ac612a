// SpanQueue: the spans of one worker that wait to be sent to their collectors.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/leaf.h"
#include "core/scope.h"
#include "http/http_call.h"
#include "http/span.h"

namespace outrider {

// Where spans go, and when. Immutable.
struct SpanDelivery {
  std::string cluster, authority, path;
  std::vector<std::pair<std::string, std::string>> fields;  // Of each request; names in lower case.
  std::string runtime_prefix;                               // "tracing.zipkin."; its keys change what follows.
  std::chrono::milliseconds timeout{5000};                  // Runtime: request_timeout.
  std::size_t spans_max = 1000;                             // That wait; more are dropped, and counted.
  std::size_t bytes_max = 4 << 20;                          // Of all that wait; likewise.
  bool sends_when_full = false;                             // Else it is only time, or min_flush_spans, that sends.
};

// What becomes of spans and of the requests that carry them.
enum class DeliveryEvent : std::uint8_t {
  span_sent,
  span_dropped,
  timer_flushed,
  accepted,
  refused,
  no_cluster,
  failed
};

// A tracer that sends its spans to a collector over HTTP.
class SendingTracer : public Tracer, public std::enable_shared_from_this<SendingTracer> {
 public:
  explicit SendingTracer(SpanDelivery delivery) : delivery_(std::move(delivery)) {}
  const SpanDelivery& delivery() const { return delivery_; }
  // What a request carries; each of them as encode() has made it.
  virtual std::string body(const std::vector<std::string>& spans) const = 0;
  virtual bool accepts(int status) const = 0;
  virtual void count(int worker, DeliveryEvent event, std::uint64_t times) const = 0;

  void report(Worker& worker, const Span& span) const final;

 protected:
  virtual std::string encode(const Span& span) const = 0;

 private:
  const SpanDelivery delivery_;
};

// Made and run on its worker's thread; while none runs there, spans are dropped.
class SpanQueue {
 public:
  static constexpr std::uint64_t kMinFlushSpans = 5;        // So many are sent at once. Runtime: min_flush_spans.
  static constexpr std::uint64_t kFlushInterval_ms = 5000;  // The others when this has passed. flush_interval_ms.

  // Sends what comes, for ever. To be spawned; the caller outlives it.
  static Task<> run(Worker& worker, HttpCaller& caller);
  static SpanQueue* current() { return current_; }
  void add(std::shared_ptr<const SendingTracer> tracer, std::string span);

 private:
  struct Batch {
    std::shared_ptr<const SendingTracer> tracer;
    std::vector<std::string> spans;
    std::size_t bytes = 0;  // Of the spans.
    Signal enough;

    void add(std::string span);
  };

  SpanQueue(Worker& worker, HttpCaller& caller) : worker_(worker), caller_(caller) { current_ = this; }
  SpanQueue(const SpanQueue&) = delete;
  ~SpanQueue() { current_ = nullptr; }
  // As long as there are spans of the tracer.
  static Task<> deliver(SpanQueue& self, Batch& batch);
  static Task<> wait(Batch& batch);
  Task<> send(Batch& batch);
  Batch* batch_of(const SendingTracer& tracer);  // Null: it has none yet.
  void begin(std::shared_ptr<const SendingTracer> tracer, std::string span);
  std::size_t spans_wanted(const Batch& batch) const;  // Before they are sent; at least 1.
  std::uint64_t setting(const Batch& batch, std::string_view key, std::uint64_t fallback) const;

  Worker& worker_;
  HttpCaller& caller_;
  Scope scope_;
  std::vector<std::unique_ptr<Batch>> batches_;
  static inline thread_local SpanQueue* current_ = nullptr;
};

}  // namespace outrider
