#include <gtest/gtest.h>

#include "wire/h1_reading.h"

namespace outrider::h1 {
namespace {

using Kind = BodyFraming::Kind;

TEST(OutgoingRequest, WithoutBodySaysSoWhereABodyIsUsual) {
  for (Method method : {Method::get, Method::head, Method::delete_, Method::trace}) {
    EXPECT_EQ(outgoing_request_framing(method, 0), BodyFraming{}) << name_of(method);
  }
  for (Method method : {Method::post, Method::put, Method::patch, Method::options, Method::extension}) {
    EXPECT_EQ(outgoing_request_framing(method, 0), (BodyFraming{Kind::length, 0})) << name_of(method);
  }
}

TEST(OutgoingRequest, IsChunkedWhenItsLengthIsUnknown) {
  EXPECT_EQ(outgoing_request_framing(Method::get, 3), (BodyFraming{Kind::length, 3}));
  EXPECT_EQ(outgoing_request_framing(Method::get, std::nullopt), (BodyFraming{Kind::chunked, 0}));
  EXPECT_EQ(outgoing_request_framing(Method::connect, std::nullopt), (BodyFraming{Kind::tunnel, 0}));
}

TEST(OutgoingResponse, HasNoBodyWhereNoneIsAllowed) {
  for (uint16_t status : {100, 103, 204, 304}) {
    EXPECT_EQ(outgoing_response_framing(status, Method::get, Version::http11, 5), BodyFraming{}) << status;
  }
  EXPECT_EQ(outgoing_response_framing(200, Method::head, Version::http11, std::nullopt), BodyFraming{});
  EXPECT_EQ(outgoing_response_framing(101, Method::get, Version::http11, std::nullopt), (BodyFraming{Kind::tunnel, 0}));
  EXPECT_EQ(outgoing_response_framing(200, Method::connect, Version::http11, 0), (BodyFraming{Kind::tunnel, 0}));
}

TEST(OutgoingResponse, OfUnknownLengthEndsByChunkOrByClose) {
  EXPECT_EQ(outgoing_response_framing(200, Method::get, Version::http11, 0), (BodyFraming{Kind::length, 0}));
  EXPECT_EQ(outgoing_response_framing(200, Method::get, Version::http11, std::nullopt),
            (BodyFraming{Kind::chunked, 0}));
  EXPECT_EQ(outgoing_response_framing(200, Method::get, Version::http10, std::nullopt),
            (BodyFraming{Kind::until_close, 0}));
}

TEST(Encoder, StaysWithinTheSizeThatItNamed) {
  Arena arena;
  ResponseHead head(arena);
  for (int i = 0; i < 40; ++i) head.headers.add(arena.copy("x-" + std::to_string(i)), arena.copy(std::string(i, 'v')));
  for (uint16_t status : {100, 203, 431, 511, 599, 999}) {
    head.status = status;
    for (BodyFraming framing :
         {BodyFraming{}, {Kind::chunked, 0}, {Kind::length, UINT64_MAX}, {Kind::until_close, 0}}) {
      std::string out(response_head_size(head, framing), '\0');
      EXPECT_LE(encode_response_head(head, framing, out.data()), out.data() + out.size());
    }
  }
}

TEST(Encoder, WritesOneLengthWhateverTheHeadersSay) {
  Arena arena;
  ResponseHead head(arena);
  head.headers.add(Known::content_length, "1");
  head.headers.add("a", "b");
  head.headers.add(Known::content_length, "2");
  head.headers.add(Known::transfer_encoding, "gzip");
  auto encoded = [&](BodyFraming framing) {
    char out[512];
    return std::string(out, encode_response_head(head, framing, out));
  };
  EXPECT_EQ(encoded({Kind::length, 12345678901}), "HTTP/1.1 200 OK\r\ncontent-length: 12345678901\r\na: b\r\n\r\n");
  EXPECT_EQ(encoded({Kind::chunked, 0}), "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n");
  EXPECT_EQ(encoded({Kind::until_close, 0}), "HTTP/1.1 200 OK\r\na: b\r\n\r\n");
  EXPECT_EQ(encoded({Kind::tunnel, 0}), "HTTP/1.1 200 OK\r\na: b\r\n\r\n");
}

TEST(Encoder, WritesChunkSizesInHexadecimal) {
  auto header = [](uint64_t bytes) {
    char out[kChunkHeaderSizeMax];
    return std::string(out, encode_chunk_header(bytes, out));
  };
  EXPECT_EQ(header(1), "1\r\n");
  EXPECT_EQ(header(15), "f\r\n");
  EXPECT_EQ(header(16), "10\r\n");
  EXPECT_EQ(header(65536), "10000\r\n");
  EXPECT_EQ(header(UINT64_MAX), "ffffffffffffffff\r\n");
}

TEST(Encoder, LeavesFramingOutOfTrailers) {
  Arena arena;
  Headers trailers(arena);
  trailers.add("grpc-status", "0");
  trailers.add("content-length", "3");
  trailers.add("host", "h");
  char out[256];
  EXPECT_EQ(std::string(out, encode_last_chunk(trailers, out)), "0\r\ngrpc-status: 0\r\n\r\n");
}

#ifndef NDEBUG
TEST(EncoderDeathTest, RefusesWhatWouldEndALine) {
  Arena arena;
  ResponseHead head(arena);
  head.headers.add("a", "b\r\nc: d");
  char out[256];
  EXPECT_DEATH(encode_response_head(head, {}, out), "stays_on_line");
}
#endif

class ChunkDecoderTest : public testing::Test {
 protected:
  ChunkDecoder::Step step(std::string& bytes) { return decoder_.step(bytes.data(), bytes.size(), trailers_); }

