#include "admin/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/admin_for_test.h"
#include "admin/page.h"

namespace outrider {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST(Admin, AnswersLikeEnvoyWithoutALengthAndNeverCached) {
  AdminForTest admin;
  Answered a = admin.get("/ready");
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.body, "LIVE\n");
  EXPECT_FALSE(a.has_length);
  std::vector<std::pair<std::string, std::string>> headers{{"content-type", "text/plain; charset=UTF-8"},
                                                           {"cache-control", "no-cache, max-age=0"},
                                                           {"x-content-type-options", "nosniff"}};
  EXPECT_EQ(a.headers, headers);
}

TEST(Admin, ReadyIs503InEveryOtherState) {
  AdminForTest admin;
  for (auto [state, name] : {std::pair{ServerState::draining, "DRAINING\n"},
                             {ServerState::initializing, "INITIALIZING\n"},
                             {ServerState::pre_initializing, "PRE_INITIALIZING\n"}}) {
    admin.state = state;
    Answered a = admin.get("/ready");
    EXPECT_EQ(a.status, 503);
    EXPECT_EQ(a.body, name);
  }
}

TEST(Admin, AnUnknownPathIs404WithTheListOfPaths) {
  AdminForTest admin;
  for (const char* path : {"/nope", "/clusters/", "//", "/READY", "", "*"}) {
    Answered a = admin.get(path);
    EXPECT_EQ(a.status, 404) << path;
    EXPECT_THAT(a.body, StartsWith("invalid path. admin commands are:\n  /: ")) << path;
  }
}

TEST(Admin, WhatChangesSomethingDemandsPost) {
  AdminForTest admin;
  for (const Page& page : admin_pages()) {
    if (!page.post) continue;
    Answered a = admin.get(std::string(page.path));
    EXPECT_EQ(a.status, 405) << page.path;
    EXPECT_EQ(a.body, "Method GET not allowed, POST required.");
    EXPECT_EQ(admin.ask("PURGE", std::string(page.path)).body, "Method PURGE not allowed, POST required.");
  }
  EXPECT_THAT(admin.orders, IsEmpty());
}

TEST(Admin, OrdersAreGivenAndAnsweredWithOk) {
  AdminForTest admin;
  for (const char* path : {"/quitquitquit", "/drain_listeners", "/reopen_logs", "/reset_counters"}) {
    Answered a = admin.post(path);
    EXPECT_EQ(a.status, 200) << path;
    EXPECT_EQ(a.body, "OK\n") << path;
  }
  EXPECT_THAT(admin.orders, ElementsAre("quit", "drain", "reopen"));
}

TEST(Admin, ResetCountersSetsThemToZeroAndLeavesGauges) {
  AdminForTest admin;
  auto scope = admin.stats.scope("http.x.", http_stat_table());
  scope->local(0)[HttpStat::downstream_rq_total].add(5);
  scope->local(0)[HttpStat::downstream_rq_active].add(2);
  EXPECT_THAT(admin.get("/stats").body, HasSubstr("http.x.downstream_rq_total: 5\n"));
  admin.post("/reset_counters");
  EXPECT_THAT(admin.get("/stats").body, HasSubstr("http.x.downstream_rq_total: 0\n"));
  EXPECT_THAT(admin.get("/stats").body, HasSubstr("http.x.downstream_rq_active: 2\n"));
}

TEST(Admin, ListenersAreDrainedAsOrdered) {
  AdminForTest admin;
  for (const char* query : {"", "?graceful", "?graceful&skip_exit", "?inboundonly"}) {
    EXPECT_EQ(admin.post(std::string("/drain_listeners") + query).body, "OK\n");
  }
  EXPECT_THAT(admin.orders, ElementsAre("drain", "drain graceful", "drain graceful skip_exit", "drain inbound"));
}

