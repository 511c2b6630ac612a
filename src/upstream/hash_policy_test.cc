#include "upstream/hash_policy.h"

#include <gtest/gtest.h>
#include <re2/re2.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using Kind = HashMethod::Kind;

std::uint64_t xx_hash(std::string_view text) { return XXH64(text.data(), text.size(), 0); }

HashMethod method(Kind kind, std::string name = "", bool terminal = false) {
  HashMethod m;
  m.kind = kind;
  m.name = std::move(name);
  m.terminal = terminal;
  return m;
}

class HashPolicies : public testing::Test {
 public:
  std::optional<std::uint64_t> hash(HashPolicy policy) { return hash_of(x, policy, x.arena, cookies); }
  void add(std::string_view name, std::string_view value) { x.request.headers.add(name, value); }

  SimulatedClock clock;
  SimulatedPoller poller{clock};
  Worker worker{0, clock, poller, 1};
  SimulatedNetwork network{worker};
  HttpOptions options;
  StatScope stats{"http.", http_stat_table()};
  Address peer = *Address::parse("10.0.0.7", 1234);
  DownstreamConnection connection{worker, network, nullptr, nullptr, 1, &peer, nullptr};
  Exchange x{connection, options, stats.local(0)};
  std::vector<std::string_view> cookies;
};

TEST_F(HashPolicies, GiveNothingWhereTheRequestHasNothing) {
  EXPECT_EQ(hash({method(Kind::header, "x-key"), method(Kind::cookie, "c"), method(Kind::query_parameter, "q")}),
            std::nullopt);
}

TEST_F(HashPolicies, TakeAFieldsValues) {
  add("x-key", "b");
  EXPECT_EQ(hash({method(Kind::header, "x-key")}), xx_hash("b"));
  add("x-key", "a");
  EXPECT_EQ(hash({method(Kind::header, "x-key")}), XXH64("b", 1, xx_hash("a"))) << "in an order of their own";
}

TEST_F(HashPolicies, RewriteAFieldsValue) {
  add("x-key", "user-17");
  HashMethod m = method(Kind::header, "x-key");
  m.regex = std::make_shared<re2::RE2>("-\\d+");
  EXPECT_EQ(hash({m}), xx_hash("user"));
}

TEST_F(HashPolicies, TakeTheAuthorityAndThePath) {
  x.request.authority = "host.example";
  x.request.path = "/p?q=1";
  EXPECT_EQ(hash({method(Kind::header, ":authority")}), xx_hash("host.example"));
  EXPECT_EQ(hash({method(Kind::header, ":path")}), xx_hash("/p?q=1"));
}

TEST_F(HashPolicies, TakeTheClientsAddressWithoutItsPort) {
  EXPECT_EQ(hash({method(Kind::source_ip)}), xx_hash("10.0.0.7"));
}

TEST_F(HashPolicies, JoinWhatTheyFind) {
  add("x-a", "a");
  add("x-b", "b");
  std::uint64_t both = std::rotl(xx_hash("a"), 1) ^ xx_hash("b");
  EXPECT_EQ(hash({method(Kind::header, "x-a"), method(Kind::header, "x-b")}), both);
  EXPECT_EQ(hash({method(Kind::header, "x-a", true), method(Kind::header, "x-b")}), xx_hash("a"));
  EXPECT_EQ(hash({method(Kind::header, "x-none", true), method(Kind::header, "x-b")}), xx_hash("b"));
}

TEST_F(HashPolicies, MakeACookieWhereTheRequestHasNone) {
  HashMethod m = method(Kind::cookie, "session");
  EXPECT_EQ(hash({m}), std::nullopt);
  m.ttl = std::chrono::seconds(60);
  m.path = "/p";
  m.attributes = {{"SameSite", "Strict"}, {"Secure", ""}};
  auto made = hash({m});
  ASSERT_EQ(cookies.size(), 1u);
  std::string_view value = cookies[0].substr(9, 16);
  EXPECT_EQ(cookies[0],
            "session=\"" + std::string(value) + "\"; Max-Age=60; Path=/p; SameSite=Strict; Secure; HttpOnly");
  EXPECT_EQ(made, xx_hash(value));
  cookies.clear();
  add("cookie", "session=mine");
  EXPECT_EQ(hash({m}), xx_hash("mine"));
  EXPECT_TRUE(cookies.empty());
}

TEST_F(HashPolicies, TakeTheFirstParameterOfTheName) {
  for (auto [path, value] : {std::pair("/?k=1&k=2", "1"), {"/?a&k=%41", "%41"}, {"/?k", ""}, {"/?k=3#k=4", "3"}}) {
    x.request.path = path;
    EXPECT_EQ(hash({method(Kind::query_parameter, "k")}), xx_hash(value)) << path;
  }
  x.request.path = "/k=1";
  EXPECT_EQ(hash({method(Kind::query_parameter, "k")}), std::nullopt);
}

}  // namespace
}  // namespace outrider