  Limits limits_;
  Arena arena_;
  Headers trailers_{arena_};
  ChunkDecoder decoder_{limits_};
};

TEST_F(ChunkDecoderTest, LendsDataInPlace) {
  std::string bytes = "5\r\nhelloREST";
  ChunkDecoder::Step first = step(bytes);
  EXPECT_EQ(first.kind, ChunkDecoder::Kind::data);
  EXPECT_EQ(first.data.data(), bytes.data() + 3);
  EXPECT_EQ(first.data, "hello");
  EXPECT_EQ(first.consumed, 8u);
}

TEST_F(ChunkDecoderTest, LeavesAnUnfinishedTrailerSectionToTheCaller) {
  std::string bytes = "0\r\na: b\r\nc: ";
  ChunkDecoder::Step first = step(bytes);
  EXPECT_EQ(first.kind, ChunkDecoder::Kind::need_more);
  EXPECT_EQ(first.consumed, 3u);
  EXPECT_TRUE(trailers_.empty());
  std::string rest = bytes.substr(3) + "d\r\n\r\nNEXT";
  ChunkDecoder::Step end = step(rest);
  EXPECT_EQ(end.kind, ChunkDecoder::Kind::end);
  EXPECT_EQ(end.consumed, rest.size() - 4);
  EXPECT_EQ(copy_fields(trailers_), (Fields{{"a", "b"}, {"c", "d"}}));
}

TEST_F(ChunkDecoderTest, LimitsEachSizeLineByItself) {
  limits_.chunk_line_bytes_max = 3;
  std::string bytes = "01\r\nx\r\n01\r\ny\r\n0\r\n\r\n";
  std::string body;
  for (size_t at = 0;;) {
    ChunkDecoder::Step next = decoder_.step(bytes.data() + at, bytes.size() - at, trailers_);
    ASSERT_NE(next.kind, ChunkDecoder::Kind::error);
    body += next.data;
    at += next.consumed;
    if (next.kind == ChunkDecoder::Kind::end) break;
  }
  EXPECT_EQ(body, "xy");
}

}  // namespace
}  // namespace outrider::h1