TEST(Admin, ReadOnlyItChangesNothing) {
  AdminForTest admin;
  admin.read_only = true;
  for (const Page& page : admin_pages()) {
    if (page.post) EXPECT_EQ(admin.post(std::string(page.path)).status, 403) << page.path;
  }
  EXPECT_THAT(admin.orders, IsEmpty());
  EXPECT_EQ(admin.get("/ready").status, 200);
}

TEST(Admin, PathsThatAreNotAllowedAre403) {
  AdminForTest admin;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->admin_allow_paths.resize(2);
  snapshot->admin_allow_paths[0].text = "/ready";
  snapshot->admin_allow_paths[1].kind = StringMatcher::Kind::prefix;
  snapshot->admin_allow_paths[1].text = "/stats";
  admin.snapshot = snapshot;
  EXPECT_EQ(admin.get("/ready").status, 200);
  EXPECT_EQ(admin.get("/stats/prometheus?usedonly").status, 200);
  EXPECT_EQ(admin.get("/ready?x").body, "request to path /ready?x not allowed");
  EXPECT_EQ(admin.post("/quitquitquit").status, 403);
  EXPECT_EQ(admin.post("/stats/../quitquitquit").status, 403);
  EXPECT_EQ(admin.post("/stats//..//quitquitquit").status, 404) << "/stats/quitquitquit";
  EXPECT_EQ(admin.get("/stats/./../listeners").body, "request to path /listeners not allowed");
  EXPECT_EQ(admin.get("//ready").status, 200);
  EXPECT_THAT(admin.orders, IsEmpty());
}

TEST(Admin, LookUpsAreAnsweredInEnvoysForm) {
  AdminForTest admin;
  EXPECT_THAT(admin.get("/stats/recentlookups").body, StartsWith("Lookup tracking is not enabled."));
  EXPECT_EQ(admin.get("/stats/recentlookups/enable").status, 405);
  for (const char* order : {"enable", "clear", "disable"}) {
    EXPECT_EQ(admin.post(std::string("/stats/recentlookups/") + order).body, "OK\n");
  }
}

TEST(Admin, WhatIsNotCompiledInSaysSo) {
  AdminForTest admin;
  EXPECT_EQ(admin.get("/heap_dump").status, 501);
  EXPECT_EQ(admin.get("/memory/tcmalloc").status, 501);
  EXPECT_EQ(admin.post("/heapprofiler?enable=y").status, 501);
  EXPECT_EQ(admin.post("/cpuprofiler?enable=y").status, 500);
  EXPECT_EQ(admin.post("/cpuprofiler?enable=n").body, "OK\n");
  EXPECT_EQ(admin.post("/cpuprofiler").status, 400);
}

TEST(Admin, RuntimeIsShownByLayer) {
  AdminForTest admin;
  EXPECT_EQ(admin.get("/runtime").body, "{\n \"entries\": {},\n \"layers\": []\n}\n");
  admin.runtime =
      std::make_shared<Runtime>(std::vector<Runtime::Layer>{{"base", {{"a\"", "1"}}}, {"admin", {{"b", "x"}}}});
  Answered a = admin.get("/runtime");
  EXPECT_EQ(a.header("content-type"), "application/json");
  EXPECT_THAT(
      a.body,
      HasSubstr("\"a\\\"\": {\n   \"layer_values\": [\n    \"1\",\n    \"\"\n   ],\n   \"final_value\": \"1\"\n"));
  EXPECT_THAT(a.body, HasSubstr("\"layers\": [\n  \"base\",\n  \"admin\"\n ]"));
}

TEST(Admin, RuntimeIsModifiedByQueryOrForm) {
  AdminForTest admin;
  EXPECT_EQ(admin.post("/runtime_modify").status, 400);
  EXPECT_EQ(admin.post("/runtime_modify?a=1&b=").body, "OK\n");
  EXPECT_EQ(admin.post("/runtime_modify", "c=x%20y", "application/x-www-form-urlencoded").status, 200);
  EXPECT_THAT(admin.orders, ElementsAre("a=1", "b=", "c=x y"));
  admin.has_admin_layer = false;
  Answered a = admin.post("/runtime_modify?a=1");
  EXPECT_EQ(a.status, 503);
  EXPECT_EQ(a.body, "No admin layer specified");
}

