// Access log: a line for each request that ended.
#pragma once
#include "http/exchange.h"

namespace outrider {

// Shared by all workers. write() is called on the exchange's worker, never waits, and keeps no view.
class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void write(const Exchange& x) = 0;
};

}  // namespace outrider
