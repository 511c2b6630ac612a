// A tunnel: after 101 or an accepted CONNECT, bytes go both ways, and each direction ends by itself (half-close).
#include "http/access_log.h"
#include "http/edge.h"
#include "http/server_connection.h"
#include "wire/h1_name_case.h"

namespace outrider {
namespace {

struct Upload {
  ServerConnection& connection;
  Body& from;
  Sink& to;
  bool done = false;
  Signal ended;
};

Task<> upload(Upload& u) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = u.from.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await u.from.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) u.connection.abort(AbortReason::client_gone);
    if (!frame.is_data() || !co_await u.to.write(frame.data)) break;
  }
  u.to.finish();
  u.done = true;
  u.ended.notify_all();
}

Task<bool> send_head(ServerConnection& c, Exchange& x, ResponseHead& head) {
  h1::BodyFraming framing{h1::BodyFraming::Kind::tunnel, 0};
  prepare_response(x, head, false, true);
  x.record.status = head.status;
  x.response_headers = &head.headers;
  char* out = static_cast<char*>(x.arena.allocate(h1::response_head_size(head, framing), 1));
  char* end = h1::encode_response_head(head, framing, out);
  if (x.options.proper_case_names) h1::capitalize_names(out, end);
  iovec piece{out, static_cast<std::size_t>(end - out)};
  c.head_sent = true;
  co_return (co_await c.transport->write(&piece, 1)).ok();
}

Task<> download(ServerConnection& c, Exchange& x, Body& from, Upload& up) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = from.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await from.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) {  // A FIN would look like the other side's last word.
      c.reset();
      co_return;
    }
    if (!frame.is_data()) break;
    iovec piece{const_cast<char*>(frame.data.data()), frame.data.size()};
    if (!(co_await c.transport->write(&piece, 1)).ok()) {
      c.abort(AbortReason::client_gone);
      co_return;
    }
    x.record.bytes_sent += frame.data.size();
    x.record.downstream_bytes.sent += frame.data.size();
    x.stats[HttpStat::downstream_cx_tx_bytes_total].add(frame.data.size());
  }
  c.transport->shutdown_write();
  while (!up.done) co_await up.ended.wait();
}

}  // namespace

Task<> run_tunnel(ServerConnection& c, Exchange& x, const Response& response) {
  c.transport->on_hangup(nullptr);  // A half-close is not the end.
  Held active(x.stats[HttpStat::downstream_cx_upgrades_active]);
  if (!co_await send_head(c, x, *response.head)) co_return;
  if (x.options.access_log_options.on_tunnel_established) write_access_logs(x, AccessLogType::tunnel);
  if (c.request_body) {  // It knows what of the connection's bytes has been used.
    c.request_body->become_tunnel();
  } else {
    c.request_body = &x.arena.make_owned<H1Body>(
        c.worker, *c.transport, c.inbox, x.options.limits, h1::BodyFraming{h1::BodyFraming::Kind::tunnel, 0}, x.arena,
        x.stats[HttpStat::downstream_cx_rx_bytes_total], x.options.read_bytes_max);
  }
  // Filters may have read ahead in what follows a CONNECT; what follows an upgrade is none of the request's body.
  Body& from = x.request.method == Method::connect ? *x.request_body : *c.request_body;
  auto& up = x.arena.make_owned<Upload>(c, from, *response.tunnel);
  x.scope.spawn(upload, up);
  co_await download(c, x, *response.body, up);
}

}  // namespace outrider
