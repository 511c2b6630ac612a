// Discovery of clusters (CDS), listeners (LDS) and routes (RDS) over Envoy v1's REST: asks, on the main thread, for
// what a snapshot names, and gives the answers to whoever brings them into force.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "config/snapshot.h"
#include "core/scope.h"
#include "discovery/rest_client.h"

namespace outrider {

// Who makes a configuration of answers.
class ResourceTaker {
 public:
  // When the text is in force; or why it is refused.
  virtual Task<std::expected<void, std::string>> take(config::Resources resources, const config::ResourceSource& source,
                                                      const std::string& text) = 0;

 protected:
  ~ResourceTaker() = default;
};

class ResourceDiscovery {
 public:
  // All outlive it.
  ResourceDiscovery(Worker& worker, RestClient& client, StatRegistry& stats, ResourceTaker& taker)
      : worker_(worker), client_(client), stats_(stats), taker_(taker) {}
  ~ResourceDiscovery();

  // The whole life of the discovery; to be spawned or awaited. Ends by stop.
  Task<> run();
  // Only while run() is in progress. Asks for what the snapshot names, of the kinds that were begun, and no more for
  // what it does not name.
  void follow(const Snapshot& snapshot);
  // From now on these are asked for too. Ends when each has had an answer, or has waited for one as long as its source
  // says.
  Task<> begin(config::Resources resources, const Snapshot& snapshot);

 private:
  class Poll;
  using Wanted = std::map<std::pair<config::Resources, std::string>, const config::ResourceSource*>;
  Wanted wanted(const Snapshot& snapshot) const;
  static Task<> poll(std::shared_ptr<Poll> poll);

  Worker& worker_;
  RestClient& client_;
  StatRegistry& stats_;
  ResourceTaker& taker_;
  Scope scope_;
  bool begun_[3] = {};                                                                // By Resources.
  std::map<std::pair<config::Resources, std::string>, std::shared_ptr<Poll>> polls_;  // By URL.
};

}  // namespace outrider
