#include "http/access_log.h"

#include "core/worker.h"

namespace outrider {

std::string_view name_of(AccessLogType type) {
  switch (type) {
    case AccessLogType::not_set:
      return "NotSet";
    case AccessLogType::downstream_start:
      return "DownstreamStart";
    case AccessLogType::downstream_end:
      return "DownstreamEnd";
    case AccessLogType::downstream_periodic:
      return "DownstreamPeriodic";
    case AccessLogType::tunnel:
      return "DownstreamTunnelSuccessfullyEstablished";
  }
  return "NotSet";
}

void write_access_logs(Exchange& x, AccessLogType type) {
  x.record.log_type = type;
  for (const auto& log : x.options.access_logs) log->write(x);
}

void begin_access_log(Exchange& x) {
  const AccessLogOptions& o = x.options.access_log_options;
  if (o.on_new_request) {
    x.route();
    write_access_logs(x, AccessLogType::downstream_start);
  }
  if (o.interval.count() > 0) x.arena.make_owned<PeriodicAccessLog>(x);
}

PeriodicAccessLog::PeriodicAccessLog(Exchange& x) : x_(x) {
  alarm_.owner = this;
  alarm_.timer.on_fire = [](Timer* t) {
    PeriodicAccessLog& log = *reinterpret_cast<Alarm*>(t)->owner;
    write_access_logs(log.x_, AccessLogType::downstream_periodic);
    log.arm();
  };
  arm();
}

void PeriodicAccessLog::arm() { x_.worker.arm(alarm_.timer, x_.options.access_log_options.interval); }

}  // namespace outrider
