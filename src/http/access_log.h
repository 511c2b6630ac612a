// Access log: a line for each request that ended, and where it is asked for, for those that begin or go on.
#pragma once
#include "core/timer.h"
#include "http/exchange.h"

namespace outrider {

// Shared by all workers. write() is called on the exchange's worker, never waits, and keeps no view.
class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void write(const Exchange& x) = 0;
};

// To every log of the connection manager.
void write_access_logs(Exchange& x, AccessLogType type);

// What the options ask for when a request begins: a line, and lines as long as it goes on.
void begin_access_log(Exchange& x);

// Writes a line for an exchange that goes on, again and again; lives as long as it does.
class PeriodicAccessLog {
 public:
  explicit PeriodicAccessLog(Exchange& x);
  PeriodicAccessLog(const PeriodicAccessLog&) = delete;

 private:
  struct Alarm {
    Timer timer;
    PeriodicAccessLog* owner;
  };
  void arm();
  Exchange& x_;
  Alarm alarm_;
};

}  // namespace outrider
