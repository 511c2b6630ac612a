#include "http/query.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

TEST(Percent, DecodesEscapesAndLeavesTheRest) {
  EXPECT_EQ(percent_decode("%41b%2fc+%zz%4%"), "Ab/c+%zz%4%");
  EXPECT_EQ(percent_decode("%-1%+1"), "%-1%+1");
  EXPECT_EQ(percent_encode("aZ09-_.*~ /\xff"), "aZ09-_.*%7E%20%2F%FF");
}

TEST(QueryParameters, AreFoundByTheirNameWithoutEscapes) {
  QueryParameters parameters("/p?a=1&%62=%20x&a=2&c&=5");
  EXPECT_EQ(parameters.first("a"), "1");
  EXPECT_EQ(parameters.first("b"), " x");
  EXPECT_EQ(parameters.first("c"), "");
  EXPECT_EQ(parameters.first(""), "5");
  EXPECT_EQ(parameters.first("d"), std::nullopt);
  EXPECT_FALSE(QueryParameters("/p").has("p"));
}

struct Written {
  const char* path;
  const char* after;
};

TEST(QueryParameters, AreWrittenInTheOrderOfTheirNames) {
  for (const Written& each :
       {Written{"/p", "/p"}, Written{"/p?", "/p"}, Written{"/p?b=1&a=2&B=3&a=1", "/p?B=3&a=2&a=1&b=1"},
        Written{"/?&a=1&&b", "/?=&=&a=1&b="}, Written{"/?a=1&", "/?a=1"}, Written{"/?a=1?b=2", "/?a=1?b=2"}}) {
    EXPECT_EQ(QueryParameters(each.path).path_with(each.path), each.after) << each.path;
  }
}

TEST(QueryParameters, KeepTheEscapesOfTheClient) {
  const char* path = "/?a=%0d%0aX:%201&%26b=%3D&c=+%C3";
  EXPECT_EQ(QueryParameters(path).path_with(path), "/?%26b=%3D&a=%0d%0aX:%201&c=+%C3");
}

TEST(QueryParameters, AreAddedReplacedAndRemoved) {
  QueryParameters parameters("/?a=1&a=2&b=3&%63=4");
  parameters.add("b", "x y");
  parameters.overwrite("a", "&");
  parameters.overwrite("new one", "#");
  parameters.remove("c");
  EXPECT_EQ(parameters.path_with("/p?old"), "/p?a=%26&b=3&b=x%20y&new%20one=%23");
}

}  // namespace
}  // namespace outrider
