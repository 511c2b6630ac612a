// Sends statistics to where a configuration wants them: the main thread's.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "config/snapshot.h"
#include "net/network.h"
#include "observe/statsd.h"

namespace outrider {

class StatSinks {
 public:
  StatSinks(StatRegistry& registry, Network& network) : registry_(registry), network_(network) {}
  StatSinks(const StatSinks&) = delete;
  ~StatSinks();

  // What has changed since the last time, to every sink. A host that takes nothing is not waited for longer than
  // kSendLimit; what it does not get is lost.
  Task<> flush(const Snapshot& snapshot);

 private:
  static constexpr std::chrono::seconds kSendLimit{5};

  void send_datagrams(const StatSinkOptions& sink, const std::vector<StatSample>& samples);
  Task<> send_stream(const StatSinkOptions& sink, const std::vector<StatSample>& samples, const Snapshot& snapshot);
  Task<bool> write(std::string text);

  StatRegistry& registry_;
  Network& network_;
  StatSampler sampler_;
  int socket_v4_ = -1, socket_v6_ = -1;
  std::string connected_to_;               // Cluster.
  std::unique_ptr<Transport> connection_;  // To one of its hosts; null: none.
};

}  // namespace outrider
