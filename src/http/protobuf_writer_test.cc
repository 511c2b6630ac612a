#include "http/protobuf_writer.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

using namespace std::string_view_literals;

TEST(ProtobufWriter, WritesEachKindOfField) {
  EXPECT_EQ(ProtobufWriter().number(1, 150).take(), "\x08\x96\x01"sv);
  EXPECT_EQ(ProtobufWriter().number(16, ~0ull).take(), "\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv);
  EXPECT_EQ(ProtobufWriter().text(2, "testing").take(), "\x12\x07testing"sv);
  EXPECT_EQ(ProtobufWriter().fixed32(16, 0x301).take(), "\x85\x01\x01\x03\0\0"sv);
  EXPECT_EQ(ProtobufWriter().fixed64(7, 0x0102030405060708).take(), "\x39\x08\x07\x06\x05\x04\x03\x02\x01"sv);
}

TEST(ProtobufWriter, LeavesOutWhatIsNothingButNotMessages) {
  EXPECT_EQ(ProtobufWriter().number(1, 0).text(2, "").fixed32(3, 0).fixed64(4, 0).take(), "");
  EXPECT_EQ(ProtobufWriter().message(3, "").take(), "\x1a\0"sv);
}

}  // namespace
}  // namespace outrider
