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

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"!!!", "a", "YWJ", "_-8", "YW=I", "aGVsbG8===", "YW I"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

}  // namespace
}  // namespace outrider
