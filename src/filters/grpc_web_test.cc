#include <gmock/gmock.h>

#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType grpc_web;
}
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kText =
    "POST /s/m HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ncontent-type: application/grpc-web-text\r\n"
    "accept: application/grpc-web-text\r\n\r\n";

// A piece of a body at a time, then trailers.
class Pieces final : public Body {
 public:
  Pieces(Arena& arena, std::vector<std::string_view> pieces) : pieces_(std::move(pieces)), trailers_(arena) {
    trailers_.add(Known::grpc_status, "0");
  }
  Frame poll(std::size_t max) override {
    if (at_ == pieces_.size()) return Frame::with_trailers(trailers_);
    return Frame::bytes(pieces_[at_++], false);
  }
  Task<Frame> pull(std::size_t max) override { co_return poll(max); }

 private:
  std::vector<std::string_view> pieces_;
  std::size_t at_ = 0;
  Headers trailers_;
};

// Tells what comes, and answers with a message in pieces.
Task<Response> echo_pieces(TestService& s, Exchange& x) {
  s.seen = std::string(x.request.headers.value(Known::content_type)) + ":";
  for (;;) {
    Frame frame = co_await x.request_body->pull(1 << 20);
    if (frame.is_data()) s.seen.append("[").append(frame.data).append("]");
    if (frame.last) break;
  }
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  head.headers.add(Known::content_type, "application/grpc");
  static constexpr char kMessage[] = "\0\0\0\0\4abcd";
  std::string_view message(kMessage, 9);
  std::vector<std::string_view> pieces{message.substr(0, 2), message.substr(2, 5), message.substr(7)};
  Response response{&head};
  response.body = &x.arena.make_owned<Pieces>(x.arena, pieces);
  co_return response;
}

struct GrpcWebTest : testing::Test {
  FilterService service;
  GrpcWebTest() {
    service.add(filters::grpc_web, envoy::extensions::filters::http::grpc_web::v3::GrpcWeb());
    service.handler = echo_pieces;
  }
};

TEST_F(GrpcWebTest, DecodesTextAsItComes) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kText);
    for (std::string_view chunk : {"2\r\naG\r\n", "7\r\nVsbG8=d\r\n", "3\r\n29y\r\n"}) {
      co_await client.send(chunk);
      co_await sleep(seconds(1));
    }
    std::string answer = co_await client.ask("0\r\n\r\n", "\r\n0\r\n\r\n");
    EXPECT_EQ(s.seen, "application/grpc:[hello][wor]");
    EXPECT_THAT(answer, HasSubstr("content-type: application/grpc-web-text+proto\r\n"));
  });
}

TEST_F(GrpcWebTest, EncodesEachMessageAndTheTrailersAsTexts) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask(std::string(kText) + "0\r\n\r\n", "\r\n0\r\n\r\n");
    std::string text;
    std::size_t at = answer.find("\r\n\r\n") + 4;
    while (true) {
      std::size_t size = std::stoul(answer.substr(at), nullptr, 16);
      if (size == 0) break;
      at = answer.find("\r\n", at) + 2;
      text += answer.substr(at, size);
      at += size + 2;
    }
    EXPECT_EQ(text,
              "AAAAAARhYmNk"
              "gAAAAA9ncnBjLXN0YXR1czowDQo=");
  });
}

TEST_F(GrpcWebTest, RefusesTextThatIsNone) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kText);
    co_await client.send("4\r\naGVs\r\n");
    co_await sleep(seconds(1));
    EXPECT_EQ(s.seen, "application/grpc:[hel]");
    std::string answer = co_await client.ask("4\r\n!!!!\r\n", "\r\n\r\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("grpc-status: 13\r\n")));
    EXPECT_EQ(s.log.back(), "POST /s/m 400 - grpc_base_64_decode_failed");
  });
}

TEST_F(GrpcWebTest, LeavesOtherRequestsAlone) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask("GET / HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\r\n",
                                             "grpc-status: 0\r\n\r\n");
    EXPECT_EQ(s.seen, "application/json:");
    EXPECT_THAT(answer, HasSubstr("content-type: application/grpc\r\n"));
  });
}

}  // namespace
}  // namespace outrider
