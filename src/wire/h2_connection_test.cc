#include "wire/h2_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <vector>

namespace outrider::h2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Lines = std::vector<std::string>;

// What of a stream a test keeps.
struct TestStream {
  Arena arena;
  Stream stream{arena};
  RequestHead request{arena};
  ResponseHead response{arena};
  std::string body;
};

// One side; what happens to it is told as lines.
class Peer final : public Events {
 public:
  Peer(Side side, Options o) : options(o), connection(side, options, *this) { connection.start(); }

  TestStream& make() {
    TestStream& made = all.emplace_back();
    made.stream.request = &made.request;
    made.stream.response = &made.response;
    return made;
  }
  TestStream& of(Stream& stream) {
    for (TestStream& each : all) {
      if (&each.stream == &stream) return each;
    }
    std::abort();
  }

  Stream* stream_opens(StreamId) override { return refuses ? nullptr : &make().stream; }
  void head_received(Stream& s) override {
    TestStream& t = of(s);
    std::string line = std::to_string(s.id) + ": ";
    if (s.response->version == Version::http2) {
      line += std::to_string(t.response.status);
    } else {
      line += std::string(t.request.method_name) + " " + std::string(t.request.authority) + std::string(t.request.path);
    }
    const Headers& headers = s.response->version == Version::http2 ? t.response.headers : t.request.headers;
    for (const Field& f : headers) line += " " + std::string(f.name) + "=" + std::string(f.value);
    lines.push_back(line + (s.remote_ended() ? " end" : ""));
  }
  void data_received(Stream& s, std::string_view data) override {
    of(s).body += data;
    if (reads) connection.consumed(s, data.size());
  }
  void remote_ended(Stream& s) override {
    std::string line = std::to_string(s.id) + ": end after " + std::to_string(of(s).body.size());
    for (std::size_t i = 0; s.trailers && i < s.trailers->count(); i++) {
      line += " " + std::string((*s.trailers)[i].name) + "=" + std::string((*s.trailers)[i].value);
    }
    lines.push_back(line);
  }
  void stream_reset(Stream& s, ErrorCode code) override { told("reset", s, code); }
  void stream_failed(Stream& s, const Fault& fault) override { told("failed", s, fault.code); }
  void window_opened(Stream& s) override { opened.push_back(s.id); }
  void settings_received() override {}
  void goaway_received(StreamId last, ErrorCode code) override {
    lines.push_back("goaway " + std::to_string(last) + " " + std::to_string(static_cast<int>(code)));
  }
  void ping_answered(std::uint64_t opaque) override { lines.push_back("pong " + std::to_string(opaque)); }

  std::string take_output() {
    SendBuffer& out = connection.output();
    std::string bytes(out.data(), out.size());
    out.consume(bytes.size());
    connection.sent(connection.waiting());
    return bytes;
  }
  Lines take_lines() { return std::exchange(lines, {}); }

  Options options;
  Connection connection;
  std::deque<TestStream> all;
  Lines lines;
  std::vector<StreamId> opened;
  bool reads = true, refuses = false;

 private:
  void told(const char* what, Stream& s, ErrorCode code) {
    lines.push_back(std::to_string(s.id) + ": " + what + " " + std::to_string(static_cast<int>(code)));
  }
};

Options small() {
  Options o;
  o.settings.max_concurrent_streams = 100;
  return o;
}

class ConnectionTest : public testing::Test {
 protected:
  // Until neither has anything to say, in pieces of so many bytes.
  void talk(std::size_t piece = 1 << 20) { exchange(client, server, piece); }
  static void exchange(Peer& a, Peer& b, std::size_t piece) {
    for (bool said = true; said;) {
      said = pass(a, b, piece);
      said = pass(b, a, piece) || said;
    }
  }
  static bool pass(Peer& from, Peer& to, std::size_t piece) {
    std::string bytes = from.take_output();
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      if (!to.connection.failed()) to.connection.receive(std::string_view(bytes).substr(at, piece));
    }
    return !bytes.empty();
  }
  TestStream& ask(std::string_view path, bool end = true) {
    TestStream& s = client.make();
    s.request.path = path;
    s.request.authority = "a";
    s.request.headers.add("x-own", "1");
    client.connection.open(s.stream, end);
    return s;
  }
  TestStream& asked() { return server.all.back(); }
  void answer(TestStream& s, std::string_view body) {
    s.response.status = 200;
    s.response.headers.clear();
    server.connection.send_response(s.stream, s.response, body.empty());
    if (!body.empty()) server.connection.send_data(s.stream, body, true);
  }

  Peer client{Side::client, small()};
  Peer server{Side::server, small()};
};

