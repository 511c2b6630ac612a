// How a cluster's hosts are asked for their health. Envoy's API: envoy.config.core.v3.HealthCheck.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "http/h2_options.h"
#include "http/header_mutation.h"
#include "http/matcher.h"

namespace outrider {

struct HealthCheckOptions {
  struct StatusRange {
    int begin = 200, end = 201;  // The end is not part of it.
    bool has(int status) const { return status >= begin && status < end; }
  };
  struct Http {
    std::string method = "GET";
    std::string host;  // Empty: the cluster's name.
    std::string path;
    std::vector<StatusRange> expected{{200, 201}};
    std::vector<StatusRange> retriable;
    HeaderMutations request_headers;
    std::optional<StringMatcher> service_name;
  };
  // grpc.health.v1.Health/Check.
  struct Grpc {
    std::string service;    // Empty: the server as a whole.
    std::string authority;  // Empty: the cluster's name.
    HeaderMutations metadata;
  };
  struct Tcp {
    std::string send;                  // Empty: nothing.
    std::vector<std::string> receive;  // Each, in this order, somewhere in the answer. Empty: a connection is enough.
  };

  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds initial_jitter{0}, interval_jitter{0};
  std::uint32_t interval_jitter_percent = 0;
  std::uint32_t unhealthy_threshold = 1, healthy_threshold = 1;
  bool reuse_connection = true;
  // In place of the interval.
  std::chrono::milliseconds no_traffic_interval{60000};  // As long as the cluster has had no connection.
  std::optional<std::chrono::milliseconds> no_traffic_healthy_interval;
  std::optional<std::chrono::milliseconds> unhealthy_interval, unhealthy_edge_interval, healthy_edge_interval;
  std::optional<Http> http;  // One of the three.
  std::optional<Grpc> grpc;
  std::optional<Tcp> tcp;
  std::shared_ptr<const H2Options> h2;  // How HTTP/2 is spoken; null: HTTP/1.1 is.
};

}  // namespace outrider
