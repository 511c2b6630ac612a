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

constexpr std::string_view kBothAddresses = "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%";

TEST_F(FormatTest, BelievesATrustedPeerWhoTheClientIs) {
  x.request.headers.add("x-forwarded-for", "9.9.9.9, 10.1.1.1");
  EXPECT_EQ(render(kBothAddresses), "10.1.1.1:0 192.168.0.7:40123");
}

TEST_F(FormatTest, ThePeerIsTheClientIfNoOtherAddressIsNamed) {
  x.request.headers.set("x-forwarded-for", "unknown");
  EXPECT_EQ(render(kBothAddresses), "192.168.0.7:40123 192.168.0.7:40123");
}

TEST_F(FormatTest, ThePeerIsTheClientAtTheEdge) {
  options.client.use_remote_address = true;
  x.request.headers.set("x-forwarded-for", "9.9.9.9");
  EXPECT_EQ(render(kBothAddresses), "192.168.0.7:40123 192.168.0.7:40123");
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
  x.record.flags.set(ResponseFlag::upstream_retry_limit_exceeded);
  x.record.flags.set(ResponseFlag::upstream_connection_failure);
  x.record.details = "upstream_reset_before_response_started{remote connection failure}";
  x.record.upstream_failure = "delayed connect error: Connection refused";
  EXPECT_EQ(render("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%"),
            "URX,UF UpstreamRetryLimitExceeded,UpstreamConnectionFailure");
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
  EXPECT_EQ(render("100%% %REQUESTED_SERVER_NAME% %ACCESS_LOG_TYPE%"), "100% - NotSet");
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

TEST_F(FormatTest, TakesTheFirstThatHasAValue) {
  EXPECT_EQ(render(R"(%COALESCE({"operators":["GRPC_STATUS",{"command":"REQ","param":"none?x-twice"}]})%.)"), "first.");
  EXPECT_EQ(render(R"(%COALESCE({"operators":["GRPC_STATUS"]})%)"), "-");
  EXPECT_EQ(render(R"(%COALESCE({"operators":[{"command":"REQ","param":"x-twice","max_length":3}]}):2%)"), "fi");
  EXPECT_EQ(render(R"(%COALESCE( {"x": [1e2, null, true, {}], "oper\u0061tors" : ["PROTOCOL"]} )%)"), "HTTP/1.1");
  EXPECT_EQ(render(R"(%COALESCE({"operators":[{"command":"QUERY_PARAM","param":")%"},{"command":"QUERY_PARAM",)"
                   R"("param":"a"}]})%)"),
            "error at 0: COALESCE: its parameters are no JSON")
      << "the first bracket before a percent sign ends the command";
}

TEST_F(FormatTest, LeavesOutWhatIsNotThere) { EXPECT_EQ(render("[%REQ(none)%]", {.omit_empty = true}), "[]"); }