TEST_F(ConnectionTest, CarriesMessagesHoweverTheBytesAreCut) {
  for (std::size_t piece : {1u, 2u, 3u, 5u, 8u, 9u, 10u, 13u, 100u, 100'000u}) {
    Peer c(Side::client, small()), s(Side::server, small());
    auto both = [&] { exchange(c, s, piece); };
    both();
    TestStream& request = c.make();
    request.request.set_method(Method::post);
    request.request.path = "/p";
    request.request.authority = "a";
    request.request.headers.add(Known::content_length, "7");
    c.connection.open(request.stream, false);
    c.connection.send_data(request.stream, "content", false);
    Arena arena;
    Headers trailers(arena);
    trailers.add("t", "1");
    c.connection.send_trailers(request.stream, trailers);
    both();
    EXPECT_THAT(s.take_lines(), ElementsAre("1: POST a/p content-length=7", "1: end after 7 t=1"));
    EXPECT_EQ(s.all.back().body, "content");
    TestStream& served = s.all.back();
    served.response.headers.add(Known::server, "s");
    s.connection.send_response(served.stream, served.response, false);
    s.connection.send_data(served.stream, "answer", true);
    both();
    EXPECT_THAT(c.take_lines(), ElementsAre("1: 200 server=s", "1: end after 6"));
    EXPECT_EQ(c.connection.streams() + s.connection.streams(), 0u);
  }
}

TEST_F(ConnectionTest, CarriesManyStreamsAtOnce) {
  talk();
  for (int i = 0; i < 100; i++) ask("/" + std::to_string(i));
  EXPECT_FALSE(client.connection.may_open());
  talk();
  EXPECT_EQ(server.lines.size(), 100u);
  for (TestStream& s : server.all) answer(s, "x");
  talk();
  EXPECT_EQ(client.lines.size(), 200u);
  EXPECT_TRUE(client.connection.may_open());
}

TEST_F(ConnectionTest, SendsNoMoreThanTheWindowsAllow) {
  server.reads = false;
  talk();
  TestStream& s = ask("/", false);
  std::size_t sent = 0;
  while (std::size_t n = client.connection.sendable(s.stream)) {
    client.connection.send_data(s.stream, std::string(n, 'x'), false);
    sent += n;
  }
  EXPECT_EQ(sent, 65'535u);
  talk();
  EXPECT_EQ(asked().body.size(), sent);
  EXPECT_EQ(client.connection.sendable(s.stream), 0u);
  server.connection.consumed(asked().stream, 40'000);
  talk();
  EXPECT_EQ(client.opened, (std::vector<StreamId>{1}));
  EXPECT_EQ(client.connection.sendable(s.stream), 16'384u);
}

TEST_F(ConnectionTest, AResetEndsAStreamOnBothSidesAndNothingElse) {
  talk();
  TestStream& first = ask("/1", false);
  TestStream& second = ask("/2");
  talk();
  server.take_lines();
  client.connection.reset(first.stream, ErrorCode::cancel);
  talk();
  EXPECT_THAT(server.take_lines(), ElementsAre("1: reset 8"));
  answer(server.all.back(), "y");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("3: 200", "3: end after 1"));
  EXPECT_TRUE(second.stream.closed());
}

// The other side cannot know of a reset before it comes.
TEST_F(ConnectionTest, IgnoresWhatIsOnItsWayOfAStreamThatItHasReset) {
  talk();
  TestStream& s = ask("/", false);
  talk();
  server.connection.reset(asked().stream, ErrorCode::cancel);
  client.connection.send_data(s.stream, "late", false);
  Arena arena;
  Headers trailers(arena);
  trailers.add("late", "1");
  client.connection.send_trailers(s.stream, trailers);
  talk();
  EXPECT_FALSE(server.connection.failed());
  EXPECT_FALSE(client.connection.failed());
  ask("/next");
  talk();
  EXPECT_EQ(server.lines.back(), "3: GET a/next x-own=1 end");
}

TEST_F(ConnectionTest, RefusesAStreamAndStaysInStep) {
  talk();
  server.refuses = true;
  ask("/1");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("1: reset 7"));
  server.refuses = false;
  ask("/2");
  talk();
  EXPECT_THAT(server.take_lines(), ElementsAre("3: GET a/2 x-own=1 end"));
}

TEST_F(ConnectionTest, AGoawayEndsTheStreamsThatItDoesNotServe) {
  talk();
  ask("/1");
  talk();
  server.connection.send_goaway(server.connection.last_remote_stream(), ErrorCode::no_error);
  ask("/2");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("3: reset 7", "goaway 1 0"));
  EXPECT_FALSE(client.connection.may_open());
  answer(server.all.front(), "");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("1: 200 end"));
}

