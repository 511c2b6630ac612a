#include "core/base64.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

TEST(Base64, GivesTheBytesWithAndWithoutPadding) {
  EXPECT_EQ(base64_decode("aGVsbG8="), "hello");
  EXPECT_EQ(base64_decode("aGVsbG8"), "hello");
  EXPECT_EQ(base64_decode("aGVsbG8=="), "hello");
  EXPECT_EQ(base64_decode("YWI="), "ab");
  EXPECT_EQ(base64_decode("+/8A"), std::string("\xfb\xff\0", 3));
  EXPECT_EQ(base64_decode(""), "");
}

TEST(Base64, WritesPiecesAsOneText) {
  for (const auto& [bytes, text] :
       {std::pair("", ""), {"a", "YQ=="}, {"ab", "YWI="}, {"abc", "YWJj"}, {"hello", "aGVsbG8="}}) {
    std::string out;
    Base64Encoder encoder;
    for (const char* c = bytes; *c; c++) encoder.add({c, 1}, out);
    encoder.finish(out);
    EXPECT_EQ(out, text);
  }
  std::string out;
  Base64Encoder encoder;
  for (std::string_view text : {"\xfb\xff", "hello"}) {
    encoder.add(text, out);
    encoder.finish(out);
  }
  EXPECT_EQ(out, "+/8=aGVsbG8=");
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"!!!", "a", "YWJ", "_-8", "YW=I", "aGVsbG8===", "YW I"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

}  // namespace
}  // namespace outrider