TEST(Admin, ABodyBeyondTheLimitIs413AndChangesNothing) {
  AdminForTest admin;
  EXPECT_EQ(admin.post("/quitquitquit", std::string(Admin::kRequestBodyBytesMax + 1, 'x')).status, 413);
  EXPECT_THAT(admin.orders, IsEmpty());
  EXPECT_EQ(admin.post("/quitquitquit", std::string(Admin::kRequestBodyBytesMax, 'x')).status, 200);
}

TEST(Admin, HelpListsEveryPathWithItsParameters) {
  AdminForTest admin;
  std::string help = admin.get("/help").body;
  EXPECT_THAT(help, StartsWith("admin commands are:\n  /: "));
  EXPECT_THAT(help, HasSubstr("\n  /quitquitquit (POST): "));
  EXPECT_THAT(help, HasSubstr("One of (, trace, debug,"));
  EXPECT_THAT(help, HasSubstr("\n      format: form of the answer; One of (text, json)\n"));
  for (const Page& page : admin_pages()) EXPECT_THAT(help, HasSubstr("  " + std::string(page.path)));
}

TEST(Admin, PathsAreSortedAsEnvoyListsThem) {
  std::vector<std::string_view> paths;
  for (const Page& page : admin_pages()) paths.push_back(page.path);
  EXPECT_TRUE(std::ranges::is_sorted(paths));
}

TEST(Admin, HomeIsAPageWithALinkOrAFormForEachPath) {
  AdminForTest admin;
  Answered a = admin.get("/");
  EXPECT_EQ(a.header("content-type"), "text/html; charset=UTF-8");
  EXPECT_THAT(a.body, HasSubstr("<a href=\"ready\">ready</a>"));
  EXPECT_THAT(a.body, HasSubstr("<form id=\"quitquitquit\" action=\"quitquitquit\" method=\"post\">"));
  EXPECT_THAT(a.body, HasSubstr("&lt;name&gt;:&lt;level&gt;"));
  EXPECT_THAT(a.body, HasSubstr("1.2.3/TEST"));
  EXPECT_THAT(a.body, HasSubstr(">LIVE<"));
  EXPECT_THAT(a.body, Not(HasSubstr("{{")));
}

TEST(Admin, HomeNeedsNothingFromElsewhere) {
  AdminForTest admin;
  std::string body = admin.get("/").body;
  EXPECT_THAT(body, HasSubstr("default-src 'none'"));
  for (const char* outside : {"<script src", "<link rel=\"stylesheet", "@import", "url(http", "src=\"http"}) {
    EXPECT_THAT(body, Not(HasSubstr(outside)));
  }
}

TEST(Admin, StatisticsAsAPageAreEscaped) {
  AdminForTest admin;
  std::shared_ptr<StatScope> scope = admin.stats.scope("http.<b>&\"x.", http_stat_table());  // Lives while it is held.
  scope->local(0)[HttpStat::downstream_rq_total].add(5);
  Answered a = admin.get("/stats?format=html&filter=rq_total%3C?&usedonly");
  EXPECT_EQ(a.header("content-type"), "text/html; charset=UTF-8");
  EXPECT_THAT(a.body, HasSubstr("http.&lt;b&gt;&amp;&quot;x.downstream_rq_total: 5\n"));
  EXPECT_THAT(a.body, HasSubstr("value=\"rq_total&lt;?\""));
  EXPECT_THAT(a.body, HasSubstr("<option selected>html</option>"));
  EXPECT_THAT(a.body, Not(HasSubstr("<b>")));
  EXPECT_EQ(admin.get("/stats?format=active-html").body, admin.get("/").body);
}