TEST_F(ConnectionTest, AnswersPings) {
  talk();
  client.connection.send_ping(0x1234567890);
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("pong 78187493520"));
}

TEST_F(ConnectionTest, SplitsAHeadThatDoesNotFitAFrame) {
  talk();
  TestStream& s = client.make();
  s.request.path = "/";
  s.request.authority = "a";
  std::string long_value(20'000, 'v');
  s.request.headers.add("x-a", long_value);
  s.request.headers.add("x-b", long_value);
  client.connection.open(s.stream, true);
  talk(7);
  EXPECT_EQ(asked().request.headers.value("x-b"), long_value);
}

TEST_F(ConnectionTest, TellsAnInformationalResponseFromTheFinalOne) {
  talk();
  ask("/");
  talk();
  server.all.back().response.status = 103;
  server.connection.send_response(asked().stream, asked().response, false);
  talk();
  answer(asked(), "x");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("1: 103", "1: 200", "1: end after 1"));
}

// ------------------------------------------------------------------------------------------ what is not to be borne

std::string frame(FrameType type, std::uint8_t flags, StreamId stream, std::string_view payload) {
  std::string bytes(kFrameHeaderBytes, '\0');
  put_frame_header({static_cast<std::uint32_t>(payload.size()), type, flags, stream}, bytes.data());
  return bytes + std::string(payload);
}

std::string block(std::vector<std::pair<std::string, std::string>> fields) {
  hpack::Encoder encoder;
  std::string bytes(1 << 17, '\0');
  char* end = encoder.begin(bytes.data());
  for (auto& [name, value] : fields) {
    end = encoder.field(hpack::look_up(name), value, hpack::Indexing::no, end);
  }
  bytes.resize(static_cast<std::size_t>(end - bytes.data()));
  return bytes;
}

