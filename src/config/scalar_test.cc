#include "config/scalar.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/nearest.h"

namespace outrider::config {
namespace {

TEST(Scalar, TruthIsWrittenAsInYaml) {
  bool out = false;
  for (const char* yes : {"true", "True", "YES", "on", "y"}) EXPECT_TRUE(to_bool(yes, out) && out) << yes;
  for (const char* no : {"false", "FALSE", "no", "Off", "n"}) EXPECT_TRUE(to_bool(no, out) && !out) << no;
  for (const char* neither : {"", "1", "truee", "ja"}) EXPECT_FALSE(to_bool(neither, out)) << neither;
}

TEST(Scalar, WholeNumbersMayBeWrittenWithAPoint) {
  int64_t out = 0;
  EXPECT_TRUE(to_integer("-5", out) && out == -5);
  EXPECT_TRUE(to_integer("5.0", out) && out == 5);
  EXPECT_TRUE(to_integer("1e3", out) && out == 1000);
  EXPECT_TRUE(to_integer("9223372036854775807", out));
  for (const char* bad : {"", "5.5", "abc", "0x10", "1_000", "9223372036854775808", "1e300", "nan", " 5"}) {
    EXPECT_FALSE(to_integer(bad, out)) << bad;
  }
  uint64_t natural = 0;
  EXPECT_TRUE(to_unsigned("18446744073709551615", natural));
  EXPECT_FALSE(to_unsigned("-1", natural));
}

TEST(Scalar, YamlKnowsOtherBasesThanTen) {
  EXPECT_EQ(decimal_of("010"), "8");
  EXPECT_EQ(decimal_of("-0660"), "-432");
  EXPECT_EQ(decimal_of("0x1F90"), "8080");
  for (const char* other : {"", "0", "10", "08", "0x", "0xg", "0.5", "00:10", "-", "x10"}) {
    EXPECT_EQ(decimal_of(other), std::nullopt) << other;
  }
}

TEST(Scalar, NumbersMayBeInfinite) {
  double out = 0;
  EXPECT_TRUE(to_floating("2.5", out) && out == 2.5);
  EXPECT_TRUE(to_floating("+1", out) && out == 1);
  EXPECT_TRUE(to_floating("-Infinity", out) && std::isinf(out));
  EXPECT_TRUE(to_floating("NaN", out) && std::isnan(out));
  for (const char* bad : {"", "inf", "1e999", "1..2", "--1", "1,5"}) EXPECT_FALSE(to_floating(bad, out)) << bad;
}

TEST(Scalar, BytesAreBase64) {
  std::string out;
  EXPECT_TRUE(to_bytes("aGk=", out) && out == "hi");
  EXPECT_TRUE(to_bytes("aGk", out) && out == "hi");
  EXPECT_TRUE(to_bytes("-_8=", out) && out == "\xfb\xff");
  EXPECT_TRUE(to_bytes("", out) && out.empty());
  for (const char* bad : {"a", "aGl", "a b=", "\xff"}) EXPECT_FALSE(to_bytes(bad, out)) << bad;
}

TEST(Scalar, DurationsAreSecondsOrOneOfTheExtensions) {
  struct Case {
    const char* text;
    int64_t seconds;
    int32_t nanos;
    bool is_extension;
  };
  for (const Case& c :
       {Case{"0.25s", 0, 250000000, false}, Case{"60s", 60, 0, false}, Case{"0s", 0, 0, false},
        Case{"-1.5s", -1, -500000000, false}, Case{"250ms", 0, 250000000, true}, Case{"1500ms", 1, 500000000, true},
        Case{"7us", 0, 7000, true}, Case{"0.5ms", 0, 500000, true}, Case{"3000000001ns", 3, 1, true}}) {
    Span span;
    bool is_extension = false;
    ASSERT_TRUE(to_duration(c.text, span, is_extension)) << c.text;
    EXPECT_EQ(span.seconds, c.seconds) << c.text;
    EXPECT_EQ(span.nanos, c.nanos) << c.text;
    EXPECT_EQ(is_extension, c.is_extension) << c.text;
  }
  for (const char* bad :
       {"", "5", "s", ".s", "1.s", ".5s", "1m", "1h", "5 s", "1.0000000001s", "999999999999s", "ms", "1.2.3s"}) {
    Span span;
    bool is_extension = false;
    EXPECT_FALSE(to_duration(bad, span, is_extension)) << bad;
  }
}

TEST(Nearest, IsWhatWasProbablyMeant) {
  constexpr std::string_view kNames[] = {"prefix", "path", "safe_regex", "cluster", "timeout"};
  EXPECT_EQ(nearest("prefx", kNames), "prefix");
  EXPECT_EQ(nearest("PREFIX", kNames), "prefix");
  EXPECT_EQ(nearest("timoeut", kNames), "timeout");
  EXPECT_EQ(nearest("listener", kNames), "");
  EXPECT_EQ(edit_distance("abc", "acb"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

}  // namespace
}  // namespace outrider::config
