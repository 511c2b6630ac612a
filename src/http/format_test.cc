#include "http/format.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "http/serve_for_test.h"

namespace outrider {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

// An exchange with everything in it, outside of any connection.
class FormatTest : public testing::Test {
 protected:
  class NoTransport final : public Transport {
   public:
    void shutdown_write() override {}
    void reset_on_close() override {}
    const Address& peer() const override { return peer_; }
    const Address& local() override { return local_; }

   private:
    IoResult system_read(char*, std::size_t) override { return IoResult::blocked(); }
    IoResult system_write(const iovec*, int) override { return IoResult::blocked(); }
    int system_connect_error() override { return 0; }
    Address peer_ = *Address::parse("192.168.0.7", 40123);
    Address local_ = *Address::parse("::1", 80);
  };

  FormatTest() {
    x.request.set_method(Method::post);
    x.request.path = "/new/path?b=2&a=1&e=&b=3";
    x.request.authority = "example.com";
    x.request.headers.add("user-agent", "curl");
    x.request.headers.add("x-twice", "first");
    x.request.headers.add("x-twice", "second");
    x.request.headers.add("x-empty", "");
    x.record.start = worker.now();
    x.record.start_wall = WallTime(std::chrono::seconds(1'795'225'199)) + microseconds(123'456);
    x.record.end = x.record.start + milliseconds(1500);
    x.record.request_end = x.record.start + microseconds(2'600);
    x.record.response_start = x.record.start + milliseconds(40);
    response.status = 200;
    response.headers.add("x-envoy-upstream-service-time", "12");
    x.response_headers = &response.headers;
    x.record.status = 200;
    x.record.bytes_received = 10;
    x.record.bytes_sent = 20'000'000'000;
  }

  std::string render(std::string_view text, FormatOptions options = {}) {
    auto format = Format::compile(text, options);
    if (!format) return "error at " + std::to_string(format.error().position) + ": " + format.error().message;
    std::string out;
    format->append(x, out);
    return out;
  }

  SimulatedClock clock;
  SimulatedPoller poller{clock};
  Worker worker{0, clock, poller, 1};
  SimulatedNetwork network{worker};
  NoTransport transport;
  HttpOptions options;
  StatBlock stats{http_stat_table()};
  Arena arena;
  DownstreamConnection connection{worker, network, nullptr, nullptr, 7, &transport.peer(), &transport};
  Exchange x{connection, options, stats};
  ResponseHead response{arena};
};

TEST_F(FormatTest, WritesEnvoysDefaultLine) {
  EXPECT_EQ(render(kAccessLogFormatDefault),
            "[2026-11-21T01:39:59.123Z] \"POST /new/path?b=2&a=1&e=&b=3 HTTP/1.1\" 200 - 10 20000000000 1500 12 \"-\" "
            "\"curl\" \"-\" \"example.com\" \"-\"\n");
}

TEST_F(FormatTest, WritesTheDefaultLineForBytesThatWereNoRequest) {
  x.request = RequestHead(x.arena);
  x.response_headers = nullptr;
  x.record.flags.set(ResponseFlag::downstream_protocol_error);
  x.record.status = 400;
  EXPECT_EQ(
      render(kAccessLogFormatDefault),
      "[2026-11-21T01:39:59.123Z] \"- - HTTP/1.1\" 400 DPE 10 20000000000 1500 - \"-\" \"-\" \"-\" \"-\" \"-\"\n");
}

TEST_F(FormatTest, ReadsHeaders) {
  EXPECT_EQ(render("%REQ(User-Agent)% %REQ(host)% %REQ(:scheme)% %RESP(:status)%"), "curl example.com http 200");
  EXPECT_EQ(render("%REQ(NONE)% %REQ(none?user-agent)% %REQ(user-agent?none)%"), "- curl curl");
  EXPECT_EQ(render("%REQ(x-twice)%"), "first");
  EXPECT_EQ(render("[%REQ(x-empty)%]"), "[]") << "an empty value is a value";
  EXPECT_EQ(render("%REQ(user-agent):2% %REQ(user-agent):9% %REQ(user-agent):0%."), "cu curl .");
  EXPECT_EQ(render("%RESP(none?x-envoy-upstream-service-time)% %TRAILER(t)%"), "12 -");
  Headers trailers(arena);
  trailers.add("t", "5");
  x.response_trailers = &trailers;
  EXPECT_EQ(render("%TRAILER(T)%"), "5");
}

TEST_F(FormatTest, ShowsThePathBeforeARewrite) {
  EXPECT_EQ(render("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PATH(NQ:ORIG)%"), "/new/path?b=2&a=1&e=&b=3 -");
  x.record.original_path = "/old/path?o=1";
  EXPECT_EQ(render("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:PATH)%"), "/old/path?o=1 /new/path?b=2&a=1&e=&b=3");
  EXPECT_EQ(render("%PATH% %PATH(NQ)% %PATH(WQ:PATH)% %PATH(NQ:PATH):4%"),
            "/old/path?o=1 /old/path /new/path?b=2&a=1&e=&b=3 /new");
  EXPECT_EQ(render("%QUERY_PARAM(o)% %QUERY_PARAMS%"), "1 o=1");
}

TEST_F(FormatTest, FindsQueryParameters) {
  EXPECT_EQ(render("%QUERY_PARAM(a)% %QUERY_PARAM(b)% [%QUERY_PARAM(e)%] %QUERY_PARAM(z)%"), "1 2 [] -");
  x.request.path = "/";
  EXPECT_EQ(render("%QUERY_PARAM(a)% %QUERY_PARAMS%"), "- -");
}

TEST_F(FormatTest, WritesAddresses) {
  EXPECT_EQ(render("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%"),
            "192.168.0.7:40123 192.168.0.7 40123");
  EXPECT_EQ(render("%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%"),
            "[::1]:80 ::1 80");
  EXPECT_EQ(render("%UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_CLUSTER%"), "- - -");
  Address host = *Address::parse("10.0.0.1", 8080), pipe = Address::pipe("/run/x.sock");
  x.record.upstream_peer = &host;
  EXPECT_EQ(render("%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS%"), "10.0.0.1:8080 -") << "never connected";
  x.record.upstream_local = &connection.local();
  EXPECT_EQ(render("%UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_PORT% %UPSTREAM_LOCAL_ADDRESS%"),
            "10.0.0.1:8080 8080 [::1]:80");
  x.record.upstream_peer = &pipe;
  EXPECT_EQ(render("%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%"), "/run/x.sock -");
}

TEST_F(FormatTest, BelievesATrustedPeerWhoTheClientIs) {
  constexpr std::string_view kBoth = "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%";
  x.request.headers.add("x-forwarded-for", "9.9.9.9, 10.1.1.1");
  EXPECT_EQ(render(kBoth), "10.1.1.1:0 192.168.0.7:40123");
  x.request.headers.set("x-forwarded-for", "unknown");
  EXPECT_EQ(render(kBoth), "192.168.0.7:40123 192.168.0.7:40123");
  options.use_remote_address = true;
  x.request.headers.set("x-forwarded-for", "9.9.9.9");
  EXPECT_EQ(render(kBoth), "192.168.0.7:40123 192.168.0.7:40123");
}

TEST_F(FormatTest, WritesDurations) {
  EXPECT_EQ(render("%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%"), "1500 2 40 1460");
  EXPECT_EQ(render("%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)% %COMMON_DURATION(DS_RX_BEG:US_TX_BEG:ns)%"), "2600 -");
  x.record.response_start.reset();
  EXPECT_EQ(render("%RESPONSE_DURATION% %RESPONSE_TX_DURATION%"), "- -");
}

TEST_F(FormatTest, WritesTimes) {
  EXPECT_EQ(render("%START_TIME%"), "2026-11-21T01:39:59.123Z");
  EXPECT_EQ(render("%START_TIME(%Y/%m/%dT%H:%M:%S%z)%"), "2026/11/21T01:39:59+0000");
  EXPECT_EQ(render("%START_TIME(%s.%3f)% %START_TIME(%3f|%6f|%9f|%f|%1f)%"),
            "1795225199.123 123|123456|123456000|123456000|1");
  EXPECT_EQ(render("%START_TIME(%E3S %E*S %E4f %E*f %E0S)%"), "59.123 59.123456 1234 123456 59");
  EXPECT_EQ(render("%START_TIME(%H%%:%3s)%"), "01%:1795225199");
  EXPECT_EQ(render("%EMIT_TIME(%Y-%m-%d)%"), "2020-09-13");
  x.record.start_wall += std::chrono::hours(1);
  EXPECT_EQ(render("%START_TIME%"), "2026-11-21T02:39:59.123Z");
}

TEST_F(FormatTest, WritesFlagsAndDetails) {
  x.record.flags.set(ResponseFlag::upstream_connection_failure);
  x.record.flags.set(ResponseFlag::upstream_retry_limit_exceeded);
  x.record.details = "upstream_reset_before_response_started{remote connection failure}";
  x.record.upstream_failure = "delayed connect error: Connection refused";
  EXPECT_EQ(render("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%"),
            "UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded");
  EXPECT_EQ(render("%RESPONSE_CODE_DETAILS%"), "upstream_reset_before_response_started{remote_connection_failure}");
  EXPECT_EQ(render("%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%"), x.record.details);
  EXPECT_EQ(render("%UPSTREAM_TRANSPORT_FAILURE_REASON%"), "delayed_connect_error:_Connection_refused");
}

TEST_F(FormatTest, WritesTheStatusOfGrpc) {
  response.headers.add("grpc-status", "3");
  EXPECT_EQ(render("%GRPC_STATUS%"), "-") << "the request is not gRPC";
  x.request.headers.add("content-type", "application/grpc+proto");
  EXPECT_EQ(render("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%"),
            "InvalidArgument INVALID_ARGUMENT 3");
  Headers trailers(arena);
  trailers.add("grpc-status", "77");
  x.response_trailers = &trailers;
  EXPECT_EQ(render("%GRPC_STATUS%"), "77");
}

TEST_F(FormatTest, WritesWhatIsLeft) {
  x.record.route_name = "main";
  x.record.cluster_name = "backend";
  x.record.attempts = 2;
  x.request.headers.add("x-request-id", "id");
  EXPECT_EQ(render("%ROUTE_NAME% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %CONNECTION_ID% %STREAM_ID%"),
            "main backend 2 7 id");
  EXPECT_EQ(render("100%% %REQUESTED_SERVER_NAME% %ACCESS_LOG_TYPE%"), "100% - DownstreamEnd");
}

TEST_F(FormatTest, ReadsTheEnvironmentOnce) {
  setenv("OUTRIDER_FORMAT_TEST", "value", 1);
  auto format = Format::compile(
      "%ENVIRONMENT(OUTRIDER_FORMAT_TEST)% %ENVIRONMENT(OUTRIDER_FORMAT_TEST):3% %ENVIRONMENT(OUTRIDER_NONE)%");
  unsetenv("OUTRIDER_FORMAT_TEST");
  ASSERT_TRUE(format);
  EXPECT_TRUE(format->constant());
  std::string out;
  format->append(x, out);
  EXPECT_EQ(out, "value val -");
  EXPECT_FALSE(Format::compile("%PROTOCOL%")->constant());
}

TEST_F(FormatTest, LeavesOutWhatIsNotThere) { EXPECT_EQ(render("[%REQ(none)%]", {.omit_empty = true}), "[]"); }

TEST_F(FormatTest, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(render("abc %"), HasSubstr("error at 4: "));
  EXPECT_THAT(render("%REQ(a%"), HasSubstr("error at 0: no valid operator"));
  EXPECT_THAT(render("%req(a)%"), HasSubstr("no valid operator"));
  EXPECT_THAT(render("%REQ(a):x%"), HasSubstr("no valid operator"));
  EXPECT_THAT(render("ok %UPSTREAM_HOTS%"),
              testing::StrEq("error at 3: there is no operator %UPSTREAM_HOTS%; did you mean %UPSTREAM_HOST%?"));
  EXPECT_THAT(render("%QQQQQQ%"), testing::StrEq("error at 0: there is no operator %QQQQQQ%"));
  EXPECT_THAT(render("%FILTER_STATE(a)%"), HasSubstr("%FILTER_STATE% is not built yet"));
  EXPECT_THAT(render("%REQ%"), HasSubstr("needs arguments"));
  EXPECT_THAT(render("%REQ(a?b?c)%"), HasSubstr("at most one alternative"));
  EXPECT_THAT(render("%REQ(a b)%"), HasSubstr("is no header name"));
  EXPECT_THAT(render("%PROTOCOL(a)%"), HasSubstr("takes no arguments"));
  EXPECT_THAT(render("%DURATION:3%"), HasSubstr("takes no length"));
  EXPECT_THAT(render("%PATH(a)%"), HasSubstr("%PATH% takes WQ"));
  EXPECT_THAT(render("%COMMON_DURATION(a:b:ms)%"), HasSubstr("DS_RX_BEG"));
  EXPECT_THAT(render("%GRPC_STATUS(a)%"), HasSubstr("CAMEL_STRING"));
}

TEST_F(FormatTest, AllocatesNothingOnceTheBufferIsLargeEnough) {
  auto format = Format::compile(kAccessLogFormatDefault);
  std::string out;
  format->append(x, out);
  const char* at = out.data();
  std::size_t size = out.size();
  out.clear();
  format->append(x, out);
  EXPECT_EQ(out.data(), at);
  EXPECT_EQ(out.size(), size);
}

}  // namespace
}  // namespace outrider