TEST(Admin, OrdersOfOtherSitesAreRefused) {
  AdminForTest admin;
  admin.fields = {{"sec-fetch-site", "cross-site"}};
  EXPECT_EQ(admin.post("/quitquitquit").status, 403);
  EXPECT_EQ(admin.get("/ready").status, 200);
  EXPECT_THAT(admin.orders, IsEmpty());
  admin.fields = {{"host", "localhost"}, {"sec-fetch-site", "same-origin"}};
  EXPECT_EQ(admin.post("/quitquitquit").status, 200);
}

TEST(Admin, OrdersOfPagesWithAnotherOriginAreRefused) {
  struct Case {
    std::vector<std::pair<std::string, std::string>> fields;
    int status;
  };
  const Case cases[] = {
      {{{"host", "a.example:9901"}}, 200},
      {{{"host", "A.example:9901"}, {"origin", "http://a.example:9901"}}, 200},
      {{{"host", "a.example"}, {"origin", "http://a.example:80"}}, 200},
      {{{"host", "a.example:443"}, {"origin", "https://a.example"}}, 200},
      {{{"host", "a.example:9901"}, {"origin", "http://a.example:9902"}}, 403},
      {{{"host", "a.example:9901"}, {"origin", "http://b.example:9901"}}, 403},
      {{{"host", "a.example:9901"}, {"origin", "null"}}, 403},
      {{{"host", "a.example:9901"}, {"origin", ""}}, 403},
      {{{"host", "a.example"}, {"sec-fetch-site", "none"}}, 200},
      {{{"host", "a.example"}, {"sec-fetch-site", "cross-site, x"}}, 403},
      {{{"host", "a.example"}, {"sec-fetch-site", "same-origin, cross-site"}}, 403},
      {{{"host", "a.example"}, {"sec-fetch-site", "same-origin"}, {"sec-fetch-site", "same-site"}}, 403},
  };
  for (const Case& each : cases) {
    AdminForTest admin;
    admin.address = *Address::parse("10.0.0.1", 9901);
    admin.fields = each.fields;
    EXPECT_EQ(admin.post("/quitquitquit").status, each.status) << testing::PrintToString(each.fields);
    EXPECT_EQ(admin.orders.empty(), each.status == 403);
  }
}

TEST(Admin, ABrowserReachesALoopbackAddressByNoNameOfOthers) {
  for (const auto& [host, status] : {std::pair{"127.0.0.1:9901", 200},
                                     {"[::1]:9901", 200},
                                     {"localhost:9901", 200},
                                     {"LOCALHOST", 200},
                                     {"evil.example:9901", 403},
                                     {"localhost.evil.example", 403}}) {
    AdminForTest admin;
    admin.address = *Address::parse("127.0.0.1", 9901);
    admin.fields = {{"host", host}};
    EXPECT_EQ(admin.post("/quitquitquit").status, 200) << host << " without browser";
    admin.fields.emplace_back("origin", std::string("http://") + host);
    EXPECT_EQ(admin.post("/quitquitquit").status, status) << host;
  }
}

TEST(Admin, APathIsWhatItNormalizesTo) {
  AdminForTest admin;
  for (const char* path : {"//ready", "///ready", "/./ready", "/stats/../ready", "/%72eady"}) {
    EXPECT_EQ(admin.get(path).status, 200) << path;
  }
  for (const char* path : {"/stats%2fprometheus", "/stats%2Fprometheus", "/ready/"}) {
    EXPECT_EQ(admin.get(path).status, 404) << path;
  }
}

TEST(Admin, ExplainNeedsAUrl) {
  AdminForTest admin;
  EXPECT_EQ(admin.get("/explain").status, 400);
  EXPECT_EQ(admin.get("/explain?url=http://a/x").status, 503) << "there is no configuration yet";
  EXPECT_EQ(admin.get("/sources").body, "{\n \"sources\": []\n}\n");
}

