// How one host is asked for its health: over HTTP, by gRPC's own service, or by bytes alone.
#include <algorithm>

#include "http/grpc_timeout.h"
#include "http/h1_body.h"
#include "net/network.h"
#include "upstream/grpc_health.h"
#include "upstream/health_check_connection.h"
#include "upstream/health_check_stats.h"
#include "wire/h1_name_case.h"

namespace outrider {
namespace {

// What of an answer a check may read.
constexpr std::size_t kTcpAnswerMax = 64 * 1024;
constexpr std::size_t kGrpcAnswerMax = 64 * 1024;
constexpr std::size_t kBodyMax = 1024 * 1024;

bool all_found(std::string_view answer, const std::vector<std::string>& pieces) {
  std::size_t from = 0;
  for (const std::string& each : pieces) {
    std::size_t at = answer.find(each, from);
    if (at == std::string_view::npos) return false;
    from = at + each.size();
  }
  return true;
}

bool any_has(const std::vector<HealthCheckOptions::StatusRange>& ranges, int status) {
  return std::ranges::any_of(ranges, [&](const auto& r) { return r.has(status); });
}

// One request over HTTP/2.
struct Question {
  Question(H2Session& session, Worker& worker, Exchange& x) : head(x.arena), stream(session, worker, x.arena) {
    x.request.scheme = "http";
    stream.request = &x.request;
    stream.response = &head;
  }
  ResponseHead head;
  H2Stream stream;
};

// The final head; null: the stream broke before it.
Task<ResponseHead*> head_of(H2Stream& stream) {
  for (;;) {
    while (stream.next_interim()) {
    }
    if (stream.head_received) co_return stream.response;
    if (stream.broken()) co_return nullptr;
    co_await stream.changed().wait();
  }
}

// The last frame of a body of which no more than `max` bytes are taken; what is data before it is appended to `into`.
Task<Frame> rest_of(H2Stream& stream, std::size_t max, std::string* into) {
  for (std::size_t read = 0;;) {
    Frame frame = co_await stream.pull(BlockPool::kBodyBytes);
    if (frame.is_data() && into) into->append(frame.data);
    read += frame.data.size();
    if (frame.last || read > max) co_return frame;
  }
}

// What came back of a call of gRPC.
struct GrpcAnswer {
  const ResponseHead* head = nullptr;  // Null: the stream broke before it.
  std::string messages;
  Frame last;
};

Task<> send_message(H2Stream& stream, const std::string& message) { co_await stream.send(Frame::bytes(message, true)); }

// The answer may come before the message has gone out whole.
Task<> call(Scope& sending, H2Stream& stream, const std::string& message, GrpcAnswer& answer) {
  sending.spawn(send_message, stream, message);
  answer.head = co_await head_of(stream);
  if (answer.head) answer.last = co_await rest_of(stream, kGrpcAnswerMax, &answer.messages);
}

bool says_ok(const Headers& fields) {
  const Field* status = fields.find("grpc-status");
  return status && status->value == "0";
}

}  // namespace

Task<HealthChecks::Result> HealthChecks::ask(Session& session) {
  const HealthCheckOptions& o = session.cluster->options;
  Result result = o.http ? co_await ask_http(session) : o.grpc ? co_await ask_grpc(session) : co_await ask_tcp(session);
  if (result == Result::unreachable) session.connection.reset();
  co_return result;
}

Task<bool> HealthChecks::connect(Session& session) {
  if (session.connection && session.connection->good()) co_return true;
  session.connection.reset();
  auto started = network_.connect(session.endpoint->check.address.value_or(session.endpoint->address),
                                  session.cluster->cluster->options.connection());
  if (!started) co_return false;
  session.connection = std::make_unique<Connection>(std::move(*started));
  co_return co_await session.connection->transport->connected() == 0;
}

Task<bool> HealthChecks::connect_http2(Session& session) {
  if (!co_await connect(session)) co_return false;
  Connection& c = *session.connection;
  if (!c.h2) {
    c.h2 = std::make_shared<H2Check>(worker_, std::move(c.transport), session.cluster->options.h2);
    tasks_.spawn(H2Check::run, c.h2);
  }
  co_return c.h2->session.may_open();  // Its settings may have come at once.
}

Task<HealthChecks::Result> HealthChecks::ask_tcp(Session& session) {
  if (!co_await connect(session)) co_return Result::unreachable;
  const HealthCheckOptions::Tcp& tcp = *session.cluster->options.tcp;
  Transport& transport = *session.connection->transport;
  if (!tcp.send.empty()) {
    iovec piece{const_cast<char*>(tcp.send.data()), tcp.send.size()};
    if (!(co_await transport.write(&piece, 1)).ok()) co_return Result::unreachable;
  }
  if (tcp.receive.empty()) {
    session.connection->spent = true;
    co_return Result::healthy;
  }
  std::string answer;
  char bytes[1024];
  while (!all_found(answer, tcp.receive)) {
    IoResult read = co_await transport.read(bytes, sizeof bytes);
    if (!read.ok() || answer.size() > kTcpAnswerMax) co_return Result::unreachable;
    answer.append(bytes, read.bytes);
  }
  co_return Result::healthy;
}

void HealthChecks::begin(const Session& session, Exchange& x, std::string_view authority) const {
  x.record.start = worker_.now();
  x.record.start_wall = worker_.wall();
  x.record.upstream_peer = &session.endpoint->address;
  const std::string& own = session.endpoint->check.hostname;
  x.request.authority = !own.empty() ? own : !authority.empty() ? authority : session.cluster->cluster->name();
  x.request.headers.add(Known::user_agent, "Envoy/HC");
}

Task<HealthChecks::Result> HealthChecks::ask_http(Session& session) {
  const HealthCheckOptions& o = session.cluster->options;
  Exchange x(connection_, options_, scope_.local(worker_.index()));
  begin(session, x, o.http->host);
  x.request.set_method(o.http->method);
  x.request.path = o.http->path;
  apply_together(o.http->request_headers, x, x.request);
  co_return o.h2 ? co_await ask_http2(session, x) : co_await ask_http1(session, x);
}

Task<HealthChecks::Result> HealthChecks::ask_http2(Session& session, Exchange& x) {
  if (!co_await connect_http2(session)) co_return Result::unreachable;
  Connection& c = *session.connection;
  Question question(c.h2->session, worker_, x);
  H2Stream& stream = question.stream;
  c.h2->session.open(stream, true);
  const ResponseHead* answer = co_await head_of(stream);
  if (!answer) co_return Result::unreachable;
  Result result = judge(session, *answer);
  Frame last = co_await rest_of(stream, kBodyMax, nullptr);
  if (last.is_reset()) co_return Result::unreachable;
  c.spent = !c.h2->session.may_open();
  co_return result;
}

Task<HealthChecks::Result> HealthChecks::ask_grpc(Session& session) {
  const HealthCheckOptions::Grpc& grpc = *session.cluster->options.grpc;
  Exchange x(connection_, options_, scope_.local(worker_.index()));
  begin(session, x, grpc.authority);
  x.request.set_method(Method::post);
  x.request.path = kGrpcHealthPath;
  x.request.headers.add(Known::te, "trailers");
  x.request.headers.add(Known::content_type, "application/grpc");
  set_grpc_timeout(x.request.headers, x.arena, session.cluster->options.timeout);
  apply_together(grpc.metadata, x, x.request);
  if (!co_await connect_http2(session)) co_return Result::unreachable;
  Connection& c = *session.connection;
  Question question(c.h2->session, worker_, x);
  H2Stream& stream = question.stream;
  c.h2->session.open(stream, false);
  const std::string message = grpc_health_request(grpc.service);
  GrpcAnswer answer;
  Scope sending;
  co_await sending.run(call(sending, stream, message, answer));
  if (!answer.head || answer.last.is_reset()) co_return Result::unreachable;
  c.spent = !c.h2->session.may_open();
  const Field* type = answer.head->headers.find(Known::content_type);
  bool is_grpc = answer.head->status == 200 && type && type->value.starts_with("application/grpc");
  const Headers* trailers = answer.last.trailers;
  bool serves = is_grpc && trailers && says_ok(*trailers) && says_serving(answer.messages);
  co_return serves ? Result::healthy : Result::failed;
}

Task<HealthChecks::Result> HealthChecks::ask_http1(Session& session, Exchange& x) {
  if (!co_await connect(session)) co_return Result::unreachable;
  h1::BodyFraming framing = h1::outgoing_request_framing(x.request.method, 0);
  char* head = static_cast<char*>(x.arena.allocate(h1::request_head_size(x.request, framing), 1));
  char* end = h1::encode_request_head(x.request, framing, head);
  if (session.cluster->cluster->options.proper_case_names) h1::capitalize_names(head, end);
  iovec piece{head, static_cast<std::size_t>(end - head)};
  if (!(co_await session.connection->transport->write(&piece, 1)).ok()) co_return Result::unreachable;
  co_return co_await read_answer(session, x);
}

Task<HealthChecks::Result> HealthChecks::read_answer(Session& session, Exchange& x) {
  Connection& c = *session.connection;
  const h1::Limits& limits = session.cluster->cluster->options.limits;
  h1::ResponseParser parser(limits);
  ResponseHead head(x.arena);
  for (;;) {
    h1::ParseResult parsed;
    if (!c.inbox.empty()) parsed = parser.parse(c.inbox.data(), c.inbox.size(), head);
    if (parsed.status == h1::ParseStatus::error) co_return Result::unreachable;
    if (parsed.status == h1::ParseStatus::complete) {
      c.inbox.consume(parsed.consumed);
      if (!head.informational()) break;
      if (head.status == 101) co_return Result::unreachable;
      head.headers.clear();
      parser.reset();
      continue;
    }
    if (!c.inbox.make_room(worker_.blocks(), limits.head_bytes_max + 1)) co_return Result::unreachable;
    IoResult read = co_await c.transport->read(c.inbox.space(), c.inbox.room());
    if (!read.ok()) co_return Result::unreachable;
    c.inbox.filled(read.bytes);
  }
  auto framing = h1::response_framing(head, x.request.method);
  if (!framing) co_return Result::unreachable;
  Result result = judge(session, head);
  bool keeps = h1::persistent(head.version, head.headers) && framing->kind != h1::BodyFraming::Kind::until_close;
  Cell read_bytes;
  H1Body body(worker_, *c.transport, c.inbox, limits, *framing, x.arena, read_bytes, BlockPool::kBodyBytes);
  while (!body.ended()) {
    Frame frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) co_return Result::unreachable;
    if (body.bytes() <= kBodyMax) continue;
    keeps = false;
    break;
  }
  body.settle();
  c.spent = !keeps || !c.inbox.empty();
  c.inbox.release();
  co_return result;
}

HealthChecks::Result HealthChecks::judge(Session& session, const ResponseHead& head) const {
  const Followed& f = *session.cluster;
  const HealthCheckOptions::Http& http = *f.options.http;
  bool expected = any_has(http.expected, head.status);
  bool fails = !expected && head.headers.has(Known::x_envoy_immediate_health_check_fail);
  if (fails != session.endpoint->flags.has(HealthFlag::excluded_via_immediate_hc_fail)) {
    session.endpoint->flags.set(HealthFlag::excluded_via_immediate_hc_fail, fails);
    session.excluded_anew = true;
  }
  if (!expected) {
    return any_has(http.retriable, head.status) ? Result::failed_retriable : Result::failed;
  }
  Random& random = worker_.random();
  if (http.service_name && RuntimeFraction{{}, "health_check.verify_cluster"}.sample(*worker_.runtime(), random)) {
    f.stats[HealthCheckStat::verify_cluster].add();
    const Field* service = head.headers.find("x-envoy-upstream-healthchecked-cluster");
    if (!http.service_name->matches(service ? service->value : std::string_view())) return Result::failed;
  }
  return head.headers.has(Known::x_envoy_degraded) ? Result::degraded : Result::healthy;
}

}  // namespace outrider
