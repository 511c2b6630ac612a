// Time-outs, clients that leave, drains.
#include <gmock/gmock.h>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n";

Task<Response> wait_for_signal(TestService& s, Exchange& x) {
  co_await s.signal.wait();
  co_return x.reply(200, x.request.path, "direct_response");
}

TEST(ServeTime, ClosesAnIdleConnection) {
  TestService service;
  service.options->idle_timeout = seconds(10);
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    for (int i = 0; i < 3; i++) {
      EXPECT_THAT(co_await client.ask(kGet, "/a"), StartsWith("HTTP/1.1 200"));
      co_await sleep(seconds(9));
    }
    EXPECT_EQ(co_await client.read_all(), "<end>");
    EXPECT_GE(s.elapsed(), seconds(28));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_idle_timeout), 1u);
  });
}

TEST(ServeTime, AnswersARequestThatCrossesTheEndOfAnIdleConnection) {
  TestService service;
  service.options->idle_timeout = seconds(10);
  service.options->drain_timeout = seconds(3);
  service.run([](TestService& s) -> Task<> {
    TestClient late(s.connect()), silent(s.connect());
    for (TestClient* client : {&late, &silent}) co_await client->ask(kGet, "/a");
    co_await sleep(seconds(12));
    EXPECT_THAT(co_await late.ask(kGet, "/a"), HasSubstr("connection: close"));
    EXPECT_EQ(co_await late.read_all(), "<end>");
    EXPECT_EQ(co_await silent.read_all(), "<end>");
    EXPECT_GE(s.elapsed(), seconds(13));
    EXPECT_LT(s.elapsed(), seconds(14));
  });
}

TEST(ServeTime, AnswersAHeadThatDoesNotCome) {
  TestService service;
  service.options->request_headers_timeout = seconds(3);
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await sleep(seconds(100));  // It counts from the first byte.
    co_await client.send("GET / HTTP/1.1\r\n");
    EXPECT_THAT(co_await client.read_all(),
                AllOf(StartsWith("HTTP/1.1 408 "), EndsWith("request header timeout<end>")));
    EXPECT_EQ(s.log.back(), "- - 408 - request_header_timeout");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_header_timeout), 1u);
  });
}

TEST(ServeTime, CountsEachHeadsTimeAnew) {
  TestService service;
  service.options->request_headers_timeout = seconds(3);
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    for (int i = 0; i < 3; i++) {
      co_await client.send(kGet.substr(0, 10));
      co_await sleep(seconds(2));
      EXPECT_THAT(co_await client.ask(kGet.substr(10), "/a"), StartsWith("HTTP/1.1 200"));
    }
  });
}

TEST(ServeTime, AnswersAStreamWithoutProgress) {
  TestService service;
  service.options->stream_idle_timeout = seconds(5);
  service.handler = wait_for_signal;
  service.run([](TestService& s) -> Task<> {
    TestClient head(s.connect());
    co_await head.send("GET / HTTP/1.1\r\n");
    EXPECT_THAT(co_await head.read_all(), AllOf(StartsWith("HTTP/1.1 408 "), EndsWith("stream timeout<end>")));
    EXPECT_EQ(s.log.back(), "- - 408 SI stream_idle_timeout");
    TestClient body(s.connect());
    co_await body.send(kPost);
    EXPECT_THAT(co_await body.read_all(), AllOf(StartsWith("HTTP/1.1 408 "), EndsWith("stream timeout<end>")));
    TestClient answer(s.connect());
    co_await answer.send(kGet);
    EXPECT_THAT(co_await answer.read_all(), AllOf(StartsWith("HTTP/1.1 504 "), EndsWith("stream timeout<end>")));
    EXPECT_EQ(s.log.back(), "GET /a 504 SI stream_idle_timeout");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_idle_timeout), 3u);
  });
}

TEST(ServeTime, DoesNotEndASlowStreamThatMoves) {
  TestService service;
  service.options->stream_idle_timeout = seconds(5);
  service.handler = [](TestService&, Exchange& x) -> Task<Response> {
    Response response = x.reply(200, "", "direct_response");
    response.body = x.request_body;
    co_return response;
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kPost);
    for (const char* byte : {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
      co_await sleep(seconds(4));
      co_await client.send(byte);
    }
    EXPECT_THAT(co_await client.read_to("0123456789"), StartsWith("HTTP/1.1 200"));
  });
}

TEST(ServeTime, AnswersARequestThatTakesTooLong) {
  TestService service;
  service.options->request_timeout = seconds(5);
  service.handler = wait_for_signal;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kPost);
    for (int i = 0; i < 4; i++) {
      co_await sleep(seconds(1));
      co_await client.send("x");
    }
    EXPECT_THAT(co_await client.read_all(), AllOf(StartsWith("HTTP/1.1 408 "), EndsWith("request timeout<end>")));
    EXPECT_EQ(s.log.back(), "POST /a 408 - request_overall_timeout");
    TestClient head(s.connect());
    co_await head.send("GET / HTTP/1.1\r\n");
    EXPECT_THAT(co_await head.read_all(), EndsWith("request timeout<end>"));
    EXPECT_EQ(s.count(HttpStat::downstream_rq_timeout), 2u);
    TestClient whole(s.connect());
    co_await whole.send(kGet);
    co_await sleep(seconds(60));
    s.signal.notify_all();
    EXPECT_THAT(co_await whole.read_to("/a"), StartsWith("HTTP/1.1 200")) << "the answer may take longer";
  });
}

