// The proxy's own requests to clusters (http/http_call.h): those of one worker.
#pragma once
#include "http/exchange.h"
#include "http/http_call.h"
#include "upstream/pool.h"

namespace outrider {

class ClusterCaller final : public HttpCaller {
 public:
  // All outlive it.
  ClusterCaller(Worker& worker, Network& network, WorkerClusters& clusters, Scope& scope);
  Task<std::expected<HttpAnswer, CallFailure>> call(Arena& arena, HttpCall call) override;
  void start(HttpCall call) override;
  bool has_cluster(std::string_view name) override;

  // Calls that nobody waits for, on one worker. Beyond them a call is dropped, and counted by its cluster as
  // upstream_rq_pending_overflow.
  static constexpr int kStartedMax = 1024;
  std::optional<Membership> membership(std::string_view cluster) const override;
  void count_reply(const Exchange& x, int status) override;
  StatBlock* stats_of_cluster(const Exchange& x, const std::string& below, const StatTable& table) override;

 private:
  struct Started;
  static Task<> run(ClusterCaller& self, std::unique_ptr<Started> started);

  WorkerClusters& clusters_;
  Scope& started_;
  int started_count_ = 0;
  HttpOptions options_;
  StatScope scope_;  // Nobody reads it: the numbers that count are the cluster's.
  DownstreamConnection connection_;
};

}  // namespace outrider
