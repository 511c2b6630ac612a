// LocalStats: one scope of statistics, with the block of each worker at hand.
#pragma once
#include <atomic>
#include <memory>

#include "observe/counters.h"

namespace outrider {

class LocalStats {
 public:
  // Workers have the indices 0 … workers; the last is the main thread's.
  LocalStats(std::shared_ptr<StatScope> scope, int workers)
      : scope_(std::move(scope)),
        blocks_(std::make_unique<std::atomic<StatBlock*>[]>(static_cast<std::size_t>(workers) + 1)) {}

  // The block of that worker; to be called by its thread.
  StatBlock& of(int worker) const {
    std::atomic<StatBlock*>& block = blocks_[static_cast<std::size_t>(worker)];
    StatBlock* found = block.load(std::memory_order_relaxed);
    if (!found) block.store(found = &scope_->local(worker), std::memory_order_relaxed);
    return *found;
  }
  const StatScope& scope() const { return *scope_; }

 private:
  std::shared_ptr<StatScope> scope_;
  std::unique_ptr<std::atomic<StatBlock*>[]> blocks_;
};

}  // namespace outrider
