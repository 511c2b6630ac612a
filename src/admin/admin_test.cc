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

TEST(Admin, AParameterThatEnvoyHasAndWeHaveNotIsRefused) {
  AdminForTest admin;
  Answered a = admin.post("/drain_listeners?graceful");
  EXPECT_EQ(a.status, 400);
  EXPECT_EQ(a.body, "/drain_listeners: the parameter 'graceful' is not built\n");
  EXPECT_THAT(admin.orders, IsEmpty());
  EXPECT_EQ(admin.get("/config_dump?resource=static_clusters").status, 400);
  EXPECT_EQ(admin.get("/stats?invert_filter").status, 400);
  EXPECT_EQ(admin.get("/ready?nonsense=1").status, 200);
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
  EXPECT_THAT(a.body, HasSubstr("1.2.3/TEST &middot; LIVE"));
  EXPECT_THAT(a.body, Not(HasSubstr("<script")));
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
    if (!page.post) EXPECT_EQ(admin.get(std::string(page.path)).status, 200) << page.path;
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
  for (const char* target : {"/stats?filter=(", "/stats?format=xml", "/stats?format=html", "/stats?type=x",
                             "/stats?histogram_buckets=x", "/stats/prometheus?histogram_buckets=detailed"}) {
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
