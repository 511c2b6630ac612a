// Requests that go to HTTP/2 hosts, and what comes back of them.
#include "upstream/h2_upstream_stream.h"

#include "upstream/h2_host_for_test.h"
#include "upstream/retry_policy.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(H2UpstreamStream, FieldsThatAreForOneConnectionStayBehind) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    co_await client.send(
        "POST /a HTTP/1.1\r\nhost: h\r\nconnection: x-mine\r\nx-mine: 1\r\nx-kept: 2\r\n"
        "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    EXPECT_EQ(one->line(), "POST h/a");
    EXPECT_EQ(one->request.scheme, "http");
    EXPECT_EQ(one->field("x-kept") + one->field("x-mine") + one->field("connection"), "2--");
    EXPECT_EQ(one->field("transfer-encoding"), "-");
    EXPECT_EQ(co_await host->body(*one), "body");
    host->answer(*one, 200);
    EXPECT_EQ((co_await client.read_to("\r\n\r\n")).substr(0, 12), "HTTP/1.1 200");
  });
}

TEST(H2UpstreamStream, TrailersCrossInBothDirections) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    co_await client.send("POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    co_await client.send("4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n");
    EXPECT_EQ(co_await host->body(*one), "body<trailers>");
    EXPECT_EQ(one->stream.trailers->find("x-sum")->value, "7");
    host->begin_answer(*one, 200);
    (void)one->stream.send_some("data", false);
    Headers trailers(one->arena);
    trailers.add("grpc-status", "0");
    co_await one->stream.send(Frame::with_trailers(trailers));
    std::string answer = co_await client.read_to("grpc-status: 0\r\n\r\n");
    EXPECT_NE(answer.find("\r\n\r\n4\r\ndata\r\n0\r\ngrpc-status: 0\r\n"), std::string::npos) << answer;
  });
}

TEST(H2UpstreamStream, TrailersWithoutABodyCrossToo) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    co_await client.send("POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-sum: 7\r\n\r\n");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    EXPECT_EQ(co_await host->body(*one), "<trailers>");
    host->answer(*one, 200);
    EXPECT_EQ((co_await client.read_to("\r\n\r\n")).substr(0, 12), "HTTP/1.1 200");
  });
}

TEST(H2UpstreamStream, AnEmptyBodyIsAnotherRequestThanNone) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    H2Host* host = nullptr;
    for (bool announced : {true, false}) {
      TestClient client = p.connect();
      co_await client.send(announced ? "POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                                     : "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n");
      if (!host) host = co_await p.host();
      H2Host::Asked* one = co_await host->next();
      EXPECT_EQ(co_await host->body(*one), "");
      EXPECT_EQ(one->stream.ended_with_head(), !announced);
      host->answer(*one, 200);
      EXPECT_EQ((co_await client.read_to("\r\n\r\n")).substr(0, 12), "HTTP/1.1 200");
    }
  });
}

TEST(H2UpstreamStream, ABodyGoesAsTheHostReadsIt) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    constexpr std::size_t kBytes = 1024 * 1024;
    TestClient client = p.connect();
    std::string request = "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: " + std::to_string(kBytes) + "\r\n\r\n";
    co_await client.send(request);
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    EXPECT_EQ(one->field("content-length"), std::to_string(kBytes));
    std::string bytes(kBytes, 'x');
    bool sent = false;
    static auto pour = +[](TestClient& c, std::string& b, bool& done) -> Task<> {
      co_await c.send(b);
      done = true;
    };
    p.scope.spawn(pour, client, bytes, sent);
    co_await sleep(seconds(1));
    EXPECT_FALSE(sent);
    EXPECT_LE(one->stream.bytes(), 65'535u);  // What the host has granted.
    EXPECT_EQ((co_await host->body(*one)).size(), kBytes);
    EXPECT_TRUE(sent);
    host->answer(*one, 200);
    EXPECT_EQ((co_await client.read_to("\r\n\r\n")).substr(0, 12), "HTTP/1.1 200");
  });
}

TEST(H2UpstreamStream, AnAnswerComesAsTheClientReadsIt) {
  H2TestProxy proxy;
  proxy.h2->codec.settings.initial_window_size = 100'000;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& client = p.get("/a");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    host->begin_answer(*one, 200);
    std::string bytes(4 * 1024 * 1024, 'x');
    bool sent = false;
    static auto pour = +[](H2Stream& s, std::string& b, bool& done) -> Task<> {
      co_await s.send(Frame::bytes(b, true));
      done = true;
    };
    p.scope.spawn(pour, one->stream, bytes, sent);
    co_await sleep(seconds(1));
    EXPECT_FALSE(sent);
    EXPECT_EQ((co_await p.answer(client)).size(), std::string("200 <end>").size() + bytes.size());
    EXPECT_TRUE(sent);
  });
}

TEST(H2UpstreamStream, InformationalAnswersPass) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& client = p.get("/a");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    for (int status : {103, 102}) {
      ResponseHead hint(one->arena);
      hint.status = static_cast<std::uint16_t>(status);
      hint.headers.add("link", "</s>");
      host->session->connection().send_response(one->stream, hint, false);
    }
    host->answer(*one, 200, "ok");
    std::string all = co_await client.read_all();
    EXPECT_EQ(all.substr(0, 38), "HTTP/1.1 103 Early Hints\r\nlink: </s>\r\n");
    EXPECT_LT(all.find("HTTP/1.1 102"), all.find("HTTP/1.1 200"));
  });
}

struct Reset {
  h2::ErrorCode code;
  std::string_view log;
  ClusterStat counted;
};

