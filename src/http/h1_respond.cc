// The response on its way to a client of HTTP/1.
#include "http/debug_log.h"
#include "http/edge.h"
#include "http/h1_server.h"
#include "wire/h1_name_case.h"

namespace outrider {
namespace {

// Everything of a write: pieces of one message, put together so that a message takes one system call.
struct Pieces {
  std::array<iovec, Transport::kPiecesMax> list;
  int count = 0;
  std::size_t bytes = 0;

  void add(std::string_view piece) {
    if (piece.empty()) return;
    list[static_cast<std::size_t>(count++)] = {const_cast<char*>(piece.data()), piece.size()};
    bytes += piece.size();
  }
};

// The frame as the framing wants it. `chunk_header` lives until the pieces are written.
void add_frame(Pieces& pieces, Exchange& x, const Frame& frame, bool chunked, char* chunk_header) {
  if (frame.is_data()) {
    if (chunked) {
      char* end = h1::encode_chunk_header(frame.data.size(), chunk_header);
      pieces.add({chunk_header, static_cast<std::size_t>(end - chunk_header)});
    }
    pieces.add(frame.data);
    if (!chunked) return;
    pieces.add(frame.last ? std::string_view("\r\n0\r\n\r\n") : h1::kChunkEnd);
  } else if (chunked && frame.kind == Frame::Kind::end) {
    pieces.add(h1::kLastChunk);
  } else if (chunked && frame.kind == Frame::Kind::trailers) {
    x.response_trailers = frame.trailers;
    char* out = static_cast<char*>(x.arena.allocate(h1::trailers_size(*frame.trailers), 1));
    char* end = h1::encode_last_chunk(*frame.trailers, out);
    if (x.options.proper_case_names) h1::capitalize_names(out, end);
    pieces.add({out, static_cast<std::size_t>(end - out)});
  }
}

// The framing that the head speaks of: for HEAD, that of the body that GET would get.
h1::BodyFraming announced(const Exchange& x, const ResponseHead& head, h1::BodyFraming framing) {
  bool bodiless_status = head.status < 200 || head.status == 204 || head.status == 304;
  bool told = head.headers.has(Known::content_length) || x.request.version == Version::http10;
  if (x.request.method != Method::head || bodiless_status || told) return framing;
  return {h1::BodyFraming::Kind::chunked, 0};
}

void note_head(Exchange& x, std::string_view encoded) {
  x.record.downstream_start = x.worker.now();
  x.record.downstream_bytes.head_sent = encoded.size() - encoded.find('\n') - 1 - std::string_view("\r\n").size();
}

}  // namespace

// Whether the whole request has been received, so that the connection can go on after the response. Unread bytes of a
// body that nobody wants are skipped as far as they are here already.
bool H1Server::request_received(Exchange& x) {
  if (!body_) return true;
  if (x.scope.live() == 0 && !body_->continue_owed()) {
    while (body_->poll(BlockPool::kBodyBytes).is_data()) {
    }
  }
  return body_->ended() && !body_->failed();
}

// Whether the connection may carry another request behind this response, which has no further frame.
bool H1Server::may_go_on(Exchange& x) {
  if (!request_left && request_received(x)) return true;
  leave_request(x);
  return false;
}

// Whether the connection ends behind this response, whatever the client wished. Envoy's rules: an HTTP/1.0 client waits
// for the end where no length is told, and what follows a request to upgrade may be another protocol.
void H1Server::decide_closing(Exchange& x, const ResponseHead& head, h1::BodyFraming framing) {
  if (!x.upgrade.empty()) leave_request(x);
  bool no_length = x.request.version == Version::http10 && !head.headers.has(Known::content_length);
  if (no_length || framing.kind == h1::BodyFraming::Kind::until_close) be_last();
}

// The connection is to end by RST: a FIN would look like the end of the message.
void H1Server::cut_off() {
  be_last();
  connection.farewell = false;
  connection.transport->reset_on_close();
}

Task<bool> H1Server::send_response(Exchange& x, const Response& response) {
  if (informing_ || (body_ && body_->continue_unfinished())) {
    cut_off();
    co_return false;
  }
  ResponseHead& head = *response.head;
  h1::BodyFraming framing =
      h1::outgoing_response_framing(head.status, x.request.method, x.request.version, response.body->length());
  bool chunked = framing.kind == h1::BodyFraming::Kind::chunked;
  decide_closing(x, head, framing);
  note_response(x, head);
  bool has_body = framing.kind != h1::BodyFraming::Kind::none;
  Frame frame = has_body ? response.body->poll(BlockPool::kBodyBytes) : Frame::end();
  if (frame.last) may_go_on(x);  // While a body still flows, so may the request's.
  prepare_response(x, head, connection.closing, false);
  debug(x, Logger::http, [&] {
    std::string_view end = frame.last && !frame.is_data() ? "true" : "false";
    return "encoding headers via codec (end_stream=" + std::string(end) + "):" + debug_fields(head);
  });

  h1::BodyFraming told = announced(x, head, framing);
  char* out = static_cast<char*>(x.arena.allocate(h1::response_head_size(head, told), 1));
  Pieces pieces;
  Version version = x.options.accept_http_10 ? x.request.version : Version::http11;
  pieces.add({out, static_cast<std::size_t>(h1::encode_response_head(head, told, out, version) - out)});
  if (x.options.proper_case_names) h1::capitalize_names(out, out + pieces.bytes);
  note_head(x, {out, pieces.bytes});
  char chunk_header[h1::kChunkHeaderSizeMax];
  head_sent = true;
  if (body_) body_->continue_no_more();
  Cell& sent = x.stats[HttpStat::downstream_cx_tx_bytes_total];
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    add_frame(pieces, x, frame, chunked, chunk_header);
    if (pieces.count) {
      IoResult written = co_await connection.transport->write(pieces.list.data(), pieces.count);
      if (!written.ok()) {
        abort(AbortReason::client_gone);
        co_return false;
      }
      sent.add(pieces.bytes);
      x.record.downstream_bytes.sent += pieces.bytes;
      if (frame.is_data()) x.record.bytes_sent += frame.data.size();
    }
    if (frame.is_reset()) {  // The client must see that it is cut short.
      x.stats[HttpStat::downstream_rq_tx_reset].add();
      x.stats[HttpStat::downstream_rq_rx_reset].add();
      if (framing.kind == h1::BodyFraming::Kind::until_close) cut_off();
      co_return false;
    }
    if (frame.last) {
      response_ended = true;
      co_return may_go_on(x);
    }
    pieces = {};
    frame = response.body->poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await response.body->pull(BlockPool::kBodyBytes);
  }
}

