#include "upstream/route_table.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>

#include "core/random.h"

namespace outrider {
namespace {

Route make_route(PathMatch match, std::string path, bool case_sensitive = true) {
  Route r;
  r.match = match;
  if (match == PathMatch::regex) r.regex = std::make_shared<re2::RE2>(path);
  r.name = r.path = std::move(path);
  r.case_sensitive = case_sensitive;
  return r;
}
Route prefix(std::string path, bool case_sensitive = true) {
  return make_route(PathMatch::prefix, std::move(path), case_sensitive);
}
Route path(std::string path, bool case_sensitive = true) {
  return make_route(PathMatch::path, std::move(path), case_sensitive);
}
Route regex(std::string pattern) { return make_route(PathMatch::regex, std::move(pattern)); }

// --- virtual hosts ------------------------------------------------------------------------------------------------

class Domains : public testing::Test {
 public:
  // A virtual host of that name.
  std::string add(std::string name, const std::vector<std::string>& domains) {
    return table.add(std::make_unique<VirtualHost>(std::move(name), std::vector<Route>()), domains);
  }
  std::string find(std::string_view authority) {
    const VirtualHost* host = table.host(authority);
    return host ? host->name() : "none";
  }
  RouteTable table;
};

TEST_F(Domains, AreComparedWithoutCase) {
  add("a", {"A.example"});
  EXPECT_EQ(find("a.example"), "a");
  EXPECT_EQ(find("A.EXAMPLE"), "a");
  EXPECT_EQ(find("b.example"), "none");
}

TEST_F(Domains, SearchIsExactThenSuffixThenPrefixThenAny) {
  add("any", {"*"});
  add("prefix", {"www.*"});
  add("suffix", {"*.example"});
  add("exact", {"www.a.example"});
  EXPECT_EQ(find("www.a.example"), "exact");
  EXPECT_EQ(find("www.b.example"), "suffix");
  EXPECT_EQ(find("www.b.test"), "prefix");
  EXPECT_EQ(find("b.test"), "any");
}

TEST_F(Domains, TheLongestWildcardWinsWhateverItsPlace) {
  add("short", {"*.example", "www.*"});
  add("long", {"*.a.example", "www.a.*"});
  EXPECT_EQ(find("x.a.example"), "long");
  EXPECT_EQ(find("x.b.example"), "short");
  EXPECT_EQ(find("www.a.test"), "long");
  EXPECT_EQ(find("www.b.test"), "short");
}

TEST_F(Domains, ASuffixNeedNotBeginAtADot) {
  add("a", {"*-api.example"});
  EXPECT_EQ(find("v1-api.example"), "a");
  EXPECT_EQ(find("v1.api.example"), "none");
}

TEST_F(Domains, AWildcardStandsForOneCharacterAtLeast) {
  add("suffix", {"*.example"});
  add("prefix", {"www.*"});
  EXPECT_EQ(find(".example"), "none");
  EXPECT_EQ(find("www."), "none");
  EXPECT_EQ(find("x.example"), "suffix");
  EXPECT_EQ(find("www.x"), "prefix");
}

TEST_F(Domains, APortIsPartOfTheName) {
  add("plain", {"a.example"});
  add("port", {"a.example:8080"});
  add("any port", {"b.example:*"});
  EXPECT_EQ(find("a.example"), "plain");
  EXPECT_EQ(find("a.example:8080"), "port");
  EXPECT_EQ(find("a.example:81"), "none");
  EXPECT_EQ(find("b.example:81"), "any port");
}

TEST_F(Domains, APortMayBeIgnored) {
  table.ignore_port(true);
  add("a", {"a.example"});
  add("six", {"[::1]"});
  EXPECT_EQ(find("a.example:8080"), "a");
  EXPECT_EQ(find("[::1]:8080"), "six");
  EXPECT_EQ(find("[::1]"), "six");
}

TEST_F(Domains, AnyIsAlsoForEmptyAndOverlongNames) {
  add("a", {"a.example"});
  EXPECT_EQ(find(""), "none");
  EXPECT_EQ(find(std::string(5000, 'x')), "none");
  add("any", {"*"});
  EXPECT_EQ(find(""), "any");
  EXPECT_EQ(find(std::string(5000, 'x')), "any");
}

TEST_F(Domains, TheLongestNameWithAPortIsFound) {
  std::string name = std::string(247, 'x') + ".example";
  add("a", {"*.example:65535"});
  EXPECT_EQ(find(name + ":65535"), "a");
}

TEST_F(Domains, StandOnceInAVirtualHost) {
  EXPECT_EQ(add("a", {"a.example", "A.example"}), "domain 'A.example' stands here twice");
}

TEST_F(Domains, BelongToOneVirtualHost) {
  EXPECT_EQ(add("a", {"a.example", "*.example", "a.*", "*"}), "");
  for (const char* domain : {"a.example", "A.example", "*.example", "a.*", "*"}) {
    EXPECT_EQ(add("b", {domain}), "domain '" + std::string(domain) + "' belongs to another virtual host already");
  }
}

TEST_F(Domains, ManyAreFound) {
  for (int i = 0; i < 3000; i++) {
    std::string n = std::to_string(i);
    add(n, {"host" + n + ".example", "*.sub" + n + ".example", "name" + n + ".*"});
  }
  add("any", {"*"});
  for (int i = 0; i < 3000; i += 7) {
    std::string n = std::to_string(i);
    EXPECT_EQ(find("HOST" + n + ".example"), n);
    EXPECT_EQ(find("x.sub" + n + ".example"), n);
    EXPECT_EQ(find("name" + n + ".test"), n);
  }
  EXPECT_EQ(find("host3000.example"), "any");
}

const Route* match(const VirtualHost& host, const RequestHead& request) {
  static const Runtime runtime;
  static Random random(1);
  RouteQuery query{.request = request, .runtime = runtime, .random = random};
  return host.match(query);
}

// --- routes -------------------------------------------------------------------------------------------------------

// Each test runs with the routes alone and with so many behind them that an index is made.
class Routes : public testing::TestWithParam<bool> {
 public:
  template <class... R>
  void set(R... routes) {
    std::vector<Route> list;
    (list.push_back(std::move(routes)), ...);
    for (int i = 0; GetParam() && i < 30; i++) {
      list.push_back(prefix("/never/prefix" + std::to_string(i)));
      list.push_back(path("/never/path" + std::to_string(i)));
    }
    host_ = std::make_unique<VirtualHost>("host", std::move(list));
  }
  // The name of the route for that path; "none".
  std::string find(std::string_view target) {
    Arena arena;
    RequestHead request(arena);
    request.path = target;
    const Route* route = match(*host_, request);
    return route ? route->name : "none";
  }

