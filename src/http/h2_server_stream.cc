#include "http/h2_server_stream.h"

#include "core/ascii.h"
#include "core/base64.h"
#include "http/debug_log.h"
#include "http/edge.h"

namespace outrider {
namespace {

// A client that is answered in the midst of its request gets so long to end it before it is told to leave it: many take
// the reset for a failure (curl before 8).
constexpr std::chrono::milliseconds kLingerFor{100};

bool may_have_body(const Exchange& x, const ResponseHead& head) {
  return x.request.method != Method::head && head.status != 204 && head.status != 304;
}

// RFC 8441 does without the key that a host of HTTP/1.1 wants: 16 bytes by chance.
void add_key(Exchange& x) {
  constexpr std::string_view kKey = "sec-websocket-key";
  if (x.request.headers.find(kKey)) return;
  const std::uint64_t bytes[] = {x.worker.random().next(), x.worker.random().next()};
  std::string text;
  Base64Encoder encoder;
  encoder.add({reinterpret_cast<const char*>(bytes), sizeof bytes}, text);
  encoder.finish(text);
  x.request.headers.add(kKey, x.arena.copy(text));
}

}  // namespace

H2ServerStream::H2ServerStream(H2Server& server)
    : ServerStream(server.connection_),
      server_(server),
      stream_(server.session_, server.connection_.worker, x_.arena, *this),
      pin_(server.connection_.slot->current()),
      x_(server.connection_, pin_.options(), pin_.stats()) {
  stream_.request = &x_.request;
  x_.record.start = since;
  x_.record.start_wall = connection.worker.wall();
  next = server_.streams_;
  if (next) next->link = &next;
  link = &server_.streams_;
  server_.streams_ = this;
}

H2ServerStream::~H2ServerStream() {
  *link = next;
  if (next) next->link = link;
  server_.ended(*this);
}

void H2ServerStream::head_received() {
  connection.spoken = x_.request.version = Version::http2;
  x_.record.downstream_bytes.received = x_.record.downstream_bytes.head_received = stream_.head_wire_bytes;
  x_.stats[HttpStat::downstream_rq_http2_total].add();
}

void H2ServerStream::refused(const h2::Fault& fault) {
  x_.request = RequestHead(x_.arena);  // Nothing of an unusable head is logged.
  x_.request.version = Version::http2;
  x_.request.method_name = {};
  connection.spoken = Version::http2;
  x_.stats[HttpStat::downstream_rq_total].add();
  x_.stats[HttpStat::downstream_rq_http2_total].add();
  bool too_large = fault.code == h2::ErrorCode::internal_error;
  abort_reason = too_large ? AbortReason::client_reset : AbortReason::broke_protocol;
  (void)answer_abort(x_);
  x_.record.details = fault.detail.empty() ? kCodecError : fault.detail;
  finish_record(x_);
}

Task<> H2ServerStream::run(H2ServerStream& s) {
  struct Owned {
    H2ServerStream& stream;
    ~Owned() { delete &stream; }
  } owned{s};
  if (s.abort_reason == AbortReason::none) {
    s.request_body = &s.stream_;  // Known before the deadlines are.
    s.begin(s.x_);
    bool whole = co_await s.x_.scope.run(s.answer(s.x_));
    if (std::optional<Response> words = s.last_words(s.x_, whole)) co_await s.send_last_words(s.x_, *words);
    s.end(s.x_);
  } else {  // Within the read that brought it.
    s.x_.stats[HttpStat::downstream_rq_total].add();
    (void)s.answer_abort(s.x_);
    s.finish_record(s.x_);
  }
  s.timed = false;
  if (s.request_left && s.response_ended) co_await s.linger();
  s.end_stream();
}

Task<> H2ServerStream::request_end() {
  while (!stream_.remote_ended() && !stream_.broken()) co_await stream_.changed().wait();
}

// What comes meanwhile, at most what the window allows, is not read.
Task<> H2ServerStream::linger() { co_await within(kLingerFor, request_end()); }

void H2ServerStream::end_stream() {
  stream_.reset(response_ended ? h2::ErrorCode::no_error : h2::ErrorCode::internal_error);
}

// RFC 8441: what asks for another protocol has one form in all of outrider, that of HTTP/1.
void H2ServerStream::ask_for_upgrade(Exchange& x) {
  x.request.set_method(Method::get);
  x.request.headers.set(Known::connection, "upgrade");
  x.request.headers.set(Known::upgrade, std::exchange(x.request.protocol, {}));
  if (equals_ignore_case(x.request.headers.value(Known::upgrade), "websocket")) add_key(x);
}

std::optional<Response> H2ServerStream::admit(Exchange& x) {
  debug(x, Logger::http, [&] {
    std::string_view end = stream_.remote_ended() ? "true" : "false";
    return "request headers complete (end_stream=" + std::string(end) + "):" + debug_fields(x.request);
  });
  if (!x.request.authority.data()) return refusal(x, {400, kMissingHost, "no :authority"});
  if (x.request.path.find('#') != std::string_view::npos) return refusal(x, {400, kPathRefused, "a fragment"});
  x.received_body = &stream_;
  if (!x.request.protocol.empty()) {
    ask_for_upgrade(x);
  } else if (stream_.ended_with_head()) {
    x.record.request_end = x.worker.now();
  } else {
    x.request_body = &stream_;
  }
  const Field* expect = x.request.headers.find(Known::expect);
  if (expect && equals_ignore_case(expect->value, "100-continue") && !x.options.proxy_100_continue) {
    x.request.headers.remove(Known::expect);
    if (!stream_.remote_ended()) {
      ResponseHead proceed(x.arena);
      proceed.status = 100;
      put_head(x, proceed, false);
      count_response(x.stats, 100);
    }
  }
  if (auto prepared = prepare_request(x); !prepared) {
    if (std::optional<Response> answer = refusal(x, prepared.error())) return answer;
    return x.reply(prepared.error().status, reason_phrase(prepared.error().status), prepared.error().detail);
  }
  return check_path(x);
}

// How many bytes its frames take.
std::size_t H2ServerStream::put_head(Exchange& x, const ResponseHead& head, bool end) {
  h2::Connection& codec = server_.session_.connection();
  std::size_t before = codec.output().size();
  codec.send_response(stream_, head, end);
  std::size_t bytes = codec.output().size() - before;
  x.record.downstream_bytes.sent += bytes;
  server_.session_.touched();
  return bytes;
}

Task<bool> H2ServerStream::send_response(Exchange& x, const Response& response) {
  if (stream_.local_ended()) co_return false;
  ResponseHead& head = *response.head;
  note_response(x, head);
  if (server_.session_.full() && !co_await stream_.until_room()) co_return false;
  Frame frame = may_have_body(x, head) ? response.body->poll(BlockPool::kBodyBytes) : Frame::end();
  bool no_body = frame.kind == Frame::Kind::end;
  prepare_response(x, head, false, false);
  debug(x, Logger::http, [&] {
    return "encoding headers via codec (end_stream=" + std::string(no_body ? "true" : "false") +
           "):" + debug_fields(head);
  });
  x.record.downstream_start = x.worker.now();
  head_sent = true;
  x.record.downstream_bytes.head_sent = put_head(x, head, no_body);
  if (no_body) {
    note_end_of_response(x);
    co_return true;
  }
  co_return co_await send_frames(x, *response.body, frame);
}

Task<bool> H2ServerStream::send_frames(Exchange& x, Body& body, Frame frame) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    if (frame.pending()) frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) {  // The client must see that it is cut short.
      x.stats[HttpStat::downstream_rq_tx_reset].add();
      x.stats[HttpStat::downstream_rq_rx_reset].add();
      cut_off();
      co_return false;
    }
    if (frame.kind == Frame::Kind::trailers) x.response_trailers = frame.trailers;
    std::size_t sent = frame.is_data() ? stream_.send_some(frame.data, frame.last) : 0;
    if (sent < frame.data.size() || !frame.is_data()) {
      Frame rest = frame;
      rest.data.remove_prefix(sent);
      if (!co_await stream_.send(rest)) co_return false;
    }
    x.record.bytes_sent += frame.data.size();
    x.record.downstream_bytes.sent += frame.data.size() + h2::kFrameHeaderBytes;
    if (frame.last) {
      note_end_of_response(x);
      co_return true;
    }
    frame = body.poll(BlockPool::kBodyBytes);
  }
}

