// compile: from a valid Bootstrap to a Snapshot. Every name is resolved here; a request follows pointers.
#pragma once
#include <expected>
#include <functional>
#include <vector>

#include "config/answers.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "http/file_access_log.h"

namespace outrider::config {

// What a compilation may use of the process.
struct Process {
  StatRegistry& stats;
  LogFiles& logs;
  int workers;                             // Indices 0 … workers - 1 serve requests; `workers` is the main thread's.
  std::function<int()> next_cluster_slot;  // A number that no cluster of the configuration has.
  std::string service_node, service_cluster, service_zone;  // From the command line, over the file's.
  std::string machine_address;                              // An IP by which other machines know this one.
  const ServerHealth* health = &kHealthyServer;             // Outlives every snapshot.
  HealthObserver* observer = nullptr;  // Of the health of clusters' hosts; outlives every snapshot.
  bool may_lack_name = false;          // The configuration is only looked at: who runs it will name the proxy.
  bool keep_sources = false;           // Snapshots know their files and lines even where no admin page shows them.
};

// Clusters whose configuration has not changed are those of the previous snapshot (null: there is none), with their
// hosts and connections. Of the answers those are taken that the configuration asks for. On failure all that is wrong,
// the load's mistakes too, ordered by file and line.
std::expected<SnapshotPtr, std::vector<Problem>> compile(const Loaded& loaded, const SnapshotPtr& previous,
                                                         Process& process, const Answers& answers = {});

}  // namespace outrider::config