// An HTTP/1.0 client would take it for the response.
Task<> H1Server::inform(const ResponseHead& head) {
  if (!exchange || exchange->request.version == Version::http10) co_return;
  h1::BodyFraming framing{h1::BodyFraming::Kind::none, 0};
  std::string text(h1::response_head_size(head, framing), '\0');  // Not of the arena: a backend may send any number.
  char* end = h1::encode_response_head(head, framing, text.data());
  if (exchange->options.proper_case_names) h1::capitalize_names(text.data(), end);
  iovec piece{text.data(), static_cast<std::size_t>(end - text.data())};
  informing_ = true;
  IoResult written = co_await connection.transport->write(&piece, 1);
  informing_ = false;
  exchange->stats[HttpStat::downstream_cx_tx_bytes_total].add(written.bytes);
  count_response(exchange->stats, head.status);
}

Task<bool> H1Server::send_tunnel_head(Exchange& x, ResponseHead& head) {
  h1::BodyFraming framing{h1::BodyFraming::Kind::tunnel, 0};
  char* out = static_cast<char*>(x.arena.allocate(h1::response_head_size(head, framing), 1));
  char* end = h1::encode_response_head(head, framing, out);
  if (x.options.proper_case_names) h1::capitalize_names(out, end);
  iovec piece{out, static_cast<std::size_t>(end - out)};
  co_return (co_await connection.transport->write(&piece, 1)).ok();
}

Body& H1Server::tunnel_source(Exchange& x) {
  if (body_) {  // It knows what of the connection's bytes has been used.
    body_->become_tunnel();
  } else {
    body_ = &x.arena.make_owned<H1Body>(worker_, *connection.transport, inbox_, x.options.limits,
                                        h1::BodyFraming{h1::BodyFraming::Kind::tunnel, 0}, x.arena,
                                        x.stats[HttpStat::downstream_cx_rx_bytes_total], x.options.read_bytes_max);
    request_body = body_;
  }
  // Filters may have read ahead in what follows a CONNECT; what follows an upgrade is none of the request's body.
  return x.request.method == Method::connect ? *x.request_body : *body_;
}

Task<bool> H1Server::write(std::string_view data) {
  iovec piece{const_cast<char*>(data.data()), data.size()};
  IoResult written = co_await connection.transport->write(&piece, 1);
  if (!written.ok()) co_return false;
  exchange->record.downstream_bytes.sent += data.size();
  exchange->stats[HttpStat::downstream_cx_tx_bytes_total].add(data.size());
  co_return true;
}

}  // namespace outrider
