#include "wire/h2_peer_for_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outrider::h2 {
namespace {

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
