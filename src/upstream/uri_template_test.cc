#include "upstream/uri_template.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

namespace outrider {
namespace {

TEST(UriTemplate, MatchesSegmentsAndRest) {
  struct {
    const char* pattern;
    const char* path;
    bool matches;
  } cases[] = {
      {"/a/{b}", "/a/x", true},
      {"/a/{b}", "/a/", false},
      {"/a/{b}", "/a/x/y", false},
      {"/a/*/c", "/a/x/c", true},
      {"/a/*/c", "/a//c", false},
      {"/a/**", "/a/x/y", true},
      {"/a/**", "/a/", true},
      {"/v/{x=*}/{rest=**}", "/v/1/2/3", true},
      {"/f/{x=a/*}/end", "/f/a/b/end", true},
      {"/f/{x=a/*}/end", "/f/c/b/end", false},
      {"/dot.s", "/dotxs", false},
  };
  for (const auto& each : cases) {
    auto parsed = parse_uri_template(each.pattern);
    ASSERT_TRUE(parsed) << each.pattern << ": " << parsed.error();
    EXPECT_EQ(re2::RE2::FullMatch(each.path, parsed->regex), each.matches) << each.pattern << " on " << each.path;
  }
}

TEST(UriTemplate, KnowsWhatEveryMatchBeginsWith) {
  EXPECT_EQ(parse_uri_template("/api/v1/{id}/x")->literal_prefix, "/api/v1/");
  EXPECT_EQ(parse_uri_template("/**")->literal_prefix, "/");
}

TEST(UriTemplate, RefusesWhatMeansNothing) {
  for (const char* wrong :
       {"a", "", "/{a", "/a}", "/{a}/{a}", "/{1}", "/{}", "/***", "/**/a/*", "/{a}{b}{c}{d}{e}{f}", "/a b", "/\xff"}) {
    EXPECT_FALSE(parse_uri_template(wrong)) << wrong;
  }
}

TEST(UriTemplate, ARewriteTakesTheVariables) {
  auto parsed = parse_uri_template("/{a}/{b}");
  EXPECT_EQ(*parse_uri_rewrite("/x/{b}/{a}", *parsed), "/x/\\2/\\1");
  for (const char* wrong : {"x", "/{c}", "/{a", "/a}"}) EXPECT_FALSE(parse_uri_rewrite(wrong, *parsed)) << wrong;
}

}  // namespace
}  // namespace outrider
