#include "http/serve.h"

#include "core/log.h"
#include "http/connection_log.h"
#include "http/debug_log.h"
#include "http/h1_server.h"
#include "http/h2_server.h"

namespace outrider {
namespace {

Task<> discard_all(Transport& transport, BlockPool& blocks) {
  Block block = blocks.head();
  for (int reads = 1;; reads++) {
    IoResult r = co_await transport.read(block.data(), block.size());
    if (!r.ok()) co_return;
    if (reads % kStepsInARowMax == 0) co_await turn();
  }
}

// Lets the peer read our last words: closing with unread bytes would reset the connection under them.
Task<> close_gently(ServerConnection& c) {
  c.transport->shutdown_write();
  std::chrono::milliseconds limit =
      c.slot->current() ? c.options().delayed_close_timeout : std::chrono::milliseconds(1000);
  if (limit.count() == 0) co_return;
  bool closed = (co_await within(limit, discard_all(*c.transport, c.worker.blocks()))).has_value();
  if (!closed) c.http_stats()[HttpStat::downstream_cx_delayed_close_timeout].add();
}

Task<> serve_http2(ServerConnection& c, Inbox begun) {
  c.http_stats()[HttpStat::downstream_cx_http2_total].add();
  Held active(c.http_stats()[HttpStat::downstream_cx_http2_active]);
  H2Server server(c);
  co_await server.run(std::move(begun));
}

void log_connection(ServerConnection& c) {
  if (!c.slot->current() || c.options().connection_logs.empty()) return;
  HttpPin pin(c.slot->current());
  EndedConnection ended{c, c.accepted, {}, c.close_details, c.spoken};
  if (c.broke_protocol) ended.flags.set(ResponseFlag::downstream_protocol_error);
  write_connection_logs(pin.options(), pin.stats(), ended);
}

// `remote`: the client was the first to end it.
void count_end(ServerConnection& c, StatBlock& stats, bool remote) {
  stats[HttpStat::downstream_cx_destroy].add();
  stats[remote ? HttpStat::downstream_cx_destroy_remote : HttpStat::downstream_cx_destroy_local].add();
  auto length = static_cast<std::uint64_t>((c.worker.now() - c.accepted) / std::chrono::milliseconds(1));
  stats.record(HttpStat::downstream_cx_length_ms, length);
  c.listener_stats[ListenerStat::downstream_cx_destroy].add();
  c.listener_stats.record(ListenerStat::downstream_cx_length_ms, length);
}

}  // namespace

Task<> serve(ServiceWorker& service, std::unique_ptr<Transport> transport, std::shared_ptr<HttpSlot> slot,
             std::shared_ptr<StatBlock> of_listener) {
  StatBlock& listener_stats = *of_listener;
  ServerConnection c(service, std::move(transport), std::move(slot), listener_stats);
  debug(c, Logger::connection, [&] { return "new connection from " + c.peer->text(); });
  std::shared_ptr<StatScope> scope = c.options().stats;  // Outlives a reload that drops the listener.
  StatBlock& stats = c.http_stats();
  stats[HttpStat::downstream_cx_total].add();
  listener_stats[ListenerStat::downstream_cx_total].add();
  Held active(stats[HttpStat::downstream_cx_active]);
  Held listener_active(listener_stats[ListenerStat::downstream_cx_active]);
  // The client's first bytes tell the two protocols apart (RFC 9113 section 3.3).
  std::optional<H1Server> http1;
  if (c.options().codec != CodecType::http2) http1.emplace(c);
  if (!http1 || co_await http1->run()) co_await serve_http2(c, http1 ? std::move(http1->inbox()) : Inbox{});
  bool remote = c.transport->hung_up();
  if (c.farewell) co_await close_gently(c);
  // Behind a whole request and response the connection is ours to end; else the client is given time to do so.
  if (c.cut_short) remote = c.transport->hung_up();
  count_end(c, stats, remote);
  log_connection(c);
  debug(c, Logger::connection, [&] { return remote ? "remote close" : "closed"; });
}

}  // namespace outrider
