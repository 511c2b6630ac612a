// What a client of HTTP/2 gets, in simulated time.
#include "http/h2_server.h"

#include <deque>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class H2Client;

// One request of the client, and what came back.
struct Ask {
  Ask(H2Session& session, Worker& worker) : stream(session, worker, arena) {
    request.version = Version::http2;
    request.authority = "h";
    stream.request = &request;
    stream.response = &response;
  }
  Arena arena;
  RequestHead request{arena};
  ResponseHead response{arena};
  H2Stream stream;
};

class H2Client final : public H2Session::Owner {
 public:
  explicit H2Client(TestService& s)
      : service(s),
        transport(s.connect()),
        session(h2::Side::client, options, s.worker, *transport, *this, stats, bytes, bytes) {}

  // Runs the body beside the connection, which ends with it.
  Task<> use(Task<> (*body)(H2Client&)) {
    co_await scope.run(run_beside(*this, body));
    asked.clear();
    transport.reset();
  }
  Ask& ask(std::string_view path, bool end = true, Method method = Method::get) {
    Ask& made = asked.emplace_back(session, service.worker);
    made.request.path = path;
    made.request.set_method(method);
    session.open(made.stream, end);
    return made;
  }
  static bool answered(const Ask& a) { return a.stream.head_received || a.stream.broken(); }
  // "200 text", with "<reset N>" where it was broken off.
  Task<std::string> answer(Ask& a) {
    while (!answered(a)) co_await a.stream.changed().wait();
    std::string text = a.stream.head_received ? std::to_string(a.response.status) + " " : "";
    for (;;) {
      Frame frame = co_await a.stream.pull(1000);
      text += frame.data;
      if (frame.kind == Frame::Kind::trailers) text += "<trailers>";
      if (frame.is_reset()) text += "<reset " + std::to_string(static_cast<int>(a.stream.reset_code())) + ">";
      if (frame.last) co_return text;
    }
  }
  Task<std::string> get(std::string_view path) { co_return co_await answer(ask(path)); }
  Task<> until_over() {
    while (!over) co_await changed.wait();
  }

  H2Stream* stream_opens() override { return nullptr; }
  void request_received(H2Stream&) override {}
  void stream_failed(H2Stream&, const h2::Fault&) override {}
  void capacity_changed() override {}
  void ping_answered(std::uint64_t) override {}

  TestService& service;
  h2::Options options;
  StatBlock stats{h2_stat_table()};
  Cell bytes;
  std::unique_ptr<Transport> transport;
  H2Session session;
  std::deque<Ask> asked;
  Scope scope;
  bool over = false;
  Signal changed;

 private:
  static Task<> run_session(H2Client& c) {
    co_await c.session.run({});
    c.over = true;
    c.changed.notify_all();
  }
  static Task<> run_beside(H2Client& c, Task<> (*body)(H2Client&)) {
    c.scope.spawn(run_session, c);
    co_await body(c);
  }
};

class ServeH2 : public testing::Test {
 protected:
  void run(Task<> (*body)(H2Client&)) {
    body_ = body;
    service_.run([](TestService& s) -> Task<> {
      H2Client client(s);
      co_await client.use(body_);
    });
  }
  const std::vector<std::string>& log() { return service_.log; }

  TestService service_;
  static inline Task<> (*body_)(H2Client&);
};

// Sends back what it gets, with its trailers.
Task<Response> echo(TestService&, Exchange& x) {
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  co_return Response{&head, x.request_body};
}

// Never answers.
Task<Response> wait_for_ever(TestService& s, Exchange&) {
  for (;;) co_await s.signal.wait();
}

TEST_F(ServeH2, AnswersManyRequestsOfOneConnection) {
  run([](H2Client& c) -> Task<> {
    Ask& first = c.ask("/a");
    Ask& second = c.ask("/b");
    EXPECT_EQ(co_await c.answer(second), "200 /b");
    EXPECT_EQ(co_await c.answer(first), "200 /a");
    EXPECT_EQ(first.response.headers.value(Known::server), "test");
    EXPECT_FALSE(first.response.headers.has(Known::connection));
  });
  EXPECT_EQ(log(), (std::vector<std::string>{"GET /a 200 - direct_response", "GET /b 200 - direct_response"}));
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_http2_total), 1u);
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_http1_total), 0u);
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_http2_total), 2u);
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_2xx), 2u);
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_active), 0u);
  EXPECT_EQ(service_.count(H2Stat::streams_active), 0u);
}

