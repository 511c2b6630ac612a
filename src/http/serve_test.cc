#include "http/serve.h"

#include <gmock/gmock.h>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n";

// Answers with the request's body, trailers and all, as it comes.
Task<Response> echo(TestService&, Exchange& x) {
  Response response = x.reply(200, "", "direct_response");
  response.body = x.request_body;
  co_return response;
}

Task<Response> wait_for_signal(TestService& s, Exchange& x) {
  co_await s.signal.wait();
  co_return x.reply(200, x.request.path, "direct_response");
}

// ------------------------------------------------------------------------------------------------ persistence, order

TEST(Serve, KeepsTheConnectionForFurtherRequests) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    for (int i = 0; i < 3; i++) {
      std::string answer = co_await client.ask(kGet, "/a");
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
      EXPECT_THAT(answer, Not(HasSubstr("connection:")));
    }
    EXPECT_EQ(s.count(HttpStat::downstream_cx_total), 1u);
    EXPECT_EQ(s.count(HttpStat::downstream_rq_total), 3u);
    EXPECT_EQ(s.count(HttpStat::downstream_rq_2xx), 3u);
  });
}

TEST(Serve, AnswersPipelinedRequestsInTheirOrder) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string requests;
    for (int i = 0; i < 100; i++) requests += "GET /" + std::to_string(i) + ". HTTP/1.1\r\nhost: h\r\n\r\n";
    co_await client.send(requests);
    for (int i = 0; i < 100; i++) {
      std::string answer = co_await client.read_to("\r\n\r\n");
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
      EXPECT_EQ(co_await client.read_to("."), "/" + std::to_string(i) + ".");
    }
  });
}

TEST(Serve, FindsTheNextRequestBehindABodyThatNobodyRead) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(std::string(kPost) + "0123456789" + std::string(kGet));
    EXPECT_THAT(co_await client.read_to("/a"), Not(HasSubstr("connection: close")));
    EXPECT_THAT(co_await client.read_to("/a"), StartsWith("HTTP/1.1 200 OK"));
  });
}

TEST(Serve, GivesTrailersWholeToAReaderOfSmallPieces) {
  TestService service;
  service.path().segment_bytes_max = 1 << 20;
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    constexpr std::size_t kPiece = 100;
    for (;;) {
      Frame frame = x.request_body->poll(kPiece);
      if (frame.pending()) frame = co_await x.request_body->pull(kPiece);
      if (frame.kind == Frame::Kind::trailers) s.seen = frame.trailers->value("t");
      if (!frame.is_data()) break;
    }
    co_return x.reply(200, "done", "direct_response");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string trailer(5000, 't');
    std::string chunk = "7d0\r\n" + std::string(2000, 'x') + "\r\n";
    co_await client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + chunk +
                         "0\r\nt: " + trailer + "\r\n\r\n");
    EXPECT_THAT(co_await client.read_to("done"), StartsWith("HTTP/1.1 200 OK"));
    EXPECT_EQ(s.seen, trailer);
  });
}

TEST(Serve, ReadsARequestThatComesByteByByte) {
  TestService service;
  service.path().segment_bytes_max = 1;
  service.handler = echo;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string chunked =
        "POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n3;x\r\nefg\r\n0\r\nt: 1\r\n\r\n";
    for (int i = 0; i < 2; i++) {
      co_await client.send(chunked);
      EXPECT_THAT(co_await client.read_to("\r\n\r\n"), HasSubstr("transfer-encoding: chunked"));
      std::string body = co_await client.read_to("0\r\nt: 1\r\n\r\n");
      EXPECT_THAT(body, Not(HasSubstr("<end>")));
    }
  });
}

TEST(Serve, ClosesBehindTheAnswerWhenAskedTo) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("GET /a HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    std::string answer = co_await client.read_all();
    EXPECT_THAT(answer, HasSubstr("connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n/a<end>"));
  });
}

TEST(Serve, ClosesBehindTheLastRequestOfAConnection) {
  TestService service;
  service.options->max_requests_per_connection = 2;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask(kGet, "/a"), Not(HasSubstr("close")));
    co_await client.send(kGet);
    EXPECT_THAT(co_await client.read_all(), AllOf(HasSubstr("connection: close"), EndsWith("/a<end>")));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_max_requests_reached), 1u);
  });
}

