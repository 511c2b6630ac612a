// One client connection, from accept to close. Read this first: which protocol it speaks is found out in serve.cc.
#pragma once
#include <memory>

#include "http/exchange.h"
#include "http/http_stats.h"
#include "http/inbox.h"
#include "net/network.h"

namespace outrider {

// One worker's hold on one configuration of an HTTP connection manager; freed when replaced and no request uses it.
struct LocalHttp {
  std::shared_ptr<const HttpOptions> options;
  StatBlock* stats;
  StatBlock* listener_stats;  // Of ListenerHttpStat; null: not counted.
  long pins = 0;
  bool replaced = false;
};

// One request's hold on a LocalHttp: a plain count, as it never leaves its thread.
class HttpPin {
 public:
  explicit HttpPin(LocalHttp* http) : http_(http) { http_->pins++; }
  HttpPin(const HttpPin&) = delete;
  ~HttpPin() {
    if (--http_->pins == 0 && http_->replaced) delete http_;
  }
  const HttpOptions& options() const { return *http_->options; }
  StatBlock& stats() const { return *http_->stats; }

 private:
  LocalHttp* http_;
};

// Where a worker's connections of one filter chain find their configuration; each request takes the newest.
class HttpSlot {
 public:
  explicit HttpSlot(std::shared_ptr<const HttpOptions> options, int worker) { set(std::move(options), worker); }
  HttpSlot(const HttpSlot&) = delete;
  ~HttpSlot() { retire(); }

  void set(std::shared_ptr<const HttpOptions> options, int worker) {
    retire();
    StatBlock* stats = &options->stats->local(worker);
    StatBlock* of_listener = options->listener_stats ? &options->listener_stats->local(worker) : nullptr;
    current_ = new LocalHttp{std::move(options), stats, of_listener};
  }
  LocalHttp* current() const { return current_; }

  // Connections end after the request at hand, idle ones at once if they have been idle for kDrainGrace.
  bool draining = false;

  // From `now` on a connection ends behind its next response with a probability that grows to 1 over that time.
  void drain_over(Duration time, TimePoint now) {
    drain_time_ = time;
    drain_begin_ = now;
  }
  // Whether the connection of a request that begins now shall end behind it.
  bool ends_connection(Worker& worker) const {
    if (draining || drain_time_ == Duration::zero()) return draining;
    Duration passed = worker.now() - drain_begin_;
    return passed >= drain_time_ ||
           static_cast<std::int64_t>(worker.random().next() % static_cast<std::uint64_t>(drain_time_.count())) <
               passed.count();
  }

 private:
  void retire() {
    if (!current_) return;
    current_->replaced = true;
    if (current_->pins == 0) delete current_;
    current_ = nullptr;
  }
  LocalHttp* current_ = nullptr;
  Duration drain_time_{0};
  TimePoint drain_begin_{};
};

// All connections of one worker, for draining them.
struct ServerConnection;
struct ConnectionList {
  ServerConnection* first = nullptr;
  Cell count;  // Read by other threads too.
};

// What a worker gives every connection it takes; outlives them.
struct ServiceWorker {
  Worker& worker;
  Network& network;
  WorkerClusters* clusters;
  HttpCaller* caller;
  ConnectionList connections;
};

// Serves the connection until either side ends it. To be spawned. The slot says how; it may be told to drain meanwhile.
Task<> serve(ServiceWorker& service, std::unique_ptr<Transport> transport, std::shared_ptr<HttpSlot> slot,
             std::shared_ptr<StatBlock> listener_stats);

// Ends the idle connections of draining slots (see HttpSlot), and the others after their request.
void drain_connections(ServiceWorker& service);

}  // namespace outrider
