#include "server/echo.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

#include "core/decimal.h"
#include "http/h2_options.h"
#include "http/json_text.h"
#include "server/service_loop.h"
#include "server/websocket_echo.h"

namespace outrider {
namespace {

constexpr websocket::Limits kWebSocketLimits{EchoService::kEchoBytesMax, EchoService::kEchoBytesMax};

bool equal_without_case(std::string_view a, std::string_view lower_case) {
  return std::ranges::equal(a, lower_case, [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

// All fields as one object; a name that repeats gets its values joined (RFC 9110 section 5.3).
void append_fields(const RequestHead& head, std::string& out) {
  out += "{\"host\":";
  append_json_string(head.authority, out);
  const Headers& fields = head.headers;
  std::string joined;
  for (const Field* field = fields.begin(); field != fields.end(); field++) {
    auto same = [&](const Field& other) { return other.name == field->name; };
    if (std::any_of(fields.begin(), field, same)) continue;
    joined = field->value;
    for (const Field* later = field + 1; later != fields.end(); later++) {
      if (!same(*later)) continue;
      joined += ", ";
      joined += later->value;
    }
    out += ',';
    append_json_string(field->name, out);
    out += ':';
    append_json_string(joined, out);
  }
  out += "}\n";
}

}  // namespace

Response EchoService::json(Exchange& x, std::string_view text) const {
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  head.headers.add(Known::content_length, decimal(x.arena, text.size()));  // For HEAD; else the framing writes its own.
  head.headers.add(Known::content_type, "application/json");
  if (!name_.empty()) head.headers.add("x-echo-name", name_);
  x.record.details = "direct_response";
  return {&head, &x.arena.make_owned<TextBody>(text)};
}

Response EchoService::refuse(Exchange& x, int status, std::string_view body, std::string_view details) const {
  Response response = x.reply(status, body, details);
  if (!name_.empty()) response.head->headers.add("x-echo-name", name_);
  return response;
}

Response EchoService::bad_request(Exchange& x, Failure why) const {
  if (why == Failure::protocol_error) x.record.flags.set(ResponseFlag::downstream_protocol_error);
  return refuse(x, 400, "Bad Request", why == Failure::protocol_error ? "http1.codec_error" : "request_incomplete");
}

Response EchoService::show_headers(Exchange& x) const {
  static thread_local std::string text;  // Keeps its memory.
  text.clear();
  append_fields(x.request, text);
  return json(x, x.arena.copy(text));
}

Task<Response> EchoService::echo_body(Exchange& x) const {
  Body& from = *x.request_body;
  if (from.length().value_or(0) > kEchoBytesMax)
    co_return refuse(x, 413, "Payload Too Large", "request_payload_too_large");
  auto& text = x.arena.make_owned<std::string>();
  for (;;) {
    Frame frame = from.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await from.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) co_return bad_request(x, frame.failure);
    if (!frame.is_data()) break;
    if (text.size() + frame.data.size() > kEchoBytesMax) {
      co_return refuse(x, 413, "Payload Too Large", "request_payload_too_large");
    }
    text += frame.data;
    if (frame.last) break;
  }
  if (!is_json(text)) co_return refuse(x, 400, "the body is not JSON", "not_json");
  co_return json(x, text);
}

Response EchoService::open_websocket(Exchange& x) const {
  if (!equal_without_case(x.upgrade, "websocket")) {
    Response response = refuse(x, 426, "this path speaks WebSocket only", "upgrade_required");
    response.head->headers.add(Known::connection, "upgrade");
    response.head->headers.add(Known::upgrade, "websocket");
    return response;
  }
  if (x.request_body->length() != 0) return refuse(x, 400, "a handshake has no body", "websocket_handshake_error");
  if (const char* wrong = websocket::handshake_error(x.request))
    return refuse(x, 400, wrong, "websocket_handshake_error");
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  head.status = 101;
  head.headers.add(Known::connection, "upgrade");
  head.headers.add(Known::upgrade, "websocket");
  websocket::AcceptKey key = websocket::accept_key(x.request.headers.value("sec-websocket-key"));
  head.headers.add("sec-websocket-accept", x.arena.copy({key.data(), key.size()}));
  if (!name_.empty()) head.headers.add("x-echo-name", name_);
  x.record.details = "direct_response";
  auto& echo = x.arena.make_owned<WebSocketEcho>(kWebSocketLimits);
  return {&head, &echo, &echo};
}

Task<Response> EchoService::handle(Exchange& x, Next) const {
  std::string_view path = x.request.path.substr(0, x.request.path.find('?'));
  Method method = x.request.method;
  if (method == Method::post && path == "/echo") co_return co_await echo_body(x);
  if (method == Method::get && path == "/ws") co_return open_websocket(x);
  if (method == Method::get || method == Method::head) co_return show_headers(x);
  Response response = refuse(x, 405, "Method Not Allowed", "method_not_allowed");
  response.head->headers.add("allow", path == "/echo" ? "GET, HEAD, POST" : "GET, HEAD");
  co_return response;
}

namespace {

constexpr const char* kUsage =
    "usage: outrider echo --port N [--name X] [--address A] [--concurrency N]\n"
    "  --port N         listen on this port; 0 takes a free one\n"
    "  --name X         say this name in every response, as x-echo-name\n"
    "  --address A      listen on this address (0.0.0.0)\n"
    "  --concurrency N  threads (as many as the hardware has)\n";

struct EchoFlags {
  std::uint16_t port = 0;
  bool has_port = false;
  std::string name;
  std::string address = "0.0.0.0";
  unsigned concurrency = 0;
  bool help = false;
};

template <class T>
bool read_number(std::string_view text, T& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool set_flag(EchoFlags& flags, std::string_view flag, std::string_view value) {
  if (flag == "--port") return flags.has_port = read_number(value, flags.port);
  if (flag == "--concurrency") return read_number(value, flags.concurrency) && flags.concurrency <= 256;
  if (flag == "--name") return flags.name = value, flags.name.find_first_of("\r\n") == std::string::npos;
  if (flag == "--address") return flags.address = value, true;
  return false;
}

// Nullopt: said on stderr.
std::optional<EchoFlags> read_flags(int argc, const char* const* argv) {
  EchoFlags flags;
  for (int i = 1; i < argc; i++) {
    std::string_view flag = argv[i], value;
    if (flag == "--help" || flag == "-h") {
      flags.help = true;
      return flags;
    }
    std::size_t equals = flag.find('=');
    if (equals != flag.npos) {
      value = flag.substr(equals + 1);
      flag = flag.substr(0, equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    if (set_flag(flags, flag, value)) continue;
    std::fprintf(stderr, "outrider echo: bad flag or value: %s\n%s", argv[i], kUsage);
    return std::nullopt;
  }
  if (!flags.has_port) std::fprintf(stderr, "outrider echo: --port is missing\n%s", kUsage);
  return flags.has_port ? std::optional(flags) : std::nullopt;
}

// One listening socket for each thread, all at the same address.
std::expected<std::vector<int>, std::string> listen_for(const EchoFlags& flags, unsigned threads, Address& at) {
  auto address = Address::parse(flags.address, flags.port);
  if (!address) return std::unexpected(address.error());
  // SO_REUSEPORT would let two processes share the port unseen: so the first bind is without.
  auto probe = listen_on(*address, {.reuse_port = false});
  if (!probe) return std::unexpected(probe.error());
  at = bound_address(*probe);
  close(*probe);
  std::vector<int> sockets;
  for (unsigned i = 0; i < threads; i++) {
    auto fd = listen_on(at, {});
    if (!fd) return std::unexpected(fd.error());
    sockets.push_back(*fd);
  }
  return sockets;
}

std::shared_ptr<const HttpOptions> echo_options(const std::string& name, StatRegistry& stats) {
  auto options = std::make_shared<HttpOptions>();
  options->stat_prefix = "echo";
  options->stats = stats.scope("http.echo.", http_stat_table());
  options->h2 = own_h2_options(stats);
  options->server_name = "outrider-echo";
  options->accept_http_10 = true;
  options->edge = false;
  options->upgrades = {"websocket"};
  options->filters.add(std::make_unique<EchoService>(name));
  return options;
}

}  // namespace

int run_echo(int argc, const char* const* argv) {
  auto flags = read_flags(argc, argv);
  if (!flags) return 1;
  if (flags->help) return std::fputs(kUsage, stdout), 0;
  raise_descriptor_limit();
  unsigned threads = flags->concurrency ? flags->concurrency : std::max(1u, std::thread::hardware_concurrency());
  Address at;
  auto sockets = listen_for(*flags, threads, at);
  if (!sockets) {
    std::fprintf(stderr, "outrider echo: %s\n", sockets.error().c_str());
    return 1;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // Inherited by the threads: sigwait() gets them.

  StatRegistry stats;
  auto http = echo_options(flags->name, stats);
  auto listener_stats = stats.scope("listener." + at.text() + ".", listener_stat_table());
  std::vector<std::unique_ptr<ServiceThread>> services;
  for (unsigned i = 0; i < threads; i++) {
    services.push_back(std::make_unique<ServiceThread>(ServiceThread::Options{
        .index = static_cast<int>(i), .listening_fd = (*sockets)[i], .http = http, .listener_stats = listener_stats}));
  }
  std::printf("outrider echo listens on %s\n", at.text().c_str());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&ends, &signal);
  for (auto& service : services) service->drain();
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);  // A second one ends the process.
  for (auto& service : services) service->join();
  return 0;
}

}  // namespace outrider
