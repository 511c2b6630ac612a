// RestSource: which cluster is asked over REST, and how often (envoy.config.core.v3.ConfigSource and ApiConfigSource).
#pragma once
#include <chrono>
#include <string>

namespace outrider {

struct RestSource {
  std::string cluster;                             // Of the service that is asked.
  std::chrono::milliseconds refresh_delay{30000};  // Between two questions, and at random up to as much again.
  std::chrono::milliseconds request_timeout{1000};
  std::chrono::milliseconds initial_fetch_timeout{15000};  // What waits for the first answer goes on then. 0: never.

  bool operator==(const RestSource&) const = default;
};

// Where an EDS cluster gets its hosts from.
struct ServiceSource {
  RestSource rest;
  std::string service;  // As the service of discovery knows it.
};

}  // namespace outrider