TEST_F(ServeH2, IsSpokenAtOnceWhereTheCodecIsHttp2) {
  service_.options->codec = CodecType::http2;
  run([](H2Client& c) -> Task<> { EXPECT_EQ(co_await c.get("/a"), "200 /a"); });
}

TEST_F(ServeH2, PassesABodyAndItsTrailersBothWays) {
  service_.handler = echo;
  run([](H2Client& c) -> Task<> {
    Ask& a = c.ask("/", false, Method::post);
    std::string body(100'000, 'x');
    EXPECT_TRUE(co_await a.stream.send(Frame::bytes(body, false)));
    Headers trailers(a.arena);
    trailers.add("t", Known::none, "v");
    EXPECT_TRUE(co_await a.stream.send(Frame::with_trailers(trailers)));
    EXPECT_EQ(co_await c.answer(a), "200 " + body + "<trailers>");
  });
  EXPECT_EQ(service_.count(H2Stat::trailers), 1u);
}

TEST_F(ServeH2, EndsTheRequestThatItsClientResets) {
  service_.handler = wait_for_ever;
  run([](H2Client& c) -> Task<> {
    Ask& a = c.ask("/");
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.service.count(HttpStat::downstream_rq_active), 1u);
    a.stream.reset(h2::ErrorCode::cancel);
    co_await sleep(milliseconds(10));
    EXPECT_EQ(c.service.count(HttpStat::downstream_rq_active), 0u);
  });
  EXPECT_EQ(log(), (std::vector<std::string>{"GET / 0 DR http2.remote_reset"}));
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_rx_reset), 1u);
  EXPECT_EQ(service_.count(H2Stat::rx_reset), 1u);
}

TEST_F(ServeH2, EndsAllRequestsOfAClientThatLeaves) {
  service_.handler = wait_for_ever;
  run([](H2Client& c) -> Task<> {
    c.ask("/a");
    c.ask("/b");
    co_await sleep(milliseconds(10));
    c.session.stop();
    co_await c.until_over();
    c.asked.clear();
    c.transport.reset();
    co_await sleep(seconds(2));
    EXPECT_EQ(c.service.count(HttpStat::downstream_rq_active), 0u);
  });
  EXPECT_EQ(log(), (std::vector<std::string>{"GET /b 0 DC downstream_remote_disconnect",
                                             "GET /a 0 DC downstream_remote_disconnect"}));
}

TEST_F(ServeH2, AnswersARequestThatStandsStillForTooLong) {
  service_.options->stream_idle_timeout = seconds(3);
  service_.handler = wait_for_ever;
  run([](H2Client& c) -> Task<> {
    Ask& whole = c.ask("/whole");
    Ask& part = c.ask("/part", false, Method::post);
    EXPECT_EQ(co_await c.answer(whole), "504 stream timeout");
    EXPECT_EQ(co_await c.answer(part), "408 stream timeout");
    EXPECT_EQ(c.service.elapsed() / seconds(1), 3);
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_idle_timeout), 2u);
}

TEST_F(ServeH2, LeavesOtherRequestsAloneWhenOneIsTooLate) {
  service_.options->request_timeout = seconds(3);
  service_.handler = echo;
  run([](H2Client& c) -> Task<> {
    c.service.handler = wait_for_ever;
    Ask& late = c.ask("/late", false, Method::post);
    co_await sleep(seconds(2));
    c.service.handler = [](TestService&, Exchange& x) -> Task<Response> {
      co_await sleep(seconds(5));
      co_return x.reply(200, "slow", "direct_response");
    };
    Ask& slow = c.ask("/slow");
    EXPECT_EQ(co_await c.answer(late), "408 request timeout");
    EXPECT_EQ(co_await c.answer(slow), "200 slow");
  });
}

TEST_F(ServeH2, ResetsARequestWhoseAnswerIsThereBeforeIt) {
  run([](H2Client& c) -> Task<> {
    Ask& a = c.ask("/early", false, Method::post);
    EXPECT_EQ(co_await c.answer(a), "200 /early");
    co_await sleep(milliseconds(90));
    EXPECT_FALSE(a.stream.closed());
    co_await sleep(milliseconds(20));
    EXPECT_TRUE(a.stream.closed());
  });
  EXPECT_EQ(service_.count(H2Stat::tx_reset), 1u);
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_response_before_rq_complete), 1u);
}

