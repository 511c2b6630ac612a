#include "core/runtime.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace outrider {
namespace {

TEST(Runtime, TheLastLayerThatHasAKeyWins) {
  Runtime r({{"base", {{"a", "1"}, {"b", "2"}}}, {"admin", {{"b", "3"}}}});
  EXPECT_EQ(r.integer("a", 9), 1u);
  EXPECT_EQ(r.integer("b", 9), 3u);
  EXPECT_EQ(r.integer("c", 9), 9u);
  EXPECT_EQ(r.text("c"), nullptr);
}

TEST(Runtime, AValueThatIsNotOfTheKindAskedForGivesTheDefault) {
  Runtime r({{"base", {{"text", "abc"}, {"number", "1.5"}, {"negative", "-3"}, {"flag", "TRUE"}}}});
  EXPECT_EQ(r.integer("text", 7), 7u);
  EXPECT_EQ(r.integer("number", 7), 7u);
  EXPECT_EQ(r.integer("negative", 7), 7u);
  EXPECT_EQ(r.number("number"), 1.5);
  EXPECT_TRUE(r.boolean("flag", false));
  EXPECT_TRUE(r.boolean("number", true));
}

TEST(Runtime, AFractionIsWrittenAsAnObjectOrAsAWholeNumberOfAHundred) {
  Runtime r({{"base",
              {{"object", R"({"numerator": 5, "denominator": "TEN_THOUSAND"})"},
               {"bare", R"({"numerator":7})"},
               {"number", "30"},
               {"large", "300"},
               {"other", "many"}}}});
  auto is = [&](std::string_view key, std::uint32_t numerator, std::uint32_t denominator) {
    Fraction f = r.fraction(key, {1, 1'000'000});
    return f.numerator == numerator && f.denominator == denominator;
  };
  EXPECT_TRUE(is("object", 5, 10'000));
  EXPECT_TRUE(is("bare", 7, 100));
  EXPECT_TRUE(is("number", 30, 100));
  EXPECT_TRUE(is("large", 100, 100));
  EXPECT_TRUE(is("other", 1, 1'000'000));
  EXPECT_TRUE(is("missing", 1, 1'000'000));
}

TEST(RuntimeFraction, SamplesAboutAsManyAsItSays) {
  Runtime none;
  Random random(1);
  int taken = 0;
  for (int i = 0; i < 10'000; i++) taken += RuntimeFraction{{25, 100}, ""}.sample(none, random);
  EXPECT_NEAR(taken, 2500, 200);
  EXPECT_TRUE((RuntimeFraction{{100, 100}, ""}.sample(none, random)));
  EXPECT_FALSE((RuntimeFraction{{0, 100}, ""}.sample(none, random)));
}

}  // namespace
}  // namespace outrider