TEST_F(FormatTest, SaysWhatIsWrongAndWhere) {
  constexpr std::pair<std::string_view, std::string_view> kWrong[] = {
      {"abc %", "error at 4: Incorrect configuration: Couldn't find valid command at position 4"},
      {"%REQ(a%", "error at 0: Incorrect configuration"},
      {"%req(a)%", "Couldn't find valid command"},
      {"%REQ(a):x%", "Couldn't find valid command"},
      {"ok %UPSTREAM_HOTS%",
       "error at 3: Not supported field in StreamInfo: UPSTREAM_HOTS; did you mean %UPSTREAM_HOST%?"},
      {"%QQQQQQ%", "error at 0: Not supported field in StreamInfo: QQQQQQ"},
      {"%CEL(request.path)%", "%CEL% is not built yet"},
      {"%TYPED_CEL(request.path)%", "%TYPED_CEL% is not built yet"},
      {"%REQ(a)b)%", "Invalid header configuration"},
      {"%COALESCE%", "COALESCE requires parameters"},
      {"%COALESCE(x)%", "COALESCE: its parameters are no JSON"},
      {"%COALESCE([1])%", "COALESCE: JSON configuration must contain 'operators' array"},
      {"%COALESCE({\"operators\":1})%", "COALESCE: 'operators' must be an array"},
      {"%COALESCE({\"operators\":[]})%", "COALESCE: 'operators' array must not be empty"},
      {"%COALESCE({\"operators\":[\"PROTOCOL\",1]})%", "COALESCE: failed to parse operator at index 1: an operator is"},
      {"%COALESCE({\"operators\":[\"\"]})%", "at index 0: Not supported field"},
      {"%COALESCE({\"operators\":[{}]})%", "at index 0: an operator's object needs 'command'"},
      {"%COALESCE({\"operators\":[{\"command\":\"REQ\"}]})%", "at index 0: REQ requires parameters"},
      {"%COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":7}]})%", "'param' must be a text"},
      {"%COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":\"a\",\"max_length\":1.5}]})%", "must be an integer"},
      {"%COALESCE({\"operators\":[{\"command\":\"REQ\",\"param\":\"a\",\"max_length\":0}]})%", "a positive integer"},
      {"%COALESCE({\"operators\":[{\"command\":\"PROTOCOL\",\"max_length\":1}]})%", "PROTOCOL does not take any"},
      {"%REQ%", "REQ requires parameters"},
      {"%REQ(a?b?c)%", "More than 1 alternative header specified in token: a?b?c"},
      {"%REQ(a b)%", "Invalid header configuration"},
      {"%REQ_WITHOUT_QUERY(a)%", "Not supported field in StreamInfo: REQ_WITHOUT_QUERY"},
      {"%PROTOCOL(a)%", "PROTOCOL does not take any parameters or length"},
      {"%DURATION:3%", "DURATION does not take any parameters or length"},
      {"%START_TIME(%s):3%", "START_TIME does not allow length to be specified."},
      {"%PATH(a)%", "Invalid PATH option: 'a', only 'WQ'/'NQ' are allowed"},
      {"%PATH(WQ:a)%", "only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed"},
      {"%QUERY_PARAMS(a)%", "Invalid QUERY_PARAMS option: 'a'"},
      {"%COMMON_DURATION(a)%", "Invalid common duration configuration: a."},
      {"%COMMON_DURATION(a:b:x)%", "Invalid common duration precision: x."},
      {"%GRPC_STATUS(a)%", "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: a"},
      {"%METADATA(X:y)%", "X is not supported type of metadata"},
      {"%FILTER_STATE%", "Invalid filter state configuration, key cannot be empty."},
      {"%FILTER_STATE(a:X)%", "only support PLAIN/TYPED/FIELD."}};
  for (auto [text, message] : kWrong) EXPECT_THAT(render(text), HasSubstr(message)) << text;
}

TEST_F(FormatTest, ShowsWhereTheMaskEnds) {
  EXPECT_EQ(render("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(20)%"), "192.168.0.0/20");
  EXPECT_EQ(render("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(99)% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(0)%"),
            "192.168.0.7/32 ::/0");
}

TEST_F(FormatTest, NamesTheHostsThatWereTried) {
  Address first = *Address::parse("10.0.0.1", 80), second = *Address::parse("10.0.0.2", 81);
  EXPECT_EQ(render("%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_CONNECTION_IDS_ATTEMPTED%"), "- -");
  AttemptRecord one{&first, "one:80", 4, nullptr}, two{&second, "", 6, &one};
  x.record.last_attempt = &two;
  EXPECT_EQ(render("%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_HOST_NAMES_ATTEMPTED%"),
            "10.0.0.1:80,10.0.0.2:81 one:80,10.0.0.2:81");
  EXPECT_EQ(render("%UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT% %UPSTREAM_CONNECTION_IDS_ATTEMPTED%"),
            "one,10.0.0.2 4,6");
}

TEST_F(FormatTest, ReadsMetadata) {
  x.metadata().space("com.x")["n"] = Value::Struct{{"list", Value::List{1.0, "2", Value()}}};
  x.metadata().space("com.x")["s"] = "text";
  EXPECT_EQ(render("%DYNAMIC_METADATA(com.x:n)% %METADATA(DYNAMIC:com.x:s):2% %DYNAMIC_METADATA(com.x:s:t)%"),
            "{\"list\":[1,\"2\",null]} te -");
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