 private:
  std::unique_ptr<VirtualHost> host_;
};

TEST_P(Routes, SegmentsMatchWhole) {
  set(make_route(PathMatch::segments, "/api"), make_route(PathMatch::segments, "/Tmp", false), prefix("/ap"));
  EXPECT_EQ(find("/api"), "/api");
  EXPECT_EQ(find("/api/v1?q"), "/api");
  EXPECT_EQ(find("/api?q"), "/api");
  EXPECT_EQ(find("/apis"), "/ap");
  EXPECT_EQ(find("/tMP/x"), "/Tmp");
}

TEST_P(Routes, APrefixMatchesWhatBeginsWithIt) {
  set(prefix("/a"));
  EXPECT_EQ(find("/a"), "/a");
  EXPECT_EQ(find("/abc"), "/a");
  EXPECT_EQ(find("/a/b"), "/a");
  EXPECT_EQ(find("/"), "none");
  EXPECT_EQ(find("/b/a"), "none");
}

TEST_P(Routes, APathMatchesItselfOnly) {
  set(path("/a"));
  EXPECT_EQ(find("/a"), "/a");
  EXPECT_EQ(find("/a/"), "none");
  EXPECT_EQ(find("/ab"), "none");
}

TEST_P(Routes, ARegexMatchesTheWholePath) {
  set(regex("/a[0-9]+"));
  EXPECT_EQ(find("/a12"), "/a[0-9]+");
  EXPECT_EQ(find("/a12/b"), "none");
  EXPECT_EQ(find("/x/a12"), "none");
}

TEST_P(Routes, QueryAndFragmentAreNoPartOfThePath) {
  set(path("/a"), regex("/b."), prefix("/c?"));
  EXPECT_EQ(find("/a?x=1"), "/a");
  EXPECT_EQ(find("/a#x"), "/a");
  EXPECT_EQ(find("/b1?x"), "/b.");
  EXPECT_EQ(find("/b?x"), "none");
  EXPECT_EQ(find("/c?x"), "none");
}

TEST_P(Routes, CaseCountsUnlessToldOtherwise) {
  set(prefix("/Strict"), path("/Exact"), prefix("/Loose", false), path("/Same", false));
  EXPECT_EQ(find("/strict"), "none");
  EXPECT_EQ(find("/exact"), "none");
  EXPECT_EQ(find("/LOOSE/x"), "/Loose");
  EXPECT_EQ(find("/sAME"), "/Same");
  EXPECT_EQ(find("/sAME/x"), "none");
}

TEST_P(Routes, TheFirstThatMatchesWins) {
  set(prefix("/a/b"), regex("/a.*"), path("/a/b/c"), prefix("/"));
  EXPECT_EQ(find("/a/b/c"), "/a/b");
  EXPECT_EQ(find("/a/x"), "/a.*");
  EXPECT_EQ(find("/x"), "/");
}

TEST_P(Routes, AnEarlierShortPrefixHidesALongerOne) {
  set(prefix("/a"), prefix("/a/b"), path("/a/b/c"));
  EXPECT_EQ(find("/a/b/c"), "/a");
}

TEST_P(Routes, ALooseRouteKeepsItsPlaceAmongTheOthers) {
  set(path("/a"), prefix("/A", false), prefix("/"));
  EXPECT_EQ(find("/a"), "/a");
  EXPECT_EQ(find("/ab"), "/A");
  EXPECT_EQ(find("/b"), "/");
}

TEST_P(Routes, TheSamePathTwiceIsTheFirst) {
  Route first = path("/a"), second = path("/a"), third = prefix("/p"), fourth = prefix("/p");
  first.name = "first";
  second.name = "second";
  third.name = "third";
  fourth.name = "fourth";
  set(std::move(first), std::move(second), std::move(third), std::move(fourth));
  EXPECT_EQ(find("/a"), "first");
  EXPECT_EQ(find("/p"), "third");
}

TEST_P(Routes, AnEmptyPrefixMatchesEveryPath) {
  set(prefix(""));
  EXPECT_EQ(find("/a"), "");
}

TEST_P(Routes, ARequestWithoutPathHasNoRoute) {
  set(prefix(""), regex(".*"));
  EXPECT_EQ(find(""), "none") << "a CONNECT";
}

INSTANTIATE_TEST_SUITE_P(All, Routes, testing::Bool(),
                         [](const auto& param_info) { return param_info.param ? "Many" : "Few"; });

// The index is only faster than a walk through the list; it must never be of another opinion.
TEST(RouteIndex, AgreesWithAWalkThroughTheList) {
  Random random(7);
  auto text = [&](std::uint64_t length_max) {
    std::string s = "/";
    for (std::uint64_t n = random.below(length_max + 1); n > 0; n--) s += "ab/"[random.below(3)];
    return s;
  };
  auto conditions = [&] {
    auto c = std::make_shared<RouteConditions>();
    c->headers.emplace_back().name = random.below(2) ? "x-one" : "x-two";
    return c;
  };
  constexpr PathMatch kKinds[] = {PathMatch::prefix, PathMatch::prefix, PathMatch::path, PathMatch::segments};
  for (int round = 0; round < 200; round++) {
    std::vector<Route> routes;
    for (int i = 0; i < 20; i++) {
      routes.push_back(make_route(kKinds[random.below(4)], text(5), random.below(5) != 0));
      if (random.below(2)) routes.back().conditions = conditions();
      routes.back().name = std::to_string(i);
    }
    VirtualHost host("host", std::move(routes));
    for (int i = 0; i < 50; i++) {
      std::string target = text(7);
      Arena arena;
      RequestHead request(arena);
      request.path = target;
      if (random.below(2)) request.headers.add("x-one", "");
      if (random.below(2)) request.headers.add("x-two", "");
      Runtime runtime;
      RouteQuery query{.request = request, .runtime = runtime, .random = random};
      auto expected = std::find_if(host.routes().begin(), host.routes().end(), [&](const Route& r) {
        return path_matches(r, target) && (!r.conditions || conditions_match(*r.conditions, query));
      });
      const Route* found = host.match(query);
      ASSERT_EQ(found ? found->name : "none", expected == host.routes().end() ? "none" : expected->name) << target;
    }
  }
}

TEST(PrefixIndex, FindsTheLowestNumberOnTheWay) {
  PrefixIndex index;
  index.add("/abc", 0);
  index.add("/abd", 1);
  index.add("/ab", 2);
  index.add("/", 3);
  index.add("/abcde", 4);
  EXPECT_EQ(index.lowest("/abcdef"), 0u);
  EXPECT_EQ(index.lowest("/abd"), 1u);
  EXPECT_EQ(index.lowest("/abx"), 2u);
  EXPECT_EQ(index.lowest("/a"), 3u);
  EXPECT_EQ(index.lowest("a"), PrefixIndex::kNone);
  EXPECT_EQ(index.lowest(""), PrefixIndex::kNone);
}

TEST(PrefixIndex, TakesEveryByte) {
  PrefixIndex index;
  for (int byte = 0; byte < 256; byte++) {
    index.add(std::string("/") + static_cast<char>(byte), static_cast<std::uint32_t>(byte));
  }
  for (int byte = 0; byte < 256; byte++) {
    EXPECT_EQ(index.lowest(std::string("/") + static_cast<char>(byte) + "x"), static_cast<std::uint32_t>(byte));
  }
}

TEST(PrefixIndex, KeepsTheLowerOfTwoNumbers) {
  PrefixIndex index;
  index.add("/a", 3);
  index.add("/a", 4);
  index.add("/a", 5);
  EXPECT_EQ(index.lowest("/a"), 3u);
}

TEST(PrefixIndex, KnowsTheConditionalNumbersBeforeThePlainOne) {
  PrefixIndex index;
  index.add("/a", 0, true);
  index.add("/", 1, true);
  index.add("/a", 2);
  index.add("/a", 3, true);
  index.add("/b", 4, true);
  std::vector<std::uint32_t> found;
  index.conditional("/ab", index.lowest("/ab"), found);
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<std::uint32_t>{0, 1}));
}

}  // namespace
}  // namespace outrider
