#include "upstream/rewrite.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

std::shared_ptr<const re2::RE2> pattern(const char* text) { return std::make_shared<re2::RE2>(text); }

// One exchange, whose request is at hand.
class Rewriting : public testing::Test {
 public:
  Rewriting() {
    x.request.path = "/a/b?q=1";
    x.request.authority = "h.example:8080";
    x.request.headers.add(Known::x_forwarded_proto, "http");
    route.path = "/a";
  }
  std::string_view field(Known known) { return x.request.headers.value(known); }
  // What a client is told to ask instead.
  std::string location() {
    std::string_view path = x.request.path;
    std::string found(redirect(x, route, true).head->headers.value(Known::location));
    x.request.path = path;  // A redirect changes it: here they are made one after the other.
    return found;
  }
  Redirect& aim() {
    if (!route.redirect) route.redirect = std::make_unique<Redirect>();
    return *route.redirect;
  }

  TestCluster cluster;
  std::unique_ptr<Transport> socket = *cluster.network.connect(cluster.hosts[0]->address);
  HttpOptions options;
  StatRegistry registry;
  std::shared_ptr<StatScope> stats = registry.scope("http.test.", http_stat_table());
  DownstreamConnection connection{cluster.worker, cluster.network, nullptr, nullptr, 0, &cluster.hosts[0]->address,
                                  socket.get()};
  Exchange x{connection, options, stats->local(0)};
  Route route;
};

// --- what goes upstream -------------------------------------------------------------------------------------------

TEST_F(Rewriting, LeavesARequestAloneUnlessToldOtherwise) {
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.path, "/a/b?q=1");
  EXPECT_EQ(x.request.authority, "h.example:8080");
  EXPECT_EQ(x.request.headers.count(), 1u);
  EXPECT_EQ(x.record.original_path, "");
}

TEST_F(Rewriting, ReplacesTheMatchedPrefix) {
  route.path_rewrite.prefix = "/new";
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.path, "/new/b?q=1");
  EXPECT_EQ(field(Known::x_envoy_original_path), "/a/b?q=1");
  EXPECT_EQ(x.record.original_path, "/a/b?q=1");
}

TEST_F(Rewriting, ReplacesAMatchedPathWhole) {
  route.match = PathMatch::path;
  route.path = "/a/b";
  route.path_rewrite.prefix = "/new";
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.path, "/new?q=1");
}

TEST_F(Rewriting, ReplacesAPathThatARegexMatchedWhole) {
  route.match = PathMatch::regex;
  route.path = "";
  route.regex = pattern("/a/.*");
  route.path_rewrite.prefix = "/new";
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.path, "/new?q=1");
}

TEST_F(Rewriting, SubstitutesInThePathButNotInTheQuery) {
  x.request.path = "/a/b?to=/a/b";
  route.path_rewrite.regex = pattern("/([a-z])/([a-z])");
  route.path_rewrite.substitution = "/\\2/\\1";
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.path, "/b/a?to=/a/b");
  EXPECT_EQ(field(Known::x_envoy_original_path), "/a/b?to=/a/b");
}

TEST_F(Rewriting, SubstitutesEveryMatch) {
  route.path_rewrite.regex = pattern("/");
  route.path_rewrite.substitution = "//";
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.path, "//a//b?q=1");
}

TEST_F(Rewriting, ReplacesTheHost) {
  route.host_rewrite.literal = "new.example";
  rewrite_request(x, route, true);
  EXPECT_EQ(x.request.authority, "new.example");
  EXPECT_EQ(field(Known::x_envoy_original_host), "h.example:8080");
}

TEST_F(Rewriting, ByTheSameHostIsNone) {
  route.host_rewrite.literal = "h.example:8080";
  rewrite_request(x, route, true);
  EXPECT_FALSE(x.request.headers.has(Known::x_envoy_original_host));
}

TEST_F(Rewriting, TellsNothingWhereEnvoysFieldsAreSuppressed) {
  route.path_rewrite.prefix = "/new";
  route.host_rewrite.literal = "new.example";
  rewrite_request(x, route, false);
  EXPECT_EQ(x.request.path, "/new/b?q=1");
  EXPECT_EQ(x.request.authority, "new.example");
  EXPECT_EQ(x.request.headers.count(), 1u);
  EXPECT_EQ(x.record.original_path, "") << "nor does the log know, as in Envoy";
}

TEST_F(Rewriting, ReplacesWhatAClientClaims) {
  x.request.headers.add(Known::x_envoy_original_path, "/forged");
  route.path_rewrite.prefix = "/new";
  rewrite_request(x, route, true);
  EXPECT_EQ(field(Known::x_envoy_original_path), "/a/b?q=1");
  EXPECT_EQ(x.request.headers.count(Known::x_envoy_original_path), 1u);
}

// --- redirects ----------------------------------------------------------------------------------------------------

TEST_F(Rewriting, ARedirectKeepsWhatItDoesNotName) {
  aim().status = 307;
  Response response = redirect(x, route, true);
  EXPECT_EQ(response.head->status, 307);
  EXPECT_EQ(response.head->headers.value(Known::location), "http://h.example:8080/a/b?q=1");
  EXPECT_EQ(x.record.details, "direct_response");
}

