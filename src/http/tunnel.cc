// A tunnel: after 101 or an accepted CONNECT, bytes go both ways, and each direction ends by itself (half-close).
#include "http/access_log.h"
#include "http/edge.h"
#include "http/server_stream.h"

namespace outrider {
namespace {

struct Upload {
  ServerStream& stream;
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
    if (frame.is_reset()) u.stream.abort(AbortReason::client_gone);
    if (!frame.is_data() || !co_await u.to.write(frame.data) || frame.last) break;
  }
  u.to.finish();
  u.done = true;
  u.ended.notify_all();
}

}  // namespace

// False: it was broken off.
Task<bool> ServerStream::download(Exchange& x, Body& from) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = from.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await from.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) {  // A FIN would look like the other side's last word.
      cut_off();
      co_return false;
    }
    if (frame.is_data() && !co_await write(frame.data)) {
      abort(AbortReason::client_gone);
      co_return false;
    }
    x.record.bytes_sent += frame.data.size();
    if (frame.last) break;
  }
  finish();
  co_return true;
}

Task<> ServerStream::run_tunnel(Exchange& x, const Response& response) {
  watch(false);  // A half-close is not the end.
  Held active(x.stats[HttpStat::downstream_cx_upgrades_active]);
  prepare_response(x, *response.head, false, true);
  note_response(x, *response.head);
  head_sent = true;
  if (!co_await send_tunnel_head(x, *response.head)) co_return;
  if (x.options.access_log_options.on_tunnel_established) write_access_logs(x, AccessLogType::tunnel);
  auto& up = x.arena.make_owned<Upload>(*this, tunnel_source(x), *response.tunnel);
  x.scope.spawn(upload, up);
  if (!co_await download(x, *response.body)) co_return;
  while (!up.done) co_await up.ended.wait();
}

}  // namespace outrider