TEST_F(ServeH2, DoesNotResetARequestThatEndsSoonBehindItsAnswer) {
  run([](H2Client& c) -> Task<> {
    Ask& a = c.ask("/early", false, Method::post);
    EXPECT_EQ(co_await c.answer(a), "200 /early");
    co_await a.stream.send(Frame::bytes("late", true));
    co_await sleep(milliseconds(10));
    EXPECT_TRUE(a.stream.closed());
    EXPECT_FALSE(a.stream.broken());
    Ask& b = c.ask("/reset", false, Method::post);
    EXPECT_EQ(co_await c.answer(b), "200 /reset");
    b.stream.reset(h2::ErrorCode::cancel);
    Ask& next = c.ask("/next");
    EXPECT_EQ(co_await c.answer(next), "200 /next");
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_response_before_rq_complete), 2u);
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_active), 0u);
}

TEST_F(ServeH2, RefusesStreamsBeyondItsLimit) {
  auto h2 = std::make_shared<H2Options>(*service_.options->h2);
  h2->codec.settings.max_concurrent_streams = 1;
  service_.options->h2 = h2;
  service_.handler = wait_for_ever;
  run([](H2Client& c) -> Task<> {
    c.ask("/a");
    Ask& b = c.ask("/b");
    EXPECT_EQ(co_await c.answer(b), "<reset 7>");
  });
  EXPECT_EQ(service_.count(H2Stat::stream_refused_errors), 1u);
  EXPECT_GE(service_.count(H2Stat::tx_reset), 1u);
}

TEST_F(ServeH2, EndsInTwoStepsWhenItHasLivedForTooLong) {
  service_.options->max_connection_duration = seconds(10);
  service_.handler = [](TestService&, Exchange& x) -> Task<Response> {
    co_await sleep(seconds(3));
    co_return x.reply(200, x.request.path, "direct_response");
  };
  run([](H2Client& c) -> Task<> {
    co_await sleep(seconds(9));
    Ask& a = c.ask("/a");
    co_await sleep(seconds(2));
    EXPECT_FALSE(c.session.may_open()) << "GOAWAY has come";
    EXPECT_EQ(co_await c.answer(a), "200 /a");
    EXPECT_FALSE(c.over);
    co_await c.until_over();
    EXPECT_EQ(c.service.elapsed() / seconds(1), 15);
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_max_duration_reached), 1u);
  EXPECT_EQ(service_.count(H2Stat::goaway_sent), 2u);
}

TEST_F(ServeH2, EndsAConnectionThatIsIdleForTooLong) {
  service_.options->idle_timeout = seconds(7);
  run([](H2Client& c) -> Task<> {
    EXPECT_EQ(co_await c.get("/"), "200 /");
    co_await c.until_over();
    EXPECT_EQ(c.service.elapsed() / seconds(1), 12) << "and the time to drain";
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_idle_timeout), 1u);
}

TEST_F(ServeH2, DrainsAnIdleConnectionAtOnce) {
  run([](H2Client& c) -> Task<> {
    EXPECT_EQ(co_await c.get("/"), "200 /");
    c.service.slot->draining = true;
    drain_connections(c.service.service);
    co_await c.until_over();
    EXPECT_EQ(c.service.elapsed() / seconds(1), 0);
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_drain_close), 1u);
}

TEST_F(ServeH2, LetsTheRequestsInFlightEndWhenItDrains) {
  service_.handler = [](TestService&, Exchange& x) -> Task<Response> {
    co_await sleep(seconds(3));
    co_return x.reply(200, x.request.path, "direct_response");
  };
  run([](H2Client& c) -> Task<> {
    Ask& a = c.ask("/a");
    co_await sleep(seconds(1));
    c.service.slot->draining = true;
    drain_connections(c.service.service);
    EXPECT_EQ(co_await c.answer(a), "200 /a");
    co_await c.until_over();
    EXPECT_EQ(c.service.elapsed() / seconds(1), 3);
  });
}

TEST_F(ServeH2, EndsBehindAsManyRequestsAsItMayServe) {
  service_.options->max_requests_per_connection = 2;
  run([](H2Client& c) -> Task<> {
    EXPECT_EQ(co_await c.get("/"), "200 /");
    EXPECT_TRUE(c.session.may_open());
    EXPECT_EQ(co_await c.get("/"), "200 /");
    EXPECT_FALSE(c.session.may_open());
    co_await c.until_over();
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_max_requests_reached), 1u);
}

