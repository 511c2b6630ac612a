#include "http/json_text.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

std::string json(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

TEST(JsonText, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(json(""), "\"\"");
  EXPECT_EQ(json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json(std::string_view("\0\n\x1f\x7f", 4)), "\"\\u0000\\n\\u001f\x7f\"");
}

TEST(JsonText, KeepsUtf8AndTakesOtherBytesAsIso8859) {
  EXPECT_EQ(json("\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\"");
  EXPECT_EQ(json("\xff"), R"("\u00ff")");
  EXPECT_EQ(json("\xc3"), R"("\u00c3")");
  EXPECT_EQ(json("\xc0\xaf"), R"("\u00c0\u00af")") << "overlong";
  EXPECT_EQ(json("\xed\xa0\x80"), R"("\u00ed\u00a0\u0080")") << "a surrogate";
  EXPECT_EQ(json("\xf4\x90\x80\x80"), R"("\u00f4\u0090\u0080\u0080")") << "beyond Unicode";
}

TEST(JsonText, KnowsJson) {
  for (const char* good :
       {"1", " -0.5e+3 ", "\"\"", R"("\u00e9\n\"x")", "true", "null", "[]", "{}", "[1, [2, {}], []]",
        R"({"a": {"b": [1, "x", false]}, "": null})", "0", "10", "1E2", "[[[[]]]]", "\"\xc3\xa9\""}) {
    EXPECT_TRUE(is_json(good)) << good;
  }
}

TEST(JsonText, KnowsWhatIsNotJson) {
  for (const char* bad :
       {"",        " ",        "{",          "[",        "]",     "[1",    "[1,]",  "[,1]",        "[1 2]",
        "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",    "{1:1}", "[}",    "{]",    "[{\"a\":1]}", "01",
        "1.",      ".5",       "-",          "1e",       "+1",    "tru",   "truex", "'a'",         "\"a",
        "\"\n\"",  R"("\x")",  R"("\u12")",  "\"\xff\"", "1 2",   "[] []", "NaN",   "// a\n1",     ":",
        ","}) {
    EXPECT_FALSE(is_json(bad)) << bad;
  }
}

TEST(JsonText, RefusesWhatIsNestedTooDeep) {
  EXPECT_TRUE(is_json(std::string(kJsonDepthMax, '[') + std::string(kJsonDepthMax, ']')));
  EXPECT_FALSE(is_json(std::string(kJsonDepthMax + 1, '[') + std::string(kJsonDepthMax + 1, ']')));
  EXPECT_FALSE(is_json(std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace outrider
