#include "upstream/grpc_health.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(GrpcHealth, AsksForTheServerOrForOneService) {
  EXPECT_EQ(grpc_health_request(""), "\0\0\0\0\0"s);
  EXPECT_EQ(grpc_health_request("users"), "\0\0\0\0\x07\x0a\x05users"s);
  EXPECT_EQ(grpc_health_request(std::string(200, 'x')), "\0\0\0\0\xcb\x0a\xc8\x01"s + std::string(200, 'x'));
}

TEST(GrpcHealth, OnlyOneWholeFrameThatSaysServingIsGood) {
  EXPECT_TRUE(says_serving("\0\0\0\0\x02\x08\x01"sv));
  EXPECT_TRUE(says_serving("\0\0\0\0\x05\x12\x01x\x08\x01"sv)) << "behind a field that nobody knows";
  EXPECT_FALSE(says_serving("\0\0\0\0\x02\x08\x02"sv)) << "NOT_SERVING";
  EXPECT_FALSE(says_serving("\0\0\0\0\0"sv)) << "UNKNOWN";
  EXPECT_FALSE(says_serving("\x01\0\0\0\x02\x08\x01"sv)) << "compressed";
  EXPECT_FALSE(says_serving(""sv));
  EXPECT_FALSE(says_serving("\0\0\0\0"sv));
  EXPECT_FALSE(says_serving("\0\0\0\0\x02\x08"sv)) << "cut short";
  EXPECT_FALSE(says_serving("\0\0\0\0\x02\x08\x01\0\0\0\0\0"sv)) << "two frames";
  EXPECT_FALSE(says_serving("\0\0\0\0\x02\x08\x81"sv)) << "a number without an end";
  EXPECT_FALSE(says_serving("\0\0\0\0\x04\x12\x7f\x08\x01"sv)) << "a field longer than the message";
  EXPECT_FALSE(says_serving("\0\0\0\0\x02\x0f\x01"sv)) << "a type that does not exist";
}

}  // namespace
}  // namespace outrider