TEST_F(Rewriting, ARedirectChangesTheHostWithItsPort) {
  aim().host = "new.example";
  EXPECT_EQ(location(), "http://new.example/a/b?q=1");
  aim().port = 81;
  EXPECT_EQ(location(), "http://new.example:81/a/b?q=1");
}

TEST_F(Rewriting, ARedirectChangesThePort) {
  aim().port = 81;
  EXPECT_EQ(location(), "http://h.example:81/a/b?q=1");
  x.request.authority = "[::1]:80";
  EXPECT_EQ(location(), "http://[::1]:81/a/b?q=1");
  x.request.authority = "[::1]";
  EXPECT_EQ(location(), "http://[::1]:81/a/b?q=1");
}

TEST_F(Rewriting, ARedirectReplacesThePath) {
  aim().path = "/new";
  EXPECT_EQ(location(), "http://h.example:8080/new?q=1");
  aim().strip_query = true;
  EXPECT_EQ(location(), "http://h.example:8080/new");
  aim().path = "/new?own=2";
  EXPECT_EQ(location(), "http://h.example:8080/new?own=2");
  aim().strip_query = false;
  EXPECT_EQ(location(), "http://h.example:8080/new?own=2");
}

TEST_F(Rewriting, ARedirectReplacesThePrefix) {
  aim().has_prefix_rewrite = true;
  aim().prefix_rewrite = "/new";
  EXPECT_EQ(location(), "http://h.example:8080/new/b?q=1");
  aim().prefix_rewrite = "";
  EXPECT_EQ(location(), "http://h.example:8080/b?q=1");
}

TEST_F(Rewriting, ARedirectReplacesAPathThatARegexMatchedWhole) {
  route.match = PathMatch::regex;
  route.path = "";
  route.regex = pattern("/a/.*");
  aim().has_prefix_rewrite = true;
  aim().prefix_rewrite = "/new";
  EXPECT_EQ(location(), "http://h.example:8080/new?q=1");
}

TEST_F(Rewriting, ARedirectSubstitutesInThePath) {
  aim().regex = pattern("^/a/(.*)$");
  aim().regex_substitution = "/\\1/moved";
  EXPECT_EQ(location(), "http://h.example:8080/b/moved?q=1");
}

struct DefaultPort {
  const char* before;  // x-forwarded-proto
  const char* authority;
  const char* scheme;
  const char* location;
};

class DefaultPorts : public Rewriting, public testing::WithParamInterface<DefaultPort> {};

// A port that was but the default of the scheme that the client used makes no sense with another one.
TEST_P(DefaultPorts, GoWithTheirScheme) {
  x.request.headers.set(Known::x_forwarded_proto, GetParam().before);
  x.request.authority = GetParam().authority;
  x.request.path = "/";
  aim().scheme = GetParam().scheme;
  EXPECT_EQ(location(), GetParam().location);
  if (aim().scheme != "https") return;
  aim().scheme.clear();
  aim().https = true;
  EXPECT_EQ(location(), GetParam().location);
}

INSTANTIATE_TEST_SUITE_P(All, DefaultPorts,
                         testing::Values(DefaultPort{"http", "a:80", "https", "https://a/"},
                                         DefaultPort{"https", "a:443", "http", "http://a/"},
                                         DefaultPort{"http", "a:80", "http", "http://a:80/"},
                                         DefaultPort{"https", "a:443", "https", "https://a:443/"},
                                         DefaultPort{"http", "a:443", "https", "https://a:443/"},
                                         DefaultPort{"https", "a:80", "http", "http://a:80/"},
                                         DefaultPort{"https", "a:80", "https", "https://a:80/"},
                                         DefaultPort{"http", "a:8080", "https", "https://a:8080/"},
                                         DefaultPort{"http", "[::1]:80", "https", "https://[::1]/"}));

TEST_F(Rewriting, ANamedHostKeepsItsPort) {
  aim().host = "new.example:80";
  aim().https = true;
  EXPECT_EQ(location(), "https://new.example:80/a/b?q=1");
}

TEST_F(Rewriting, ARedirectWithoutAnyWordOfASchemeIsHttp) {
  x.request.headers.remove(Known::x_forwarded_proto);
  aim().path = "/";
  EXPECT_EQ(location(), "http://h.example:8080/?q=1");
}

// --- upgrades -----------------------------------------------------------------------------------------------------

TEST_F(Rewriting, AnUpgradeIsAllowedByTheRouteOrTheConnectionManager) {
  x.upgrade = "WebSocket";
  EXPECT_FALSE(upgrade_allowed(x, route));
  route.upgrades_on = {"websocket"};
  EXPECT_TRUE(upgrade_allowed(x, route));
  route.upgrades_on.clear();
  options.upgrades = {"websocket"};
  EXPECT_TRUE(upgrade_allowed(x, route));
  route.upgrades_off = {"websocket"};
  EXPECT_FALSE(upgrade_allowed(x, route)) << "the route has the last word";
}

}  // namespace
}  // namespace outrider