TEST(Serve, AnswersAClientThatHasFinishedSending) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kGet);
    client.transport().shutdown_write();
    EXPECT_THAT(co_await client.read_all(), EndsWith("/a<end>"));
  });
}

TEST(Serve, SendsNoBodyToHead) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string answer = co_await client.ask("HEAD /abc HTTP/1.1\r\nhost: h\r\n\r\n", "\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("content-length: 4\r\n"));
    EXPECT_THAT(co_await client.ask(kGet, "/a"), StartsWith("HTTP/1.1 200 OK"));
  });
}

// ------------------------------------------------------------------------------------------------ bodies

TEST(Serve, PassesChunksAndTrailersThrough) {
  TestService service;
  service.handler = echo;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    EXPECT_THAT(co_await client.read_to("3\r\nabc\r\n"), HasSubstr("transfer-encoding: chunked"));
    co_await client.send("2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n");
    EXPECT_EQ(co_await client.read_to("\r\n\r\n"), "2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n");
  });
}

TEST(Serve, KeepsABodysLength) {
  TestService service;
  service.handler = echo;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kPost);
    co_await client.send("01234");
    EXPECT_THAT(co_await client.read_to("\r\n\r\n01234"), HasSubstr("content-length: 10"));
    co_await client.send("56789");
    EXPECT_EQ(co_await client.read_to("9"), "56789");
  });
}

constexpr std::string_view kExpecting =
    "POST /a HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";

TEST(Serve, AsksForABodyOnlyWhenItIsRead) {
  TestService service;
  service.handler = [](TestService&, Exchange& x) -> Task<Response> {
    Frame frame = co_await x.request_body->pull(100);
    co_return x.reply(200, frame.data, "direct_response");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kExpecting);
    EXPECT_EQ(co_await client.read_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    co_await client.send("ab");
    EXPECT_THAT(co_await client.read_to("ab"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(s.count(HttpStat::downstream_rq_1xx), 1u);
  });
}

TEST(Serve, DoesNotAskForABodyOnceTheAnswerHasBegun) {
  TestService service;
  service.handler = echo;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kExpecting);
    EXPECT_THAT(co_await client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
    co_await client.send("ab");
    EXPECT_EQ(co_await client.read_to("ab"), "ab");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_1xx), 0u);
  });
}

Task<> read_body(Exchange& x) { co_await x.request_body->pull(100); }

TEST(Serve, SaysNothingMoreWhereAskingForTheBodyWasStoppedHalfway) {
  TestService service;
  service.path().capacity_bytes = 10;
  service.handler = [](TestService&, Exchange& x) -> Task<Response> {
    co_await within(milliseconds(10), read_body(x));
    co_return x.reply(200, "", "direct_response");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kExpecting);
    co_await sleep(milliseconds(100));
    EXPECT_THAT(co_await client.read_all(), Not(HasSubstr("200")));
  });
}

TEST(Serve, DoesNotAskForABodyThatNobodyReads) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kExpecting);
    EXPECT_THAT(co_await client.read_all(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("connection: close")));
  });
}

TEST(Serve, ClosesBehindAnAnswerThatCameBeforeTheRequestWasWhole) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kPost);
    co_await client.send("0123");
    EXPECT_THAT(co_await client.read_all(), AllOf(HasSubstr("connection: close"), EndsWith("/a<end>")));
    EXPECT_EQ(s.count(HttpStat::downstream_rq_response_before_rq_complete), 1u);
  });
}

TEST(Serve, LetsTheClientReadTheAnswerWhileItStillSends) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n");
    for (int i = 0; i < 10; i++) co_await client.send(std::string(50'000, 'x'));
    EXPECT_THAT(co_await client.read_all(), EndsWith("/a<end>"));
  });
}

class Truncated final : public Body {
 public:
  Task<Frame> pull(std::size_t) override {
    pulls_++;
    co_return pulls_ == 1 ? Frame::bytes("some", false) : Frame::reset(Failure::connection_closed);
  }

 private:
  int pulls_ = 0;
};