TEST(H2UpstreamStream, AStreamThatTheHostResetsIsToldAsByEnvoy) {
  static constexpr Reset kResets[] = {
      {h2::ErrorCode::internal_error, "GET /a 503 UR upstream_reset_before_response_started{remote_reset}",
       ClusterStat::upstream_rq_rx_reset},
      {h2::ErrorCode::cancel, "GET /a 503 UR upstream_reset_before_response_started{remote_reset}",
       ClusterStat::upstream_rq_rx_reset},
      {h2::ErrorCode::protocol_error, "GET /a 502 UPE upstream_reset_before_response_started{protocol_error}",
       ClusterStat::upstream_rq_tx_reset},
      {h2::ErrorCode::refused_stream,
       "GET /a 503 UR upstream_reset_before_response_started{remote_refused_stream_reset}",
       ClusterStat::upstream_rq_total},
  };
  static const Reset* each;
  for (const Reset& r : kResets) {
    each = &r;
    H2TestProxy proxy;
    proxy.run([](H2TestProxy& p) -> Task<> {
      TestClient& client = p.get("/a");
      H2Host* host = co_await p.host();
      (co_await host->next())->stream.reset(each->code);
      EXPECT_EQ((co_await p.answer(client)).substr(0, 3), each->log.substr(7, 3));
      EXPECT_EQ(p.log.back(), each->log);
      EXPECT_EQ(p.count(each->counted), 1u);
      EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 1u);  // The connection is as good as before.
    });
  }
}

TEST(H2UpstreamStream, ARefusedRequestIsTriedAgainWhereThePolicySaysSo) {
  H2TestProxy proxy;
  RetryPolicy policy;
  policy.on = parse_retry_on("refused-stream");
  policy.retries = 1;
  proxy.route.retry = std::make_shared<RetryPolicy>(policy);
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& client = p.get("/a");
    H2Host* host = co_await p.host();
    (co_await host->next())->stream.reset(h2::ErrorCode::refused_stream);
    host->answer(*co_await host->next(), 200, "again");
    EXPECT_EQ(co_await p.answer(client), "200 again<end>");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_retry), 1u);
  });
}

TEST(H2UpstreamStream, AnAnswerThatIsBrokenOffBreaksTheClientsToo) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& client = p.get("/a");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    host->begin_answer(*one, 200);
    (void)one->stream.send_some("half", false);
    co_await client.read_to("half");
    one->stream.reset(h2::ErrorCode::internal_error);
    EXPECT_EQ(co_await client.read_all(), "\r\n<end>");
    EXPECT_EQ(p.log.back(), "GET /a 200 UR upstream_reset_after_response_started{remote_reset}");
  });
}

TEST(H2UpstreamStream, AClientThatLeavesTakesItsStreamAlong) {
  H2TestProxy proxy;
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& client = p.get("/a");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    client.close();
    EXPECT_EQ(co_await host->body(*one), "");  // It had ended.
    co_await sleep(milliseconds(1));
    EXPECT_EQ(one->stream.reset_code(), h2::ErrorCode::cancel);
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_tx_reset), 1u);
    EXPECT_FALSE(host->over);
  });
}

TEST(H2UpstreamStream, ATimeOutEndsTheStreamOnly) {
  H2TestProxy proxy;
  proxy.route.timeout = seconds(3);
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient& client = p.get("/a");
    H2Host* host = co_await p.host();
    co_await host->next();
    EXPECT_EQ((co_await p.answer(client)).substr(0, 3), "504");
    TestClient& second = p.get("/b");
    host->answer(*co_await host->next(), 200, "b");
    EXPECT_EQ(co_await p.answer(second), "200 b<end>");
    EXPECT_EQ(p.count(ClusterStat::upstream_rq_timeout), 1u);
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_total), 1u);
  });
}

TEST(H2UpstreamStream, AnUpgradeIsAnExtendedConnect) {
  H2TestProxy proxy;
  proxy.http->upgrades = {"websocket"};
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    co_await client.send("GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-a: 1\r\n\r\n");
    H2Host* host = co_await p.host();
    H2Host::Asked* one = co_await host->next();
    EXPECT_EQ(one->line(), "CONNECT h/ws websocket");
    EXPECT_EQ(one->field("x-a") + one->field("upgrade"), "1-");
    host->begin_answer(*one, 200);
    std::string head = co_await client.read_to("\r\n\r\n");
    EXPECT_EQ(head.substr(0, 12), "HTTP/1.1 101");
    EXPECT_NE(head.find("upgrade: websocket\r\n"), std::string::npos);
    co_await client.send("hello");
    Frame frame = co_await one->stream.pull(100);
    EXPECT_EQ(frame.data, "hello");
    (void)one->stream.send_some("you", false);
    EXPECT_EQ(co_await client.read_to("you"), "you");
    client.transport().shutdown_write();
    EXPECT_EQ(co_await host->body(*one), "");
    one->stream.end();
    EXPECT_EQ(co_await client.read_all(), "<end>");
    EXPECT_EQ(p.count(ClusterStat::upstream_cx_active), 1u);
  });
}

TEST(H2UpstreamStream, ADeclinedUpgradeIsAnAnswer) {
  H2TestProxy proxy;
  proxy.http->upgrades = {"websocket"};
  proxy.run([](H2TestProxy& p) -> Task<> {
    TestClient client = p.connect();
    co_await client.send("GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    H2Host* host = co_await p.host();
    host->answer(*co_await host->next(), 403, "no");
    EXPECT_EQ((co_await client.read_all()).substr(0, 12), "HTTP/1.1 403");
  });
}

}  // namespace
}  // namespace outrider
