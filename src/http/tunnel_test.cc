#include <gmock/gmock.h>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kUpgrade = "GET /t HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n";

// The far side of a tunnel, in the test's hands.
class FarSide final : public Sink, public Body {
 public:
  Task<bool> write(std::string_view data) override {
    received += data;
    changed.notify_all();
    co_return accepts;
  }
  void finish() override {
    finished = true;
    changed.notify_all();
  }
  Task<Frame> pull(std::size_t) override {
    while (to_send.empty() && !ended) co_await changed.wait();
    if (to_send.empty()) co_return broken ? Frame::reset(Failure::connection_closed) : Frame::end();
    sending = std::exchange(to_send, "");
    co_return Frame::bytes(sending, false);
  }
  void say(std::string_view text) {
    to_send += text;
    changed.notify_all();
  }
  void end() {
    ended = true;
    changed.notify_all();
  }
  Task<> until_finished() {
    while (!finished) co_await changed.wait();
  }

  std::string received, to_send, sending;
  bool accepts = true, finished = false, ended = false, broken = false;
  Signal changed;
};

FarSide* far_side;  // Of the tunnel that was opened last; the exchange's.

Task<Response> open_tunnel(TestService& s, Exchange& x) {
  s.seen = x.upgrade;
  Response response = x.reply(101, "", "direct_response");
  response.head->headers.add(Known::upgrade, "test");
  far_side = &x.arena.make_owned<FarSide>();
  response.body = far_side;
  response.tunnel = far_side;
  co_return response;
}

TEST(Tunnel, CarriesBytesBothWaysAndThoseThatCameWithTheHead) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(std::string(kUpgrade) + "early ");
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    EXPECT_EQ(s.seen, "test");
    co_await client.send("late");
    co_await sleep(seconds(1));
    EXPECT_EQ(far_side->received, "early late");
    far_side->say("answer");
    EXPECT_EQ(co_await client.read_to("answer"), "answer");
    EXPECT_EQ(s.count(HttpStat::downstream_cx_upgrades_active), 1u);
    client.close();
    co_await far_side->until_finished();
    far_side->end();
    co_await sleep(seconds(1));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_upgrades_active), 0u);
    EXPECT_THAT(s.log.back(), StartsWith("GET /t 101 "));
  });
}

TEST(Tunnel, StaysOpenForAnswersAfterTheClientHasFinished) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    co_await client.send("question");
    client.transport().shutdown_write();
    co_await far_side->until_finished();
    EXPECT_EQ(far_side->received, "question");
    co_await sleep(seconds(1));
    far_side->say("answer");
    far_side->end();
    EXPECT_EQ(co_await client.read_all(), "answer<end>");
    EXPECT_EQ(s.log.back(), "GET /t 101 - direct_response");
  });
}

TEST(Tunnel, StaysOpenForTheClientAfterTheFarSideHasFinished) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    far_side->end();
    EXPECT_EQ(co_await client.read_all(), "<end>");
    co_await client.send("still here");
    co_await sleep(seconds(1));
    EXPECT_EQ(far_side->received, "still here");
    client.transport().shutdown_write();
    co_await sleep(seconds(1));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
  });
}

TEST(Tunnel, ResetsTheClientWhenTheFarSideBreaks) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    far_side->broken = true;
    far_side->end();
    EXPECT_EQ(co_await client.read_all(), "<reset>");
    co_await sleep(seconds(1));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
  });
}

TEST(Tunnel, GetsOnlyWhatFollowsTheBodyOfItsRequest) {
  TestService service;
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    for (;;) {
      Frame frame = x.request_body->poll(BlockPool::kBodyBytes);
      if (frame.pending()) frame = co_await x.request_body->pull(BlockPool::kBodyBytes);
      if (frame.last) break;
    }
    co_return co_await open_tunnel(s, x);
  };
  service.run([](TestService& s) -> Task<> {
    for (std::string_view body :
         {"content-length: 5\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
      TestClient client(s.connect());
      std::string request(kUpgrade.substr(0, kUpgrade.size() - 2));
      co_await client.send(request.append(body) + "early ");
      EXPECT_THAT(co_await client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
      co_await client.send("late");
      co_await sleep(seconds(1));
      EXPECT_EQ(far_side->received, "early late");
      far_side->end();
      client.close();
      co_await sleep(seconds(1));
    }
  });
}

TEST(Tunnel, EndsWhenTheClientResets) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    client.transport().reset_on_close();
    client.close();
    co_await sleep(seconds(1));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
    EXPECT_EQ(s.log.back(), "GET /t 101 DC downstream_remote_disconnect");
  });
}

TEST(Tunnel, StopsReadingWhenNobodyListens) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    far_side->accepts = false;
    co_await client.send("x");
    co_await far_side->until_finished();
    far_side->say("last words");
    far_side->end();
    EXPECT_EQ(co_await client.read_all(), "last words<end>");
  });
}

TEST(Tunnel, EndsWithoutTraffic) {
  TestService service;
  service.options->stream_idle_timeout = seconds(30);
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    for (int i = 0; i < 5; i++) {
      co_await sleep(seconds(20));
      co_await client.send("x");
    }
    EXPECT_EQ(co_await client.read_all(), "<end>");
    EXPECT_EQ(s.log.back(), "GET /t 101 SI stream_idle_timeout");
  });
}

TEST(Tunnel, HoldsNoBufferWhileItWaits) {
  TestService service;
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    co_await client.send("x");
    co_await sleep(seconds(1));
    EXPECT_EQ(s.worker.blocks().in_use(), 1u) << "the head's";
  });
}

TEST(Tunnel, OutlivesTheTimeThatARequestHas) {
  TestService service;
  service.options->request_timeout = seconds(5);
  service.handler = open_tunnel;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(kUpgrade, "\r\n\r\n");
    co_await sleep(seconds(60));
    far_side->say("still here");
    EXPECT_EQ(co_await client.read_to("here"), "still here");
    far_side->end();
    client.transport().shutdown_write();
    EXPECT_EQ(co_await client.read_all(), "<end>");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_timeout), 0u);
  });
}

}  // namespace
}  // namespace outrider
