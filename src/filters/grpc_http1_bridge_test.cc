#include <gmock/gmock.h>

#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType grpc_http1_bridge;
}
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kMessage("\0\0\0\0\3abc", 8);

// A message of gRPC, and the status that the test says.
class Answer final : public Body {
 public:
  Answer(Arena& arena, std::string_view status, std::string_view bytes) : bytes_(bytes), trailers_(arena) {
    trailers_.add(Known::grpc_status, status);
    trailers_.add(Known::grpc_message, "why");
  }
  Frame poll(std::size_t) override {
    return std::exchange(told_, true) ? Frame::with_trailers(trailers_) : Frame::bytes(bytes_, false);
  }
  Task<Frame> pull(std::size_t max) override { co_return poll(max); }

 private:
  std::string_view bytes_;
  bool told_ = false;
  Headers trailers_;
};

// Tells the request, and answers with the status that its path says.
Task<Response> answer_with_status(TestService& s, Exchange& x) {
  s.seen = std::string(x.request.path) + " " + std::string(x.request.headers.value(Known::content_type)) + " ";
  for (;;) {
    Frame frame = co_await x.request_body->pull(1 << 20);
    if (frame.is_data()) s.seen.append(frame.data);
    if (frame.last) break;
  }
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  Response response{&head};
  static const std::string large(4 << 20, 'x');
  std::string_view bytes = x.request.path == "/large" ? std::string_view(large) : kMessage;
  response.body = &x.arena.make_owned<Answer>(x.arena, x.request.path == "/0" ? "0" : "5", bytes);
  co_return response;
}

struct Bridge : testing::Test {
  FilterService service;
  Bridge() {
    envoy::extensions::filters::http::grpc_http1_bridge::v3::Config config;
    config.set_upgrade_protobuf_to_grpc(true);
    config.set_ignore_query_parameters(true);
    service.add(filters::grpc_http1_bridge, config);
    service.handler = answer_with_status;
  }
};

std::string call(std::string_view path, std::string_view type, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nhost: h\r\ncontent-type: " + std::string(type) +
         "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

TEST_F(Bridge, PutsTheStatusIntoTheHead) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask(call("/0", "application/grpc", kMessage), "abc");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("grpc-status: 0\r\n"),
                              HasSubstr("grpc-message: why\r\n"), HasSubstr("content-length: 8\r\n")));
    EXPECT_EQ(s.seen, "/0 application/grpc " + std::string(kMessage));
    answer = co_await client.ask(call("/x?y", "application/grpc", kMessage), "abc");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("grpc-status: 5\r\n")));
    EXPECT_EQ(s.seen, "/x application/grpc " + std::string(kMessage));
  });
}

TEST_F(Bridge, PutsProtobufIntoAMessage) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask(call("/0", "application/x-protobuf", "abc"), "abc");
    EXPECT_EQ(s.seen, "/0 application/grpc " + std::string(kMessage));
    EXPECT_THAT(answer, AllOf(HasSubstr("content-length: 3\r\n"), EndsWith("\r\n\r\nabc")));
  });
}

TEST_F(Bridge, LeavesOtherRequestsAlone) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask(call("/5", "application/json", "{}"), "grpc-message: why\r\n\r\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("transfer-encoding: chunked\r\n")));
  });
}

TEST_F(Bridge, RefusesAnAnswerThatItCannotKeep) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask(call("/large", "application/grpc", kMessage), "\r\n\r\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("grpc-status: 2\r\n")));
    EXPECT_EQ(s.log.back(), "POST /large 200 - response_payload_too_large");
  });
}

}  // namespace
}  // namespace outrider
