#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/admin_for_test.h"

namespace outrider {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Clusters {
  AdminForTest admin;
  std::shared_ptr<Snapshot> snapshot = std::make_shared<Snapshot>();

  Clusters() { admin.snapshot = snapshot; }

  Cluster& add(std::string name, std::vector<EndpointPtr> hosts, std::string stat_name = "", bool watched = false) {
    ClusterOptions options;
    if (watched) options.outlier = std::make_shared<OutlierOptions>();
    options.name = name;
    options.thresholds[1].connections = 7;
    options.thresholds[1].retries = 0;
    auto scope = admin.stats.scope("cluster." + (stat_name.empty() ? name : stat_name) + ".", cluster_stat_table());
    auto cluster = std::make_shared<Cluster>(std::move(options), scope, 0);
    cluster->set_hosts(make_host_set(std::move(hosts)), scope->local(0));
    snapshot->clusters[name] = cluster;
    return *cluster;
  }

  static EndpointPtr host(const Address& address, std::string hostname = "", std::uint32_t weight = 1,
                          std::uint32_t priority = 0) {
    return std::make_shared<Endpoint>(address, std::move(hostname), weight, priority, 1);
  }
};

TEST(ClustersPage, HasEnvoysLinesInEnvoysOrder) {
  Clusters c;
  EndpointPtr host = Clusters::host(*Address::parse("10.0.0.1", 80), "example.com", 3, 1);
  host->health = HostHealth::degraded;
  host->region = "r";
  host->canary = true;
  host->numbers.cx_active = 2;
  host->numbers.rq_total = 9;
  c.add("a", {host}, "other");
  EXPECT_EQ(c.admin.get("/clusters").body,
            "a::observability_name::other\n"
            "a::default_priority::max_connections::1024\n"
            "a::default_priority::max_pending_requests::1024\n"
            "a::default_priority::max_requests::1024\n"
            "a::default_priority::max_retries::3\n"
            "a::high_priority::max_connections::7\n"
            "a::high_priority::max_pending_requests::1024\n"
            "a::high_priority::max_requests::1024\n"
            "a::high_priority::max_retries::0\n"
            "a::added_via_api::false\n"
            "a::10.0.0.1:80::cx_active::2\n"
            "a::10.0.0.1:80::cx_connect_fail::0\n"
            "a::10.0.0.1:80::cx_total::0\n"
            "a::10.0.0.1:80::rq_active::0\n"
            "a::10.0.0.1:80::rq_error::0\n"
            "a::10.0.0.1:80::rq_pending_active::0\n"
            "a::10.0.0.1:80::rq_success::0\n"
            "a::10.0.0.1:80::rq_timeout::0\n"
            "a::10.0.0.1:80::rq_total::9\n"
            "a::10.0.0.1:80::hostname::example.com\n"
            "a::10.0.0.1:80::health_flags::/degraded_eds_health\n"
            "a::10.0.0.1:80::weight::3\n"
            "a::10.0.0.1:80::region::r\n"
            "a::10.0.0.1:80::zone::\n"
            "a::10.0.0.1:80::sub_zone::\n"
            "a::10.0.0.1:80::canary::true\n"
            "a::10.0.0.1:80::priority::1\n"
            "a::10.0.0.1:80::success_rate::-1\n"
            "a::10.0.0.1:80::local_origin_success_rate::-1\n");
}

TEST(ClustersPage, JsonLeavesOutWhatIsZero) {
  Clusters c;
  EndpointPtr host = Clusters::host(Address::pipe("/run/x"));
  host->numbers.rq_total = 9;
  c.add("a", {host});
  Answered a = c.admin.get("/clusters?format=json");
  EXPECT_EQ(a.header("content-type"), "application/json");
  EXPECT_EQ(a.body, R"({
 "cluster_statuses": [
  {
   "name": "a",
   "host_statuses": [
    {
     "address": {
      "pipe": {
       "path": "/run/x"
      }
     },
     "stats": [
      {
       "name": "cx_connect_fail"
      },
      {
       "name": "cx_total"
      },
      {
       "name": "rq_error"
      },
      {
       "name": "rq_success"
      },
      {
       "name": "rq_timeout"
      },
      {
       "name": "rq_total",
       "value": "9"
      },
      {
       "type": "GAUGE",
       "name": "cx_active"
      },
      {
       "type": "GAUGE",
       "name": "rq_active"
      },
      {
       "type": "GAUGE",
       "name": "rq_pending_active"
      }
     ],
     "health_status": {
      "eds_health_status": "HEALTHY"
     },
     "weight": 1,
     "locality": {}
    }
   ],
   "circuit_breakers": {
    "thresholds": [
     {
      "max_connections": 1024,
      "max_pending_requests": 1024,
      "max_requests": 1024,
      "max_retries": 3
     },
     {
      "priority": "HIGH",
      "max_connections": 7,
      "max_pending_requests": 1024,
      "max_requests": 1024,
      "max_retries": 0
     }
    ]
   },
   "observability_name": "a"
  }
 ]
}
)");
}

