#include "admin/query.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs(std::string_view text) {
  Arena arena;
  auto parsed = parse_query(text, arena);
  Pairs out;
  if (!parsed) return {{"error", parsed.error()}};
  for (const QueryParameter& p : *parsed) out.emplace_back(p.name, p.value);
  return out;
}

TEST(Target, IsSplitAtTheQuestionMarkAndLosesItsFragment) {
  Arena arena;
  Target target = split_target("/stats?filter=a?b#end");
  EXPECT_EQ(target.path, "/stats");
  EXPECT_EQ(target.query, "filter=a?b");
  EXPECT_EQ(split_target("/stats").query, "");
  EXPECT_EQ(split_target("/stats?").query, "");
  EXPECT_EQ(split_target("").path, "");
}

TEST(Query, NamesAndValuesAreDecodedAndPlusStays) {
  EXPECT_EQ(pairs("a=1&b%26=%3d+%41&c"), (Pairs{{"a", "1"}, {"b&", "=+A"}, {"c", ""}}));
}

TEST(Query, WhatIsNoEscapeStaysAsItIs) {
  EXPECT_EQ(pairs("a=%4&b=%zz&c=%"), (Pairs{{"a", "%4"}, {"b", "%zz"}, {"c", "%"}}));
}

TEST(Query, EmptyPiecesAreSkippedButEmptyNamesAreNot) {
  EXPECT_EQ(pairs("&&a=1&"), (Pairs{{"a", "1"}}));
  EXPECT_EQ(pairs("=x"), (Pairs{{"", "x"}}));
  EXPECT_EQ(pairs(""), Pairs{});
}

TEST(Query, TheFirstOfARepeatedNameCounts) { EXPECT_EQ(pairs("a=1&b=2&a=3"), (Pairs{{"a", "1"}, {"b", "2"}})); }

TEST(Query, MoreParametersThanTheLimitAreRefused) {
  std::string text;
  for (std::size_t i = 0; i < kQueryParametersMax; i++) text += "&a=1";
  EXPECT_EQ(pairs(text), (Pairs{{"a", "1"}}));
  EXPECT_EQ(pairs(text + "&a"), (Pairs{{"error", "more than 100 parameters"}}));
}

}  // namespace
}  // namespace outrider
