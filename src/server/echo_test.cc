#include "server/echo.h"

#include <gmock/gmock.h>

#include "http/serve_for_test.h"
#include "server/websocket_echo.h"

namespace outrider {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class EchoTest : public TestService {
 public:
  explicit EchoTest(std::string name = "") {
    options->edge = false;
    options->filters = {};
    options->filters.add(std::make_unique<EchoService>(std::move(name)));
  }
};

std::string post(std::string_view body) {
  return "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// A client's frame, masked.
std::string frame(websocket::Opcode opcode, std::string_view payload, bool last = true) {
  std::string out(1, static_cast<char>((last ? 0x80 : 0) | static_cast<int>(opcode)));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += "\xff";
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  constexpr std::string_view kMask = "mask";
  out += kMask;
  for (std::size_t i = 0; i < payload.size(); i++) out += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return out;
}

std::string answer_frame(websocket::Opcode opcode, std::string_view payload) {
  char header[websocket::kFrameHeaderSizeMax];
  std::string out(header, websocket::encode_frame_header(opcode, true, payload.size(), header));
  return out += payload;
}

TEST(Echo, AnswersTheRequestsFields) {
  EchoTest service("one");
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer =
        co_await client.ask("GET /any HTTP/1.1\r\nHost: h:1\r\nX-A: \"1\"\r\nB: 2\r\nx-a: 3\r\n\r\n", "}\n");
    EXPECT_THAT(answer, AllOf(HasSubstr("content-type: application/json\r\n"), HasSubstr("x-echo-name: one\r\n")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n{\"host\":\"h:1\",\"x-a\":\"\\\"1\\\", 3\",\"b\":\"2\"}\n"));
  });
}

TEST(Echo, AnswersJsonWithItself) {
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(post("{\"name\": \"zcong\"}"), "}"),
                AllOf(HasSubstr("content-type: application/json"), EndsWith("\r\n\r\n{\"name\": \"zcong\"}")));
    EXPECT_THAT(co_await client.ask(post("{bad"), "JSON"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(co_await client.ask(post(""), "JSON"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(co_await client.ask(post(std::string(100'000, '[')), "JSON"), StartsWith("HTTP/1.1 400 "))
        << "deep nesting";
    std::string large = "\"" + std::string(EchoService::kEchoBytesMax - 3, 'x') + "z\"";
    EXPECT_THAT(co_await client.ask(post(large), "z\""), EndsWith(large));
  });
}

TEST(Echo, RefusesABodyThatIsTooLarge) {
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 1048577\r\n\r\n");
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 413 "));
    TestClient chunked(s.connect());
    co_await chunked.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n");
    std::string some(100'000, '1');
    for (int i = 0; i < 15; i++) co_await chunked.send(some);
    EXPECT_THAT(co_await chunked.read_all(), StartsWith("HTTP/1.1 413 "));
  });
}

TEST(Echo, RefusesOtherMethods) {
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask("PUT /echo HTTP/1.1\r\nhost: h\r\n\r\n", "\nMethod Not Allowed"),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("allow: GET, HEAD, POST\r\n")));
    EXPECT_THAT(co_await client.ask("POST / HTTP/1.1\r\nhost: h\r\n\r\n", "\nMethod Not Allowed"),
                HasSubstr("allow: GET, HEAD\r\n"));
  });
}

TEST(Echo, AsksForAWebSocketHandshake) {
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask("GET /ws HTTP/1.1\r\nhost: h\r\n\r\n", "only"),
                AllOf(StartsWith("HTTP/1.1 426 "), HasSubstr("upgrade: websocket\r\n")));
    std::string no_key = "GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    EXPECT_THAT(co_await client.ask(no_key, "\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  });
}

TEST(Echo, RepeatsMessages) {
  using websocket::Opcode;
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(
        co_await client.ask(std::string(kUpgrade) + frame(Opcode::text, "early"), "\r\n\r\n"),
        AllOf(StartsWith("HTTP/1.1 101 "), HasSubstr("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")));
    EXPECT_EQ(co_await client.read_to("early"), answer_frame(Opcode::text, "early"));
    co_await client.send(frame(Opcode::binary, "he", false) + frame(Opcode::ping, "?") +
                         frame(Opcode::continuation, "llo"));
    std::string both = answer_frame(Opcode::pong, "?") + answer_frame(Opcode::binary, "hello");
    EXPECT_EQ(co_await client.read_to("hello"), both);
    std::string large(EchoService::kEchoBytesMax - 1, 'x');
    co_await client.send(frame(Opcode::binary, large + "!"));
    EXPECT_EQ(co_await client.read_to("!"), answer_frame(Opcode::binary, large + "!"));
    co_await client.send(frame(Opcode::close, "\x03\xe8"));
    EXPECT_EQ(co_await client.read_all(), answer_frame(Opcode::close, "\x03\xe8") + "<end>");
  });
}

TEST(Echo, ClosesOnFramesThatBreakTheRules) {
  using websocket::Opcode;
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    for (auto [bytes, code] : {std::pair(std::string("\x81\x01x"), "\x03\xea"),
                               {frame(Opcode::text, "\xff"), "\x03\xef"},
                               {frame(Opcode::binary, std::string(EchoService::kEchoBytesMax + 1, 'x')), "\x03\xf1"}}) {
      TestClient client(s.connect());
      co_await client.ask(kUpgrade, "\r\n\r\n");
      co_await client.send(std::string_view(bytes).substr(0, 60'000));
      std::string answer = co_await client.read_all();
      EXPECT_EQ(answer[0], '\x88');
      EXPECT_EQ(answer.substr(2, 2), code);
      EXPECT_THAT(answer, EndsWith("<end>"));
    }
  });
}

TEST(Echo, ListensNoMoreToAClientThatDoesNotRead) {
  using websocket::Opcode;
  EchoTest service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    std::string message = frame(Opcode::binary, std::string(10'000, 'x'));
    std::size_t sent = 0;
    for (int stuck = 0; stuck < 5;) {
      iovec piece{message.data() + sent % message.size(), message.size() - sent % message.size()};
      IoResult r = client.transport().try_write(&piece, 1);
      stuck = r.ok() ? 0 : stuck + 1;
      sent += r.bytes;
      co_await sleep(seconds(1));
    }
    EXPECT_LT(sent, 2 * s.path().capacity_bytes + 4 * WebSocketEcho::kQueueBytesMax);
    EXPECT_LE(s.worker.blocks().in_use(), 2u);
  });
}

}  // namespace
}  // namespace outrider