std::vector<std::pair<std::string, std::string>> request(
    std::initializer_list<std::pair<std::string, std::string>> more = {}) {
  std::vector<std::pair<std::string, std::string>> fields{
      {":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};
  fields.insert(fields.end(), more);
  return fields;
}

constexpr std::uint8_t kWhole = flag::kEndHeaders | flag::kEndStream;
const std::string kSettings = frame(FrameType::settings, 0, 0, "");

// What the server says in the end: "goaway CODE", "reset CODE", or nothing.
std::string verdict(std::string_view bytes, Options options = small()) {
  Peer server(Side::server, options);
  server.connection.receive(kPreface);
  server.connection.receive(bytes);
  std::string out = server.take_output(), said;
  for (std::size_t at = 0; at + kFrameHeaderBytes <= out.size();) {
    FrameHeader header = read_frame_header(out.data() + at);
    at += kFrameHeaderBytes;
    if (header.type == FrameType::rst_stream) said = "reset " + std::to_string(read_32(out.data() + at));
    if (header.type == FrameType::goaway) said = "goaway " + std::to_string(read_32(out.data() + at + 4));
    at += header.length;
  }
  EXPECT_EQ(server.connection.failed(), said.starts_with("goaway"));
  return said;
}

TEST(Refusal, OfFramesThatBreakTheRules) {
  std::string open = kSettings + frame(FrameType::headers, flag::kEndHeaders, 1, block(request()));
  std::string half = kSettings + frame(FrameType::headers, kWhole, 1, block(request()));
  struct Row {
    std::string what, bytes, verdict;
  } rows[] = {
      {"nothing wrong", open, ""},
      {"no SETTINGS first", frame(FrameType::ping, 0, 0, "12345678"), "goaway 1"},
      {"DATA on stream 0", kSettings + frame(FrameType::data, 0, 0, "x"), "goaway 1"},
      {"DATA on an idle stream", kSettings + frame(FrameType::data, 0, 1, "x"), "goaway 1"},
      {"DATA behind the end", half + frame(FrameType::data, 0, 1, "x"), "reset 5"},
      {"HEADERS behind the end", half + frame(FrameType::headers, kWhole, 1, block(request())), "reset 5"},
      {"padding longer than DATA", open + frame(FrameType::data, flag::kPadded, 1, "\x05xx"), "goaway 1"},
      {"HEADERS of the server's side", kSettings + frame(FrameType::headers, kWhole, 2, block(request())), "goaway 1"},
      {"a stream below another",
       kSettings + frame(FrameType::headers, kWhole, 5, block(request())) +
           frame(FrameType::headers, kWhole, 3, block(request())),
       "goaway 1"},
      {"a frame that is too large", kSettings + frame(FrameType::data, 0, 1, std::string(16'385, 'x')), "goaway 6"},
      {"SETTINGS on a stream", kSettings + frame(FrameType::settings, 0, 1, ""), "goaway 1"},
      {"SETTINGS of 5 bytes", kSettings + frame(FrameType::settings, 0, 0, "12345"), "goaway 6"},
      {"a window beyond 2^31", frame(FrameType::settings, 0, 0, std::string("\0\4\xff\xff\xff\xff", 6)), "goaway 3"},
      {"PING of 6 bytes", kSettings + frame(FrameType::ping, 0, 0, "123456"), "goaway 6"},
      {"RST_STREAM of an idle stream", kSettings + frame(FrameType::rst_stream, 0, 1, "1234"), "goaway 1"},
      {"WINDOW_UPDATE by nothing", open + frame(FrameType::window_update, 0, 1, std::string(4, '\0')), "reset 1"},
      {"WINDOW_UPDATE of all by nothing", open + frame(FrameType::window_update, 0, 0, std::string(4, '\0')),
       "goaway 1"},
      {"a window that overflows", open + frame(FrameType::window_update, 0, 1, "\x7f\xff\xff\xff"), "reset 3"},
      {"CONTINUATION alone", kSettings + frame(FrameType::continuation, flag::kEndHeaders, 1, ""), "goaway 1"},
      {"an interrupted block",
       kSettings + frame(FrameType::headers, 0, 1, block(request())) + frame(FrameType::ping, 0, 0, "12345678"),
       "goaway 1"},
      {"a block that is no HPACK", kSettings + frame(FrameType::headers, kWhole, 1, "\x80"), "goaway 9"},
      {"PUSH_PROMISE", kSettings + frame(FrameType::push_promise, flag::kEndHeaders, 1, "1234"), "goaway 1"},
      {"an unknown frame", kSettings + frame(static_cast<FrameType>(77), 3, 9, "x"), ""},
      {"trailers that do not end", open + frame(FrameType::headers, flag::kEndHeaders, 1, block({{"t", "1"}})),
       "goaway 1"},
  };
  for (const Row& row : rows) EXPECT_EQ(verdict(row.bytes), row.verdict) << row.what;
}

// As Envoy, the whole connection ends, unless it is told to be lenient.
TEST(Refusal, OfMalformedRequests) {
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> rows{
      {"no method", {{":scheme", "http"}, {":authority", "a"}, {":path", "/"}}},
      {"no path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}},
      {"no scheme", {{":method", "GET"}, {":authority", "a"}, {":path", "/"}}},
      {"no authority", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}},
      {"two methods", request({{":method", "GET"}})},
      {"a pseudo field behind others", {{"x", "1"}, {":method", "GET"}}},
      {"an unknown pseudo field", request({{":x", "1"}})},
      {"a status", request({{":status", "200"}})},
      {"upper case", request({{"X", "1"}})},
      {"a field of the connection", request({{"connection", "close"}})},
      {"te beyond trailers", request({{"te", "gzip"}})},
      {"a line break", request({{"x", "a\nb"}})},
      {"a length that is none", request({{"content-length", "x"}})},
      {"two lengths", request({{"content-length", "0"}, {"content-length", "0"}})},
      {"a length that is not kept", request({{"content-length", "5"}})},
      {"a protocol without CONNECT", request({{":protocol", "websocket"}})},
      {"CONNECT with a path", {{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}}},
  };
  Options lenient = small();
  lenient.lenient = true;
  for (const auto& [what, fields] : rows) {
    std::string bytes = kSettings + frame(FrameType::headers, kWhole, 1, block(fields));
    EXPECT_EQ(verdict(bytes), "goaway 1") << what;
    EXPECT_EQ(verdict(bytes, lenient), "reset 1") << what;
  }
}

TEST(Acceptance, OfWhatEnvoyAcceptsToo) {
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> rows{
      {"te: trailers", request({{"te", "trailers"}})},
      {"a host instead of an authority", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}}},
      {"both", request({{"host", "b"}})},
      {"another scheme", {{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}}},
      {"blanks around a value", request({{"x", " a "}})},
      {"CONNECT", {{":method", "CONNECT"}, {":authority", "a:1"}}},
      {"an extended CONNECT",
       {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}},
      {"OPTIONS *", {{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}},
  };
  for (const auto& [what, fields] : rows) {
    EXPECT_EQ(verdict(kSettings + frame(FrameType::headers, flag::kEndHeaders, 1, block(fields))), "") << what;
  }
}

TEST(Acceptance, JoinsTheCrumbsOfACookie) {
  Peer server(Side::server, small());
  server.connection.receive(kPreface);
  server.connection.receive(kSettings + frame(FrameType::headers, kWhole, 1,
                                              block(request({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}}))));
  EXPECT_THAT(server.take_lines(), ElementsAre("1: GET a/ cookie=a=1; b=2 x=y end"));
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; i++) all += text;
  return all;
}

TEST(Flood, EndsTheConnection) {
  std::string open = kSettings + frame(FrameType::headers, flag::kEndHeaders, 1, block(request()));
  std::string unending = kSettings + frame(FrameType::headers, 0, 1, block(request()));
  EXPECT_EQ(verdict(kSettings + repeated(frame(FrameType::priority, 0, 1, std::string(5, '\0')), 101)), "goaway 11");
  EXPECT_EQ(verdict(open + repeated(frame(FrameType::data, 0, 1, ""), 2)), "goaway 11");
  EXPECT_EQ(verdict(open + repeated(frame(FrameType::window_update, 0, 0, std::string("\0\0\0\1", 4)), 8)),
            "goaway 11");
  EXPECT_EQ(verdict(unending + repeated(frame(FrameType::continuation, 0, 1, block({{"x", "y"}})), 65)), "goaway 11");
  EXPECT_EQ(verdict(unending + repeated(frame(FrameType::continuation, 0, 1, std::string(16'000, '\x82')), 20)),
            "goaway 11");
  EXPECT_EQ(verdict(open + repeated(frame(FrameType::data, 0, 1, ""), 1)), "");
}

TEST(Flood, OfAnswersThatNobodyReadsEndsTheConnection) {
  Peer server(Side::server, small());
  server.connection.receive(kPreface);
  EXPECT_TRUE(server.connection.receive(kSettings + repeated(frame(FrameType::ping, 0, 0, "12345678"), 990)));
  EXPECT_FALSE(server.connection.receive(repeated(frame(FrameType::ping, 0, 0, "12345678"), 20)));
  EXPECT_EQ(server.connection.fault().flood, Flood::outbound_control_frames);
}

TEST(Limits, AHeadThatIsTooLargeCostsItsStreamOnly) {
  Options options = small();
  options.head = {1000, 10};
  std::string large = frame(FrameType::headers, kWhole, 1, block(request({{"x", std::string(1000, 'x')}})));
  EXPECT_EQ(verdict(kSettings + large, options), "reset 2");
  auto fields = request();
  for (int i = 0; i < 11; i++) fields.emplace_back("x", "y");
  EXPECT_EQ(verdict(kSettings + frame(FrameType::headers, kWhole, 1, block(fields)), options), "reset 2");
}

TEST(Limits, StreamsAboveTheLimitAreRefused) {
  Options two = small();
  two.settings.max_concurrent_streams = 2;
  std::string bytes = kSettings;
  for (StreamId id : {1, 3}) bytes += frame(FrameType::headers, flag::kEndHeaders, id, block(request()));
  EXPECT_EQ(verdict(bytes, two), "");
  EXPECT_EQ(verdict(bytes + frame(FrameType::headers, flag::kEndHeaders, 5, block(request())), two), "reset 7");
}

}  // namespace
}  // namespace outrider::h2
