#include "wire/websocket.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outrider::websocket {
namespace {

using Kind = Decoder::Kind;
using namespace std::string_literals;

// A client's frame, masked.
std::string frame(int first_byte, std::string_view payload, uint32_t mask = 0x37fa213d) {
  char header[kFrameHeaderSizeMax];
  std::string bytes(header, encode_frame_header(Opcode::text, true, payload.size(), header));
  bytes[0] = static_cast<char>(first_byte);
  bytes[1] = static_cast<char>(bytes[1] | 0x80);
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(mask >> (24 - 8 * i));
  for (size_t i = 0; i < payload.size(); ++i) {
    bytes += static_cast<char>(payload[i] ^ static_cast<char>(mask >> (24 - 8 * (i % 4))));
  }
  return bytes;
}

// What a decoder makes of the bytes, messages joined: "text:hello", "ping:", "close 1000:bye", "error 1002:why".
std::vector<std::string> decode(std::string_view bytes, size_t piece, Limits limits = {}) {
  Decoder decoder(limits);
  std::vector<std::string> events;
  std::string message;
  for (size_t begin = 0; begin < bytes.size(); begin += piece) {
    std::string part(bytes.substr(begin, piece));
    size_t at = 0;
    for (;;) {
      Decoder::Event event = decoder.step(part.data() + at, part.size() - at);
      at += event.consumed;
      if (event.kind == Kind::need_more) break;
      if (event.kind == Kind::data) {
        message += event.payload;
        if (!event.message_end) continue;
        events.push_back((event.opcode == Opcode::text ? "text:" : "binary:") + message);
        message.clear();
      } else if (event.kind == Kind::ping || event.kind == Kind::pong) {
        events.push_back((event.kind == Kind::ping ? "ping:" : "pong:") + std::string(event.payload));
      } else {
        bool closed = event.kind == Kind::close;
        events.push_back((closed ? "close " : "error ") + std::to_string(event.code) + ":" +
                         std::string(closed ? event.payload : event.reason));
        return events;
      }
    }
  }
  return events;
}

using Events = std::vector<std::string>;

struct FrameCase {
  const char* name;
  std::string bytes;
  Events events;
};

const FrameCase kFrames[] = {
    {"Text", frame(0x81, "hello"), {"text:hello"}},
    {"Binary", frame(0x82, "\0\xff"s), {"binary:\0\xff"s}},
    {"EmptyMessage", frame(0x81, ""), {"text:"}},
    {"TwoMessages", frame(0x81, "a") + frame(0x82, "b", 0), {"text:a", "binary:b"}},
    {"SixteenBitLength", frame(0x81, std::string(300, 'x')), {"text:" + std::string(300, 'x')}},
    {"SixtyFourBitLength", frame(0x82, std::string(70000, 'x')), {"binary:" + std::string(70000, 'x')}},
    {"Fragments", frame(0x01, "he") + frame(0x00, "l") + frame(0x80, "lo"), {"text:hello"}},
    {"PingBetweenFragments", frame(0x01, "he") + frame(0x89, "p") + frame(0x80, "llo"), {"ping:p", "text:hello"}},
    {"EmptyLastFragment", frame(0x01, "hello") + frame(0x80, ""), {"text:hello"}},
    {"CharacterCutByFragments", frame(0x01, "\xe2\x82") + frame(0x80, "\xac"), {"text:\xe2\x82\xac"}},
    {"Pong", frame(0x8a, "x"), {"pong:x"}},
    {"LongestPing", frame(0x89, std::string(125, 'p')), {"ping:" + std::string(125, 'p')}},
    {"Close",
     frame(0x88,
           "\x03\xe8"
           "bye"),
     {"close 1000:bye"}},
    {"CloseWithoutCode", frame(0x88, ""), {"close 1000:"}},
    {"CloseWithOwnCode", frame(0x88, "\x0f\xa0"), {"close 4000:"}},
    {"HalfACloseCode", frame(0x88, "\x03"), {"error 1002:close frame with half a code"}},
    {"ReservedCloseCode", frame(0x88, "\x03\xed"), {"error 1002:close code that must not be sent"}},
    {"CloseReasonNotUtf8", frame(0x88, "\x03\xe8\xff"), {"error 1007:close reason is not UTF-8"}},
    {"Unmasked", "\x81\x01x", {"error 1002:client frame is not masked"}},
    {"ReservedBit", frame(0xc1, "x"), {"error 1002:reserved bit set"}},
    {"UnknownOpcode", frame(0x83, "x"), {"error 1002:unknown opcode"}},
    {"UnknownControlOpcode", frame(0x8b, "x"), {"error 1002:unknown opcode"}},
    {"FragmentedPing", frame(0x09, "x"), {"error 1002:fragmented control frame"}},
    {"LongPing", frame(0x89, std::string(126, 'p')), {"error 1002:control frame over 125 bytes"}},
    {"ContinuationOfNothing", frame(0x80, "x"), {"error 1002:continuation without a message"}},
    {"ContinuationAfterTheEnd",
     frame(0x81, "a") + frame(0x80, "x"),
     {"text:a", "error 1002:continuation without a message"}},
    {"MessageInAMessage", frame(0x01, "a") + frame(0x81, "x"), {"error 1002:new message inside a fragmented one"}},
    {"LengthNotShortest", "\x81\xfe\x00\x05\0\0\0\0hello"s, {"error 1002:length not in its shortest form"}},
    {"LongLengthNotShortest", "\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0"s, {"error 1002:length not in its shortest form"}},
    {"OverlongFrame", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"s, {"error 1009:frame over its size limit"}},
    {"NotUtf8", frame(0x81, "a\xff"), {"error 1007:text is not UTF-8"}},
    {"SurrogateInText", frame(0x81, "\xed\xa0\x80"), {"error 1007:text is not UTF-8"}},
    {"OverlongFormInText", frame(0x81, "\xc0\xaf"), {"error 1007:text is not UTF-8"}},
    {"BeyondUnicode", frame(0x81, "\xf4\x90\x80\x80"), {"error 1007:text is not UTF-8"}},
    {"HalfACharacterAtTheEnd", frame(0x81, "\xe2\x82"), {"error 1007:text is not UTF-8"}},
    {"FourByteCharacters", frame(0x81, "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"), {"text:\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"}},
    {"BinaryNeedNotBeUtf8", frame(0x82, "\xff"), {"binary:\xff"}},
};

class Frames : public testing::TestWithParam<FrameCase> {};

TEST_P(Frames, MeanTheSameHoweverTheyAreCut) {
  const FrameCase& expected = GetParam();
  for (size_t piece : {expected.bytes.size(), size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1000}}) {
    EXPECT_EQ(decode(expected.bytes, piece), expected.events) << "in pieces of " << piece;
  }
}

INSTANTIATE_TEST_SUITE_P(WebSocket, Frames, testing::ValuesIn(kFrames),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(WebSocketLimits, CountAMessageOverItsFragments) {
  Limits limits{.frame_bytes_max = 10, .message_bytes_max = 15};
  std::string ten(10, 'x');
  EXPECT_EQ(decode(frame(0x82, ten), 64, limits).back(), "binary:" + ten);
  EXPECT_EQ(decode(frame(0x82, ten + "x"), 64, limits).back(), "error 1009:frame over its size limit");
  EXPECT_EQ(decode(frame(0x02, ten) + frame(0x80, ten), 64, limits).back(), "error 1009:message over its size limit");
  EXPECT_EQ(decode(frame(0x02, ten) + frame(0x80, "12345") + frame(0x82, ten), 64, limits).size(), 2u);
}

TEST(WebSocketHandshake, AnswersTheKeyOfTheStandard) {
  AcceptKey key = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(std::string_view(key.data(), key.size()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, IsJudgedAsARequest) {
  Arena arena;
  RequestHead request(arena);
  EXPECT_STREQ(handshake_error(request), "no upgrade to websocket");
  request.headers.add("connection", "keep-alive, Upgrade");
  request.headers.add("upgrade", "WebSocket");
  EXPECT_STREQ(handshake_error(request), "malformed Sec-WebSocket-Key");
  request.headers.add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_STREQ(handshake_error(request), "Sec-WebSocket-Version is not 13");
  request.headers.add("sec-websocket-version", "13");
  EXPECT_EQ(handshake_error(request), nullptr);
  for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j!Q=="}) {
    request.headers.set("sec-websocket-key", key);
    EXPECT_STREQ(handshake_error(request), "malformed Sec-WebSocket-Key") << key;
  }
  request.version = Version::http10;
  EXPECT_STREQ(handshake_error(request), "version is not HTTP/1.1");
  request.set_method(Method::post);
  EXPECT_STREQ(handshake_error(request), "method is not GET");
}

TEST(WebSocketEncoder, UsesTheShortestLength) {
  auto header = [](uint64_t bytes) {
    char out[kFrameHeaderSizeMax];
    return std::string(out, encode_frame_header(Opcode::binary, true, bytes, out));
  };
  EXPECT_EQ(header(125), "\x82\x7d");
  EXPECT_EQ(header(126), "\x82\x7e\x00\x7e"s);
  EXPECT_EQ(header(65535), "\x82\x7e\xff\xff");
  EXPECT_EQ(header(65536), "\x82\x7f\0\0\0\0\0\1\0\0"s);
}

TEST(WebSocketEncoder, CutsACloseReasonBetweenCharacters) {
  char out[kCloseFrameSizeMax];
  EXPECT_EQ(std::string(out, encode_close_frame(1001, "bye", out)),
            "\x88\x05\x03\xe9"
            "bye");
  std::string reason = std::string(122, 'x') + "\xe2\x82\xac";
  std::string cut(out, encode_close_frame(1001, reason, out));
  EXPECT_EQ(cut.size(), 2u + 2 + 122);
}

}  // namespace
}  // namespace outrider::websocket