TEST(Admin, ListenersAreNamedWithTheirAddresses) {
  AdminForTest admin;
  EXPECT_EQ(admin.get("/listeners").body, "");
  EXPECT_EQ(admin.get("/listeners?format=json").body, "{}\n");
  admin.listeners = {{"a\"b", *Address::parse("::1", 80)}, {"pipe", Address::pipe("/run/x")}};
  EXPECT_EQ(admin.get("/listeners").body, "a\"b::[::1]:80\npipe::/run/x\n");
  Answered json = admin.get("/listeners?format=json");
  EXPECT_EQ(json.header("content-type"), "application/json");
  EXPECT_EQ(json.body, R"({
 "listener_statuses": [
  {
   "name": "a\"b",
   "local_address": {
    "socket_address": {
     "address": "::1",
     "port_value": 80
    }
   }
  },
  {
   "name": "pipe",
   "local_address": {
    "pipe": {
     "path": "/run/x"
    }
   }
  }
 ]
}
)");
}

TEST(Admin, ServerInfoSaysWhatRunsAndForHowLong) {
  AdminForTest admin;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->node_id = "n1";
  snapshot->node_cluster = "c1";
  admin.snapshot = snapshot;
  admin.command_line = {
      {"base_id", "7"}, {"concurrency", "2"}, {"disable_hot_restart", "true"}, {"stats_tag", "a:b,c:d"}};
  admin.clock.advance(std::chrono::milliseconds(61'900));
  EXPECT_EQ(admin.get("/server_info").body, R"({
 "version": "1.2.3/TEST",
 "state": "LIVE",
 "uptime_current_epoch": "61s",
 "uptime_all_epochs": "61s",
 "hot_restart_version": "disabled",
 "command_line_options": {
  "base_id": "7",
  "concurrency": 2,
  "disable_hot_restart": true,
  "stats_tag": [
   "a:b",
   "c:d"
  ]
 },
 "node": {
  "id": "n1",
  "cluster": "c1",
  "user_agent_name": "outrider"
 },
 "hot_restart_initializing": false
}
)");
}

TEST(Admin, PagesAnswerBeforeThereIsASnapshot) {
  AdminForTest admin;
  for (const Page& page : admin_pages()) {
    if (page.path == "/explain") continue;
    bool built = !page.help.ends_with("not in this build");
    if (!page.post) EXPECT_EQ(admin.get(std::string(page.path)).status, built ? 200 : 501) << page.path;
  }
}

TEST(Admin, StatsComeInTheFormAskedFor) {
  AdminForTest admin;
  auto scope = admin.stats.scope("http.x.", http_stat_table());
  scope->local(0)[HttpStat::downstream_rq_total].add(3);
  EXPECT_EQ(admin.get("/stats?usedonly").body, "http.x.downstream_rq_total: 3\n");
  Answered json = admin.get("/stats?usedonly&format=json");
  EXPECT_EQ(json.header("content-type"), "application/json");
  EXPECT_THAT(json.body, HasSubstr(R"({"name":"http.x.downstream_rq_total","value":3})"));
  for (const char* target : {"/stats?usedonly&format=prometheus", "/stats/prometheus?usedonly"}) {
    Answered a = admin.get(target);
    EXPECT_EQ(a.header("content-type"), "text/plain; charset=UTF-8");
    EXPECT_THAT(a.body, HasSubstr("envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix=\"x\"} 3\n"));
  }
  EXPECT_EQ(admin.get("/stats?filter=stream_rq_t%6ftal").body, "http.x.downstream_rq_total: 3\n");
}

TEST(Admin, AWrongParameterOfStatsIs400) {
  AdminForTest admin;
  for (const char* target : {"/stats?filter=(", "/stats?format=xml", "/stats?type=x", "/stats?histogram_buckets=x",
                             "/stats/prometheus?histogram_buckets=detailed"}) {
    EXPECT_EQ(admin.get(target).status, 400) << target;
  }
}

TEST(Admin, MemoryAndCertificatesAreJson) {
  AdminForTest admin;
  EXPECT_THAT(admin.get("/memory").body, StartsWith("{\n \"allocated\": \""));
  EXPECT_EQ(admin.get("/certs").body, "{\n \"certificates\": []\n}\n");
  EXPECT_EQ(admin.get("/hot_restart_version").body, "disabled");
}

}  // namespace
}  // namespace outrider