Task<Response> answer_truncated(TestService&, Exchange& x) {
  Response response = x.reply(200, "", "via_upstream");
  response.body = &x.arena.make_owned<Truncated>();
  co_return response;
}

TEST(Serve, ShowsTheClientThatABodyIsTruncated) {
  TestService service;
  service.options->accept_http_10 = true;
  service.handler = answer_truncated;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kGet);
    EXPECT_THAT(co_await client.read_all(), EndsWith("4\r\nsome\r\n<end>"));
    TestClient old(s.connect());
    co_await old.send("GET / HTTP/1.0\r\nhost: h\r\n\r\n");
    EXPECT_THAT(co_await old.read_all(), EndsWith("<reset>"));
    EXPECT_EQ(s.count(HttpStat::downstream_rq_tx_reset), 2u);
  });
}

// Never ends, and counts what was taken of it.
class Endless final : public Body {
 public:
  Frame poll(std::size_t max) override {
    std::string_view data = std::string_view(bytes_).substr(0, max);
    taken += data.size();
    return Frame::bytes(data, false);
  }
  Task<Frame> pull(std::size_t max) override { co_return poll(max); }
  static inline std::size_t taken;

 private:
  std::string bytes_ = std::string(10'000, 'x');
};

TEST(Serve, PullsNoMoreThanASlowClientReads) {
  TestService service;
  service.handler = [](TestService&, Exchange& x) -> Task<Response> {
    Response response = x.reply(200, "", "direct_response");
    response.body = &x.arena.make_owned<Endless>();
    co_return response;
  };
  service.options->stream_idle_timeout = seconds(5);
  Endless::taken = 0;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kGet);
    co_await sleep(seconds(1));
    EXPECT_LE(Endless::taken, s.path().capacity_bytes + 10'000);
    EXPECT_LE(s.worker.blocks().in_use(), 1u);
    co_await sleep(seconds(7));
    EXPECT_EQ(s.count(HttpStat::downstream_rq_idle_timeout), 1u);
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
  });
}

TEST(Serve, ReadsNoMoreOfABodyThanIsWanted) {
  TestService service;
  service.handler = wait_for_signal;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::size_t sent = 0;
    std::string some(10'000, 'x');
    co_await client.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 10000000\r\n\r\n");
    for (;;) {
      iovec piece{some.data(), some.size()};
      IoResult r = client.transport().try_write(&piece, 1);
      if (!r.ok()) break;
      sent += r.bytes;
      co_await sleep(milliseconds(1));
    }
    EXPECT_LE(sent, s.path().capacity_bytes + BlockPool::kHeadBytes);
    EXPECT_LE(s.worker.blocks().in_use(), 1u);
  });
}

TEST(Serve, HoldsNoBufferForAnIdleConnection) {
  TestService service;
  service.handler = echo;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.ask(std::string(kPost) + "0123456789", "0123456789");
    co_await sleep(seconds(1));
    EXPECT_EQ(s.worker.blocks().in_use(), 0u);
    co_await client.send(kPost);
    co_await sleep(seconds(1));
    EXPECT_EQ(s.worker.blocks().in_use(), 1u) << "only the head's, while the body is awaited";
  });
}

// ------------------------------------------------------------------------------------------------ refusals

TEST(Serve, RefusesWhatIsNoRequest) {
  TestService service;
  service.handler = [](TestService& s, Exchange& x) -> Task<Response> {
    s.seen += x.request.path;
    co_return x.reply(200, "", "");
  };
  service.run([](TestService& s) -> Task<> {
    for (std::string_view bytes :
         {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nhost : h\r\n\r\n",
          "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
          "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na"}) {
      TestClient client(s.connect());
      co_await client.send(bytes);
      EXPECT_THAT(co_await client.read_all(), AllOf(StartsWith("HTTP/1.1 400 Bad Request"),
                                                    HasSubstr("connection: close"), EndsWith("Bad Request<end>")));
      EXPECT_THAT(s.log.back(), StartsWith("- - 400 DPE http1."));
    }
    EXPECT_EQ(s.seen, "");
    EXPECT_EQ(s.count(HttpStat::downstream_cx_protocol_error), 4u);
  });
}

