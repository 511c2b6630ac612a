#include "wire/h2_peer_for_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outrider::h2 {
namespace {

using testing::ElementsAre;

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

}  // namespace
}  // namespace outrider::h2
