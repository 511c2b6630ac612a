#include "http/matcher.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "http/metadata.h"

namespace outrider {
namespace {

using Kind = StringMatcher::Kind;

StringMatcher text(Kind kind, std::string pattern, bool ignore_case = false) {
  return {kind, ignore_case, std::move(pattern), nullptr};
}

TEST(StringMatcher, EachKindLooksAtItsPartOfTheText) {
  struct {
    StringMatcher matcher;
    std::string_view yes, no;
  } cases[] = {
      {text(Kind::exact, "abc"), "abc", "abcd"},
      {text(Kind::prefix, "ab"), "abc", "cab"},
      {text(Kind::suffix, "bc"), "abc", "abcd"},
      {text(Kind::contains, "b"), "abc", "aBc"},
      {text(Kind::exact, "AbC", true), "aBc", "ab"},
      {text(Kind::prefix, "AB", true), "abc", "cab"},
      {text(Kind::suffix, "BC", true), "abc", "abcd"},
      {text(Kind::contains, "B", true), "abc", "ac"},
      {{Kind::regex, false, "", std::make_shared<re2::RE2>("[0-9]+")}, "123", "123a"},
  };
  for (const auto& each : cases) {
    EXPECT_TRUE(each.matcher.matches(each.yes)) << each.matcher.text;
    EXPECT_FALSE(each.matcher.matches(each.no)) << each.matcher.text;
  }
}

struct HeaderMatching : testing::Test {
  Arena arena;
  RequestHead request{arena};

  bool matches(HeaderMatcher m, std::string_view name) {
    m.name = name;
    m.known = known_of(name);
    return m.matches(request);
  }
};

TEST_F(HeaderMatching, OfSeveralFieldsOfANameOneHasToMatch) {
  request.headers.add("x-list", "a");
  request.headers.add("x-other", "z");
  request.headers.add("x-list", "b");
  HeaderMatcher m;
  m.kind = HeaderMatcher::Kind::text;
  for (auto [wanted, found] : {std::pair{"a", true}, {"b", true}, {"a,b", false}, {"z", false}}) {
    m.text = text(Kind::exact, wanted);
    m.invert = false;
    EXPECT_EQ(matches(m, "x-list"), found) << wanted;
    m.invert = true;
    EXPECT_EQ(matches(m, "x-list"), !found) << wanted;
  }
}

TEST_F(HeaderMatching, PseudoHeadersAreThoseOfTheRequest) {
  request.set_method(Method::post);
  request.path = "/p?q";
  request.authority = "host:80";
  HeaderMatcher m;
  m.kind = HeaderMatcher::Kind::text;
  for (auto [name, value] : {std::pair{":method", "POST"}, {":path", "/p?q"}, {":authority", "host:80"}}) {
    m.text = text(Kind::exact, value);
    EXPECT_TRUE(matches(m, name)) << name;
  }
}

TEST_F(HeaderMatching, AMissingFieldMatchesNoTextEvenInverted) {
  HeaderMatcher m;
  m.kind = HeaderMatcher::Kind::text;
  m.text = text(Kind::exact, "a");
  EXPECT_FALSE(matches(m, "x-a"));
  m.invert = true;
  EXPECT_FALSE(matches(m, "x-a"));
  m.missing_is_empty = true;
  EXPECT_TRUE(matches(m, "x-a"));
}

TEST_F(HeaderMatching, PresenceCanBeWantedOrNot) {
  request.headers.add("x-a", "");
  for (bool present : {true, false}) {
    for (bool invert : {true, false}) {
      HeaderMatcher m;
      m.present = present;
      m.invert = invert;
      EXPECT_EQ(matches(m, "x-a"), present != invert);
      EXPECT_EQ(matches(m, "x-b"), present == invert);
    }
  }
}

TEST_F(HeaderMatching, ARangeTakesWholeNumbersUpToItsEnd) {
  HeaderMatcher m;
  m.kind = HeaderMatcher::Kind::range;
  m.begin = -5;
  m.end = 10;
  for (auto [value, expected] : {std::pair{"-5", true}, {"9", true}, {"10", false}, {"5x", false}, {"", false}}) {
    request.headers.set("x-n", value);
    EXPECT_EQ(matches(m, "x-n"), expected) << value;
  }
}

TEST(QueryMatcher, FindsTheFirstParameterOfTheName) {
  EXPECT_EQ(query_parameter("/p?a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(query_parameter("/p?a&b=", "a"), "");
  EXPECT_EQ(query_parameter("/p?ab=1", "a"), std::nullopt);
  EXPECT_EQ(query_parameter("/p", "a"), std::nullopt);
  EXPECT_TRUE((QueryMatcher{"a", true, true, {}}.matches("/p?a=1")));
  EXPECT_FALSE((QueryMatcher{"a", false, true, text(Kind::exact, "2")}.matches("/p?a=1")));
}

TEST(MetadataMatcher, FollowsThePathToAValue) {
  Metadata metadata;
  metadata.space("ns")["a"] = Value::Struct{{"b", Value("x")}, {"n", Value(3.0)}, {"l", Value::List{Value("y")}}};
  MetadataMatcher m{"ns", {"a", "b"}, {}, false};
  m.value.kind = ValueMatcher::Kind::text;
  m.value.text = text(Kind::exact, "x");
  EXPECT_TRUE(m.matches(metadata));
  m.path = {"a", "missing"};
  EXPECT_FALSE(m.matches(metadata));
  m.path = {"a", "l"};
  ValueMatcher inner = m.value;
  inner.text.text = "y";
  m.value = {};
  m.value.kind = ValueMatcher::Kind::list;
  m.value.inner = {inner};
  EXPECT_TRUE(m.matches(metadata));
}

}  // namespace
}  // namespace outrider