// A request that is still coming has nobody who waits for it.
void H2ServerStream::note_end_of_response(Exchange& x) {
  response_ended = true;
  if (!stream_.remote_ended()) leave_request(x);
}

Task<> H2ServerStream::inform(const ResponseHead& head) {
  if (server_.session_.full() && !co_await stream_.until_room()) co_return;
  if (stream_.local_ended() || head_sent || !exchange) co_return;
  put_head(*exchange, head, false);
  count_response(exchange->stats, head.status);
}

// The answer to CONNECT is 200, whatever the upgrade was answered with (RFC 8441 section 5).
Task<bool> H2ServerStream::send_tunnel_head(Exchange& x, ResponseHead& head) {
  if (stream_.local_ended()) co_return false;
  const std::uint16_t status = head.status;
  if (status == 101) head.status = 200;
  x.record.downstream_bytes.head_sent = put_head(x, head, false);
  head.status = status;
  co_return true;
}

Task<bool> H2ServerStream::write(std::string_view data) {
  std::size_t sent = stream_.send_some(data, false);
  if (sent < data.size() && !co_await stream_.send(Frame::bytes(data.substr(sent), false))) co_return false;
  exchange->record.downstream_bytes.sent += data.size() + h2::kFrameHeaderBytes;
  co_return !stream_.local_ended();
}

void H2ServerStream::finish() {
  if (stream_.local_ended()) return;
  stream_.end();
  response_ended = true;
}

}  // namespace outrider
