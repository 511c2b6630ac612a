#include "http/cookie.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

struct Cookies : testing::Test {
  Arena arena;
  Headers headers{arena};
};

TEST_F(Cookies, AreFoundByNameInAnyField) {
  headers.add(Known::cookie, "a=1; b=2");
  headers.add("x", "c=9");
  headers.add(Known::cookie, "  c=\"3\";d;e=f=g;B=;b=4");
  EXPECT_EQ(cookie_value(headers, "a"), "1");
  EXPECT_EQ(cookie_value(headers, "b"), "2");
  EXPECT_EQ(cookie_value(headers, "c"), "3");
  EXPECT_EQ(cookie_value(headers, "e"), "f=g");
  EXPECT_EQ(cookie_value(headers, "B"), "");
  EXPECT_EQ(cookie_value(headers, "d"), std::nullopt);
  EXPECT_EQ(cookie_value(headers, ""), std::nullopt);
}

TEST_F(Cookies, ThatStayBehindARemovedOneAreOneField) {
  headers.add(Known::cookie, "a=1; b=2");
  headers.add("x", "y");
  headers.add(Known::cookie, "b=3; c=\"4\"");
  remove_cookie(headers, "b");
  ASSERT_EQ(headers.count(), 2u);
  EXPECT_EQ(headers.value(Known::cookie), "a=1; c=4");
}

TEST_F(Cookies, LeaveNoEmptyFieldBehind) {
  headers.add(Known::cookie, "a=1;a=2; a=3;");
  remove_cookie(headers, "a");
  EXPECT_TRUE(headers.empty());
}

TEST_F(Cookies, OfStrangeShapesAreNone) {
  for (const char* text : {";", " ", "a", "=", ";;;", "; ;=", "\""}) {
    headers.clear();
    headers.add(Known::cookie, text);
    EXPECT_EQ(cookie_value(headers, "a"), std::nullopt) << text;
    remove_cookie(headers, "b");
  }
}

}  // namespace
}  // namespace outrider
