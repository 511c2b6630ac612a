#include <gmock/gmock.h>

#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType buffer;
}
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
namespace v3 = envoy::extensions::filters::http::buffer::v3;

// Says how the body comes: its length if that is told, its frames, its trailers.
Task<Response> tell_body(TestService& s, Exchange& x) {
  auto length = x.request_body->length();
  s.seen = length ? std::to_string(*length) + ":" : "?:";
  for (;;) {
    Frame frame = co_await x.request_body->pull(1 << 20);
    if (frame.is_reset()) s.seen += "<reset>";
    if (frame.is_data()) s.seen.append("[").append(frame.data).append("]");
    if (frame.trailers) s.seen += frame.trailers->begin()->name;
    if (frame.last) break;
  }
  co_return x.reply(200, "answered", "direct_response");
}

struct Buffered : testing::Test {
  FilterService service;
  explicit Buffered(std::uint32_t bytes_max = 10) {
    v3::Buffer config;
    config.mutable_max_request_bytes()->set_value(bytes_max);
    service.add(filters::buffer, config);
    service.handler = tell_body;
  }
};

constexpr std::string_view kChunked = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";

TEST_F(Buffered, GoesOnWholeAndWithItsLength) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kChunked);
    for (const char* chunk : {"3\r\nabc\r\n", "2\r\nde\r\n", "0\r\n\r\n"}) {
      EXPECT_EQ(s.seen, "");
      co_await client.send(chunk);
      co_await sleep(seconds(1));
    }
    EXPECT_THAT(co_await client.read_to("answered"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(s.seen, "5:[abcde]");
  });
}

TEST_F(Buffered, KeepsItsTrailers) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kChunked);
    co_await client.ask("3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n", "answered");
    EXPECT_EQ(s.seen, "?:[abc]x-t");
  });
}

TEST_F(Buffered, IsRefusedAsSoonAsItIsTooLarge) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n01234");
    co_await sleep(seconds(1));
    co_await client.send("567890");
    EXPECT_THAT(co_await client.read_all(), AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("connection: close\r\n"),
                                                  EndsWith("Payload Too Large<end>")));
    EXPECT_EQ(s.log.back(), "POST /p 413 - request_payload_too_large");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_too_large), 1u);
    EXPECT_EQ(s.seen, "");
  });
}

TEST_F(Buffered, ThatBreaksIsSeenToBreak) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kChunked);
    co_await client.ask("3\r\nabc\r\nzz\r\n", "answered");
    EXPECT_EQ(s.seen, "?:<reset>");
    client.close();
  });
}

TEST_F(Buffered, LeavesNothingBehindWhenTheClientLeaves) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kChunked);
    co_await client.send("3\r\nabc\r\n");
    co_await sleep(seconds(1));
    client.close();
    co_await sleep(seconds(1));
    EXPECT_EQ(s.log.back(), "POST / 0 DC downstream_remote_disconnect");
  });
}

TEST_F(Buffered, IsAskedFor) {
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    EXPECT_EQ(co_await client.read_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    co_await client.ask("ok", "answered");
    EXPECT_EQ(s.seen, "2:[ok]");
  });
}

TEST_F(Buffered, MayHaveAnotherLimitOnARoute) {
  v3::BufferPerRoute larger, off;
  larger.mutable_buffer()->mutable_max_request_bytes()->set_value(1000);
  service.say(0, filters::buffer, larger);
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kChunked);
    co_await client.ask("c\r\n012345678901\r\n0\r\n\r\n", "answered");
    EXPECT_EQ(s.seen, "12:[012345678901]");
  });
}

TEST_F(Buffered, MayBeOffOnARoute) {
  v3::BufferPerRoute off;
  off.set_disabled(true);
  service.say(0, filters::buffer, off);
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kChunked);
    co_await client.ask("3\r\nabc\r\n0\r\n\r\n", "answered");
    EXPECT_THAT(s.seen, StartsWith("?:[abc]"));
  });
}

}  // namespace
}  // namespace outrider