TEST(ClustersPage, FilterSelectsByNameAndMustBeARegularExpression) {
  Clusters c;
  c.add("left", {});
  c.add("right", {});
  EXPECT_THAT(c.admin.get("/clusters?filter=^r").body, HasSubstr("right::added_via_api"));
  EXPECT_THAT(c.admin.get("/clusters?filter=^r").body, Not(HasSubstr("left")));
  EXPECT_EQ(c.admin.get("/clusters?filter=nothing").body, "");
  EXPECT_EQ(c.admin.get("/clusters?filter=nothing&format=json").body, "{}\n");
  Answered wrong = c.admin.get("/clusters?filter=(");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.body, "Invalid re2 regex");
}

TEST(ClustersPage, HostsComeInOrderOfPriority) {
  Clusters c;
  c.add("a", {Clusters::host(Address::any4(1), "", 1, 2), Clusters::host(Address::any4(2)),
              Clusters::host(Address::any4(3), "", 1, 2), Clusters::host(Address::any4(4))});
  std::string body = c.admin.get("/clusters").body;
  std::vector<std::size_t> places;
  for (const char* host : {":2::cx_total", ":4::cx_total", ":1::cx_total", ":3::cx_total"})
    places.push_back(body.find(host));
  EXPECT_TRUE(std::ranges::is_sorted(places));
}

TEST(ClustersPage, AClusterWithoutHostsIsListedInBothForms) {
  Clusters c;
  c.add("a", {});
  c.add("b", {});
  EXPECT_THAT(c.admin.get("/clusters").body, HasSubstr("b::added_via_api::false\n"));
  std::string json = c.admin.get("/clusters?format=json").body;
  EXPECT_THAT(json, HasSubstr("\"name\": \"a\""));
  EXPECT_THAT(json, HasSubstr("\"name\": \"b\""));
  EXPECT_THAT(json, Not(HasSubstr("host_statuses")));
}

TEST(ClustersPage, NamesAreEscapedInJson) {
  Clusters c;
  c.add("a\"\\\n", {});
  EXPECT_THAT(c.admin.get("/clusters?format=json").body, HasSubstr(R"("name": "a\"\\\n")"));
}

TEST(ClustersPage, OutlierDetectionHasEnvoysLinesAndMembers) {
  Clusters c;
  EndpointPtr host = Clusters::host(*Address::parse("10.0.0.1", 80));
  host->outlier = std::make_unique<Outlier>(OutlierOptions{});
  Cluster& cluster = c.add("a", {host}, "", true);
  EXPECT_THAT(c.admin.get("/clusters").body, HasSubstr("a::observability_name::a\n"
                                                       "a::outlier::success_rate_average::-1\n"
                                                       "a::outlier::success_rate_ejection_threshold::-1\n"
                                                       "a::outlier::local_origin_success_rate_average::-1\n"
                                                       "a::outlier::local_origin_success_rate_ejection_threshold::-1\n"
                                                       "a::default_priority::"));
  EXPECT_THAT(c.admin.get("/clusters?format=json").body, Not(HasSubstr("success_rate")));
  cluster.success_rates = {83.33333333333333, 38.54990385818532};
  cluster.local_origin_success_rates = {0, 0};
  host->outlier->external.percent = 50;
  EXPECT_THAT(c.admin.get("/clusters").body, HasSubstr("a::outlier::success_rate_average::83.3333\n"
                                                       "a::outlier::success_rate_ejection_threshold::38.5499\n"
                                                       "a::outlier::local_origin_success_rate_average::0\n"));
  const std::string json = c.admin.get("/clusters?format=json").body;
  EXPECT_THAT(json, HasSubstr("\"success_rate_ejection_threshold\": {\n    \"value\": 38.54990385818532\n   },\n"
                              "   \"host_statuses\""));
  EXPECT_THAT(json, HasSubstr("\"success_rate\": {\n      \"value\": 50\n     },\n     \"weight\""));
  EXPECT_THAT(json, HasSubstr("\"local_origin_success_rate_ejection_threshold\": {},\n   \"circuit_breakers\""));
}

TEST(ClustersPage, ManyHostsAreSentInPiecesAndAllOfThem) {
  Clusters c;
  constexpr int kHosts = 1000;
  std::vector<EndpointPtr> hosts;
  for (int i = 0; i < kHosts; i++) hosts.push_back(Clusters::host(Address::any4(static_cast<std::uint16_t>(i + 1))));
  c.add("a", hosts);
  c.add("b", hosts);
  for (const char* target : {"/clusters", "/clusters?format=json"}) {
    Answered a = c.admin.get(target);
    EXPECT_GT(a.pieces, 5u);
    std::size_t found = 0;
    for (std::size_t at = 0; (at = a.body.find("rq_total", at)) != a.body.npos; at++) found++;
    EXPECT_EQ(found, 2u * kHosts) << target;
  }
}

TEST(ClustersPage, HostsThatChangeDuringTheAnswerDoNotHurtIt) {
  Clusters c;
  Cluster& cluster = c.add("a", {Clusters::host(Address::any4(1)), Clusters::host(Address::any4(2))});
  EXPECT_THAT(c.admin.get("/clusters").body, HasSubstr("a::0.0.0.0:2::cx_active::0\n"));
  cluster.set_hosts(make_host_set({Clusters::host(Address::any4(3))}), cluster.stats->local(0));
  EXPECT_THAT(c.admin.get("/clusters").body, HasSubstr("a::0.0.0.0:3::cx_active::0\n"));
  EXPECT_THAT(c.admin.get("/clusters").body, Not(HasSubstr("0.0.0.0:2")));
}

}  // namespace
}  // namespace outrider
