#include "http/connection_log.h"

namespace outrider {

void write_connection_logs(const HttpOptions& options, StatBlock& stats, const EndedConnection& ended) {
  Exchange x(ended.connection, options, stats);
  ExchangeRecord& record = x.record;
  const TimePoint now = x.worker.now();
  record.start = ended.accepted;
  record.start_wall = x.worker.wall() - (now - ended.accepted);
  record.end = now;
  record.flags = ended.flags;
  record.details = ended.details;
  record.without_protocol = !ended.version;
  if (ended.version) x.request.version = *ended.version;
  x.request.method_name = {};
  if (Transport* socket = ended.connection.socket) {
    record.bytes_received = socket->bytes_read();
    record.bytes_sent = socket->bytes_written();
  }
  for (const auto& log : options.connection_logs) log->write(x);
}

}  // namespace outrider
