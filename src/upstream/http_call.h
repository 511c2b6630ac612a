// The proxy's own requests to clusters (http/http_call.h): those of one worker.
#pragma once
#include "http/exchange.h"
#include "http/http_call.h"
#include "upstream/pool.h"

namespace outrider {

class ClusterCaller final : public HttpCaller {
 public:
  // All outlive it.
  ClusterCaller(Worker& worker, Network& network, WorkerClusters& clusters);
  Task<std::expected<HttpAnswer, CallFailure>> call(Arena& arena, HttpCall call) override;
  std::optional<Membership> membership(std::string_view cluster) const override;

 private:
  WorkerClusters& clusters_;
  HttpOptions options_;
  StatScope scope_;  // Nobody reads it: the numbers that count are the cluster's.
  DownstreamConnection connection_;
};

}  // namespace outrider