TEST(Serve, RefusesAHeadThatIsTooLarge) {
  TestService service;
  service.options->limits.head_bytes_max = 4000;
  service.options->limits.field_count_max = 5;
  service.run([](TestService& s) -> Task<> {
    TestClient large(s.connect());
    co_await large.send("GET / HTTP/1.1\r\nhost: h\r\nx: " + std::string(5000, 'x') + "\r\n\r\n");
    EXPECT_THAT(co_await large.read_all(), StartsWith("HTTP/1.1 431 "));
    TestClient many(s.connect());
    co_await many.send("GET / HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n");
    EXPECT_THAT(co_await many.read_all(), StartsWith("HTTP/1.1 431 "));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_protocol_error), 2u);
    EXPECT_EQ(s.log.front(), "- - 431 DPE http1.headers_too_large");
  });
}

TEST(Serve, TakesAHeadLargerThanABlock) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    std::string fields = "\r\nhost: h\r\nx: " + std::string(BlockPool::kHeadBytes * 3, 'x') + "\r\n\r\n";
    co_await client.send(std::string(kGet) + "GET /b HTTP/1.1" + fields + "GET /c HTTP/1.1" + fields);
    for (const char* path : {"/a", "/b", "/c"})
      EXPECT_THAT(co_await client.read_to(path), StartsWith("HTTP/1.1 200 OK"));
  });
}

TEST(Serve, AnswersHttp10OnlyWhereItIsAccepted) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("GET / HTTP/1.0\r\nhost: h\r\n\r\n");
    EXPECT_THAT(co_await client.read_all(),
                AllOf(HasSubstr(" 426 Upgrade Required"), EndsWith("Upgrade Required<end>")));
    EXPECT_EQ(s.log.back(), "- - 426 DPE low_version");
    s.options->accept_http_10 = true;
    TestClient old(s.connect());
    co_await old.send("GET /old HTTP/1.0\r\nhost: h\r\n\r\n");
    EXPECT_THAT(co_await old.read_all(), AllOf(StartsWith("HTTP/1.0 200 OK"), EndsWith("/old<end>")));
    TestClient kept(s.connect());
    std::string_view keep = "GET /old HTTP/1.0\r\nhost: h\r\nconnection: keep-alive\r\n\r\n";
    EXPECT_THAT(co_await kept.ask(keep, "/old"), HasSubstr("connection: keep-alive"));
    EXPECT_THAT(co_await kept.ask(keep, "/old"), StartsWith("HTTP/1.0 200 OK"));
    TestClient nameless(s.connect());
    co_await nameless.send("GET /old HTTP/1.0\r\n\r\n");
    EXPECT_THAT(co_await nameless.read_all(), HasSubstr(" 400 Bad Request"));
  });
}

TEST(Serve, TakesNoHttp2WhereTheCodecIsHttp1) {
  TestService service;
  service.options->codec = CodecType::http1;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    EXPECT_THAT(co_await client.read_all(), HasSubstr(" 400 Bad Request"));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_http2_total), 0u);
    EXPECT_EQ(s.count(HttpStat::downstream_cx_http1_total), 1u);
  });
}

TEST(Serve, SaysNothingBehindHalfAnInformationalResponse) {
  TestService service;
  service.path().capacity_bytes = 1000;
  service.handler = [](TestService&, Exchange& x) -> Task<Response> {
    auto& hints = x.arena.make_owned<ResponseHead>(x.arena);
    hints.status = 103;
    hints.headers.add("link", x.arena.copy(std::string(300, 'l')));
    while (co_await within(seconds(1), x.client->inform(hints))) {
    }
    co_return x.reply(504, "late", "direct_response");
  };
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    co_await client.send(kGet);
    co_await sleep(seconds(5));
    EXPECT_THAT(co_await client.read_all(), Not(HasSubstr("504")));
    EXPECT_EQ(s.count(HttpStat::downstream_cx_active), 0u);
  });
}

TEST(Serve, RejectsATargetThatIsNoPath) {
  TestService service;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    EXPECT_THAT(co_await client.ask("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n", "\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
    EXPECT_EQ(s.log.back(), "OPTIONS * 404 - absolute_path_rejected");
    EXPECT_EQ(s.count(HttpStat::downstream_rq_non_relative_path), 1u);
  });
}

}  // namespace
}  // namespace outrider