TEST(ServeTime, EndsAConnectionAtItsAge) {
  TestService service;
  service.options->max_connection_duration = seconds(10);
  service.handler = wait_for_signal;
  service.run([](TestService& s) -> Task<> {
    TestClient idle(s.connect());
    TestClient busy(s.connect());
    co_await busy.send(kGet);
    EXPECT_EQ(co_await idle.read_all(), "<end>");
    co_await sleep(seconds(1));
    s.signal.notify_all();
    EXPECT_THAT(co_await busy.read_all(), AllOf(HasSubstr("connection: close"), EndsWith("/a<end>")));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_max_duration_reached), 2u);
  });
}

TEST(ServeTime, StopsTheWorkOfAClientThatLeft) {
  TestService service;
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    struct Witness {
      std::string& seen;
      ~Witness() { seen += "destroyed"; }
    } witness{s.seen};
    co_await s.signal.wait();
    s.seen += "went on";
    co_return x.reply(200, "", "");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kGet);
    co_await sleep(seconds(1));
    client.close();
    co_await sleep(seconds(1));
    s.signal.notify_all();
    EXPECT_EQ(s.seen, "destroyed");
    EXPECT_EQ(s.log.back(), "GET /a 0 DC downstream_remote_disconnect");
    EXPECT_EQ(s.count(HttpStat::downstream_cx_destroy_remote_active_rq), 1u);
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
    EXPECT_EQ(s.count(HttpStat::downstream_rq_active), 0u);
  });
}

TEST(ServeTime, NotesAClientThatLeavesInsideTheAnswer) {
  TestService service;
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    s.seen = std::string(200'000, 'x');
    co_return x.reply(200, s.seen, "direct_response");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kGet);
    co_await client.read_to("xxx");
    client.transport().reset_on_close();
    client.close();
    co_await sleep(seconds(1));
    EXPECT_EQ(s.log.back(), "GET /a 200 DC downstream_remote_disconnect");
  });
}

TEST(ServeTime, DoesNotWaitForAClientThatReadsNothing) {
  TestService service;
  service.options->stream_idle_timeout = seconds(5);
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    s.seen = std::string(64 * 1024, 'x');
    if (x.request.path == "/a") co_return x.reply(200, s.seen, "direct_response");
    co_await s.signal.wait();
    co_return x.reply(200, "", "");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    s.path().capacity_bytes = 65'750;  // The first answer fits, the 504 does not.
    co_await client.send(std::string(kGet) + "GET /b HTTP/1.1\r\nhost: h\r\n\r\n");
    co_await sleep(seconds(20));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
    EXPECT_THAT(co_await client.read_all(), EndsWith("<reset>"));
  });
}

TEST(ServeTime, DrainsConnectionsThatAreLongIdleAtOnceAndOthersBehindTheirRequest) {
  TestService service;
  service.handler = wait_for_signal;
  service.run([](TestService& s) -> Task<> {
    TestClient idle(s.connect()), busy(s.connect()), begun(s.connect());
    co_await busy.send(kGet);
    co_await begun.send(kGet.substr(0, 10));
    co_await sleep(seconds(1));
    s.slot->draining = true;
    drain_connections(s.service);
    EXPECT_EQ(co_await idle.read_all(), "<end>");
    EXPECT_EQ(s.count(HttpStat::downstream_cx_drain_close), 1u);
    co_await begun.send(kGet.substr(10));
    co_await sleep(seconds(1));
    s.signal.notify_all();
    for (TestClient* client : {&busy, &begun}) {
      EXPECT_THAT(co_await client->read_all(), AllOf(HasSubstr("connection: close"), EndsWith("/a<end>")));
    }
    for (TestClient* client : {&idle, &busy, &begun}) client->close();
    co_await sleep(seconds(1));
    EXPECT_EQ(s.service.connections.count.value(), 0u);
  });
}

TEST(ServeTime, GivesTheClientTimeToReadTheLastWordsHoweverItsHeadCame) {
  TestService service;
  service.options->delayed_close_timeout = seconds(1);
  service.run([](TestService& s) -> Task<> {
    for (std::size_t first : {std::size_t{10}, kGet.size() - 2}) {
      TestClient client(s.connect());
      std::string head = "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\n";
      co_await client.send(head.substr(0, first));
      co_await sleep(milliseconds(100));
      co_await client.send(head.substr(first) + std::string(20'000, 'x'));
      EXPECT_THAT(co_await client.read_to("/a"), HasSubstr("connection: close"));
      co_await client.send(std::string(20'000, 'x'));
      co_await sleep(milliseconds(500));
      EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 1u);
      EXPECT_EQ(co_await client.read_all(), "<end>");
      co_await sleep(seconds(1));
      EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
    }
  });
}

TEST(ServeTime, ADrainingConnectionOfAMomentAgoMayBringOneMoreRequest) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient used(s.connect()), opened(s.connect()), silent(s.connect());
    co_await used.ask(kGet, "/a");
    s.slot->draining = true;
    drain_connections(s.service);
    co_await sleep(milliseconds(100));
    for (TestClient* client : {&used, &opened}) {
      co_await client->send(kGet);
      EXPECT_THAT(co_await client->read_all(), AllOf(HasSubstr("connection: close"), EndsWith("/a<end>")));
    }
    TimePoint before = s.worker.now();
    EXPECT_EQ(co_await silent.read_all(), "<end>");
    EXPECT_LE(s.worker.now() - before, milliseconds(500));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_drain_close), 1u);
  });
}

TEST(ServeTime, TakesTheNewestConfigurationForEachRequest) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(kGet, "/a"), HasSubstr("server: test\r\n"));
    auto newer = std::make_shared<HttpOptions>();
    newer->stats = s.options->stats;
    newer->server_name = "newer";
    newer->filters.add(std::make_unique<TestFilter>(s, s.handler));
    s.slot->set(newer, 0);
    EXPECT_THAT(co_await client.ask(kGet, "/a"), HasSubstr("server: newer\r\n"));
  });
}

}  // namespace
}  // namespace outrider