TEST_F(ServeH2, EndsAConnectionWhosePeerAnswersNoPing) {
  auto h2 = std::make_shared<H2Options>(*service_.options->h2);
  h2->keepalive = {seconds(10), seconds(2), 0, milliseconds(0)};
  service_.options->h2 = h2;
  run([](H2Client& c) -> Task<> {
    co_await sleep(seconds(35));
    EXPECT_FALSE(c.over) << "it answers";
  });
  EXPECT_EQ(service_.count(H2Stat::keepalive_timeout), 0u);
  service_.run([](TestService& s) -> Task<> {
    TestClient silent(s.connect());
    co_await silent.send(h2::kPreface);
    co_await silent.send(std::string("\0\0\0\4\0\0\0\0\0", 9));
    std::string text = co_await silent.read_all();
    EXPECT_TRUE(text.ends_with("<end>") || text.ends_with("<reset>"));
  });
  EXPECT_EQ(service_.count(H2Stat::keepalive_timeout), 1u);
}

TEST_F(ServeH2, LeavesAClientThatResetsNearlyAllItAsksFor) {
  service_.handler = wait_for_ever;
  run([](H2Client& c) -> Task<> {
    for (int i = 0; i < 300 && c.session.may_open(); i++) {
      c.ask("/").stream.reset(h2::ErrorCode::cancel);
      if (i % 10 == 0) co_await sleep(milliseconds(1));
    }
    co_await c.until_over();
  });
  EXPECT_EQ(service_.count(HttpStat::downstream_rq_too_many_premature_resets), 1u);
}

TEST_F(ServeH2, EndsAConnectionWhoseHeadCannotBeDecoded) {
  service_.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(h2::kPreface);
    co_await client.send(std::string("\0\0\0\4\0\0\0\0\0", 9));
    co_await client.send(std::string("\0\0\1\1\5\0\0\0\1\xff", 10));
    EXPECT_TRUE((co_await client.read_all()).ends_with("<end>"));
  });
  EXPECT_EQ(log().size(), 1u);
  EXPECT_EQ(service_.count(HttpStat::downstream_cx_protocol_error), 1u);
  EXPECT_EQ(service_.count(H2Stat::streams_active), 0u);
}

TEST_F(ServeH2, MakesATunnelOfAnAcceptedUpgrade) {
  auto h2 = std::make_shared<H2Options>(*service_.options->h2);
  h2->codec.settings.enable_connect_protocol = true;
  service_.options->h2 = h2;
  service_.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    s.seen = std::string(x.request.method_name) + " " + std::string(x.upgrade) + " " +
             std::string(x.request.headers.value(Known::upgrade));
    auto& head = x.arena.make_owned<ResponseHead>(x.arena);
    head.status = 101;
    head.headers.add(Known::upgrade, "websocket");
    head.headers.add(Known::connection, "upgrade");
    struct Mirror final : Body, Sink {
      Task<Frame> pull(std::size_t) override {
        while (text.empty() && !ended) co_await more.wait();
        shown = std::exchange(text, {});
        co_return shown.empty() ? Frame::end() : Frame::bytes(shown, false);
      }
      Task<bool> write(std::string_view data) override {
        text += data;
        more.notify_all();
        co_return true;
      }
      void finish() override {
        ended = true;
        more.notify_all();
      }
      std::string text, shown;
      bool ended = false;
      Signal more;
    };
    auto& mirror = x.arena.make_owned<Mirror>();
    co_return Response{&head, &mirror, &mirror};
  };
  run([](H2Client& c) -> Task<> {
    Ask& a = c.asked.emplace_back(c.session, c.service.worker);
    a.request.set_method(Method::connect);
    a.request.protocol = "websocket";
    a.request.path = "/ws";
    co_await sleep(milliseconds(1));
    c.session.open(a.stream, false);
    EXPECT_TRUE(co_await a.stream.send(Frame::bytes("hello", false)));
    EXPECT_EQ((co_await a.stream.pull(100)).data, "hello");
    EXPECT_EQ(a.response.status, 200);
    EXPECT_FALSE(a.response.headers.has(Known::upgrade));
    EXPECT_TRUE(co_await a.stream.send(Frame::end()));
    EXPECT_EQ((co_await a.stream.pull(100)).kind, Frame::Kind::end);
  });
  EXPECT_EQ(service_.seen, "GET websocket websocket");
  EXPECT_EQ(log(), (std::vector<std::string>{"GET /ws 101 - -"}));
}

}  // namespace
}  // namespace outrider
