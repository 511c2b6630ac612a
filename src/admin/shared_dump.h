// The text of /config_dump while somebody reads it: readers that want the same one share it.
#pragma once
#include <memory>
#include <string>

#include "config/snapshot.h"

namespace outrider {

// Belongs to the main thread.
struct SharedDump {
  std::weak_ptr<const Snapshot> of;
  std::string wish;  // What of the snapshot is in it.
  std::weak_ptr<const std::string> text;

  // Null if nobody reads that one now.
  std::shared_ptr<const std::string> find(const SnapshotPtr& snapshot, const std::string& wanted) const {
    return of.lock() == snapshot && wish == wanted ? text.lock() : nullptr;
  }
};

}  // namespace outrider
