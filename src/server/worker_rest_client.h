// The questions to services of discovery: the main thread asks, its first worker makes the requests, as it makes all
// others.
#pragma once
#include "discovery/rest_client.h"
#include "server/proxy_worker.h"

namespace outrider {

class WorkerRestClient final : public RestClient {
 public:
  // There is a worker by the time that something is asked.
  WorkerRestClient(Worker& main, std::vector<std::unique_ptr<ProxyWorker>>& workers) : main_(main), workers_(workers) {}
  Task<std::expected<std::string, std::string>> get(const RestSource& source, const std::string& path) override;

 private:
  Worker& main_;
  std::vector<std::unique_ptr<ProxyWorker>>& workers_;
};

}  // namespace outrider
