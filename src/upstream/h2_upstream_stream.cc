#include "upstream/h2_upstream_stream.h"

#include "core/ascii.h"
#include "core/decimal.h"
#include "wire/websocket.h"

namespace outrider {

H2UpstreamStream::H2UpstreamStream(Exchange& x, EndpointPool& pool, H2UpstreamConnection& connection,
                                   ResponseTimeout& timeout)
    : UpstreamStream(x, pool, connection.id(), timeout), connection_(connection) {
  stream_.emplace(connection.session(), x.worker, x.arena);
}

H2UpstreamStream::~H2UpstreamStream() { abandon(); }

void H2UpstreamStream::abandon() {
  if (!stream_) return;
  count_end();
  stream_.reset();
  connection_.leave();
  end_activity();
}

// As Envoy counts.
void H2UpstreamStream::count_end() {
  bool whole = stream_->ended() && !stream_->failed();
  if (whole && failure_ == Failure::none && request_sent_) record_time();
  // A host that has answered may stop the rest of the request before it is given up here.
  if (!stream_->closed() || (whole && stream_->failure() == Failure::remote_reset)) {
    stats_[ClusterStat::upstream_rq_tx_reset].add();
  } else if (!whole) {
    if (stream_->failure() == Failure::protocol_error) stats_[ClusterStat::upstream_rq_tx_reset].add();
    if (stream_->failure() == Failure::remote_reset) stats_[ClusterStat::upstream_rq_rx_reset].add();
    if (stream_->failure() == Failure::connection_closed) {
      stats_[ClusterStat::upstream_rq_pending_failure_eject].add();
    }
  }
}

// What a client of HTTP/1 has not said; a proxy before us knows it.
void H2UpstreamStream::set_scheme() {
  RequestHead& head = x_.request;
  if (!head.scheme.empty()) return;
  const Field* said = head.headers.find(Known::x_forwarded_proto);
  head.scheme = said && said->value == "https" ? "https" : "http";
}

bool H2UpstreamStream::passed_over() const {
  return stream_ && stream_->failure() == Failure::remote_refused && connection_->told_to_go();
}

// CONNECT itself is one already.
bool H2UpstreamStream::asks_upgrade() const { return !x_.upgrade.empty() && x_.request.method != Method::connect; }

// What HTTP/1 asks with an upgrade (RFC 8441 section 5).
const RequestHead& H2UpstreamStream::as_connect(const RequestHead& head) {
  auto& connect = x_.arena.make_owned<RequestHead>(x_.arena);
  connect.set_method(Method::connect);
  connect.protocol = x_.upgrade;
  connect.scheme = head.scheme;
  connect.authority = head.authority;
  connect.path = head.path;
  for (const Field& f : head.headers) {
    bool empty_body = f.known == Known::content_length && f.value == "0";
    if (!empty_body) connect.headers.add(f.name, f.known, f.value);
  }
  return connect;
}

// What the fields say of the body's length is true of the body as it is now, or is left out.
void H2UpstreamStream::set_length() {
  Headers& headers = x_.request.headers;
  const Field* said = headers.find(Known::content_length);
  if (!said) return;
  std::optional<std::uint64_t> length = x_.request_body->length();
  if (!length) {
    headers.remove(Known::content_length);
  } else if (h2::content_length_of(said->value) != length) {
    headers.set(Known::content_length, decimal(x_.arena, *length));
  }
}

bool H2UpstreamStream::send(const RequestHead& head, const Frame& first, bool whole) {
  whole_ = whole;
  bool upgrades = asks_upgrade();
  stays_open_ = upgrades || head.method == Method::connect;
  if (!stays_open_) set_length();
  set_scheme();
  const RequestHead& sent = upgrades ? as_connect(head) : head;
  stream_->request = const_cast<RequestHead*>(&sent);
  stream_->response = &x_.arena.make_owned<ResponseHead>(x_.arena);
  x_.record.upstream_start = x_.worker.now();
  SendBuffer& output = connection_->session().connection().output();
  const std::size_t before = output.size();
  // A body that was announced and is empty ends by a frame of its own, as it came: to servers of gRPC that is another
  // request than one without a body.
  const bool empty = whole && !first.is_data() && !stays_open_;
  const bool no_body = empty && x_.request_body->length() == 0u;
  connection_->open_stream(*stream_, no_body);
  x_.record.upstream_bytes.sent = x_.record.upstream_bytes.head_sent = output.size() - before;
  if (first.is_data()) {
    unsent_ = first.data.substr(stream_->send_some(first.data, whole && !stays_open_));
    x_.record.upstream_bytes.sent += output.size() - before - x_.record.upstream_bytes.head_sent;
  }
  if (empty && !no_body) stream_->end();
  if (whole && unsent_.empty()) request_is_sent();
  return !request_sent_;
}

Task<bool> H2UpstreamStream::write_unsent() {
  bool sent = co_await stream_->send(Frame::bytes(unsent_, whole_ && !stays_open_));
  x_.record.upstream_bytes.sent += unsent_.size() + h2::kFrameHeaderBytes;
  unsent_ = {};
  co_return sent;
}

Task<bool> H2UpstreamStream::write_frame(const Frame& frame) {
  if (stays_open_ && !frame.is_data()) co_return true;
  Frame sent = frame;
  if (stays_open_) sent.last = false;
  x_.record.upstream_bytes.sent += frame.data.size() + h2::kFrameHeaderBytes;
  co_return co_await stream_->send(sent);
}

Task<ResponseHead*> H2UpstreamStream::receive_head() {
  for (;;) {
    if (client_failed_) {
      failure_ = Failure::local_reset;
      co_return nullptr;
    }
    while (ResponseHead* interim = stream_->next_interim()) {
      answered_ = true;
      co_await pass_on(*interim);
    }
    if (stream_->head_received) co_return accept(*stream_->response);
    if (stream_->broken()) {
      failure_ = stream_->failure();
      co_return nullptr;
    }
    co_await stream_->changed().wait();
  }
}

// To a client of HTTP/1.1 that has sent a key, where the host answers none: RFC 8441 does without.
void H2UpstreamStream::answer_key(ResponseHead& head) {
  constexpr std::string_view kAnswer = "sec-websocket-accept";
  const Field* key = x_.request.headers.find("sec-websocket-key");
  if (!key || x_.request.version == Version::http2 || !equals_ignore_case(x_.upgrade, "websocket") ||
      head.headers.find(kAnswer))
    return;
  websocket::AcceptKey answer = websocket::accept_key(key->value);
  head.headers.add(kAnswer, x_.arena.copy({answer.data(), answer.size()}));
}

// An accepted CONNECT is an accepted upgrade to whoever has asked for that.
ResponseHead* H2UpstreamStream::accept(ResponseHead& head) {
  answered_ = true;
  x_.record.response_start = x_.worker.now();
  x_.record.upstream_bytes.received = x_.record.upstream_bytes.head_received = stream_->head_wire_bytes;
  if (stays_open_ && head.status / 100 == 2) {
    tunnel_ = !asks_upgrade() || head.status == 200;
    if (tunnel_ && asks_upgrade()) {
      head.status = 101;
      head.headers.set(Known::connection, "upgrade");
      head.headers.set(Known::upgrade, x_.upgrade);
      answer_key(head);
    }
  }
  return &head;
}

Task<bool> H2UpstreamStream::write(std::string_view data) {
  x_.record.upstream_bytes.sent += data.size() + h2::kFrameHeaderBytes;
  std::size_t sent = stream_->send_some(data, false);
  if (sent == data.size()) co_return !stream_->local_ended();
  co_return co_await stream_->send(Frame::bytes(data.substr(sent), false));
}

void H2UpstreamStream::finish() { stream_->end(); }

}  // namespace outrider
