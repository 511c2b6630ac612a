#include "observe/stat_tags.h"

#include <gtest/gtest.h>

#include "observe/stats_options.h"

namespace outrider {
namespace {

struct Row {
  std::string_view scope;
  std::string_view name;
  std::vector<StatTag> tags;
};

// Each row was seen in the output of Envoy 1.40.
const Row kRows[] = {
    {"cluster.backend.", "cluster.", {{"envoy_cluster_name", "backend"}}},
    {"cluster.backend.external.", "cluster.external.", {{"envoy_cluster_name", "backend"}}},
    {"cluster.backend.circuit_breakers.high.", "cluster.circuit_breakers.high.", {{"envoy_cluster_name", "backend"}}},
    {"cluster.a.dotted_name.", "cluster.dotted_name.", {{"envoy_cluster_name", "a"}}},
    {"cluster.out|80||x.", "cluster.", {{"envoy_cluster_name", "out|80||x"}}},
    {"cluster.backend.grpc.a.b.",
     "cluster.grpc.",
     {{"envoy_grpc_bridge_method", "b"}, {"envoy_grpc_bridge_service", "a"}, {"envoy_cluster_name", "backend"}}},
    {"cluster.backend.grpc.pack.age.Service.Meth.od.",
     "cluster.grpc.Service.Meth.od.",
     {{"envoy_grpc_bridge_method", "age"}, {"envoy_grpc_bridge_service", "pack"}, {"envoy_cluster_name", "backend"}}},
    {"cluster.backend.grpc.", "cluster.grpc.", {{"envoy_cluster_name", "backend"}}},
    {"cluster_manager.", "cluster_manager.", {}},
    {"http.second.", "http.", {{"envoy_http_conn_manager_prefix", "second"}}},
    {"http.ingress.http.", "http.http.", {{"envoy_http_conn_manager_prefix", "ingress"}}},
    {"http.second.tracing.", "http.tracing.", {{"envoy_http_conn_manager_prefix", "second"}}},
    {"http1.", "http1.", {}},
    {"listener.127.0.0.1_19402.", "listener.", {{"envoy_listener_address", "127.0.0.1_19402"}}},
    {"listener.127.0.0.1_19402.worker_1.",
     "listener.worker.",
     {{"envoy_worker_id", "1"}, {"envoy_listener_address", "127.0.0.1_19402"}}},
    {"listener.127.0.0.1_19402.http.second.",
     "listener.http.",
     {{"envoy_http_conn_manager_prefix", "second"}, {"envoy_listener_address", "127.0.0.1_19402"}}},
    {"listener.127.0.0.1_19400.http.ingress.http.",
     "listener.http.http.",
     {{"envoy_http_conn_manager_prefix", "ingress"}, {"envoy_listener_address", "127.0.0.1_19400"}}},
    {"listener.my.lst.", "listener.lst.", {{"envoy_listener_address", "my"}}},
    {"listener.my.lst.http.ingress.http.",
     "listener.lst.http.http.",
     {{"envoy_http_conn_manager_prefix", "ingress"}, {"envoy_listener_address", "my"}}},
    {"listener.my.lst.worker_0.", "listener.lst.worker_0.", {{"envoy_listener_address", "my"}}},
    {"listener.admin.", "listener.admin.", {}},
    {"listener.admin.http.admin.", "listener.admin.http.", {{"envoy_http_conn_manager_prefix", "admin"}}},
    {"listener.admin.main_thread.", "listener.admin.main_thread.", {}},
    {"vhost.vh1.vcluster.vc1.", "vhost.vcluster.", {{"envoy_virtual_cluster", "vc1"}, {"envoy_virtual_host", "vh1"}}},
    {"vhost.vh.one.vcluster.vc1.", "vhost.one.vcluster.vc1.", {{"envoy_virtual_host", "vh"}}},
    {"server.", "server.", {}},
    {"server.worker_12.", "server.worker.", {{"envoy_worker_id", "12"}}},
    {"server.main_thread.", "server.main_thread.", {}},
    {"thread_local_cluster_manager.worker_0.", "thread_local_cluster_manager.worker.", {{"envoy_worker_id", "0"}}},
    {"", "", {}},
};

TEST(StatTagsTest, TagsAreEnvoys) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.scope);
    TaggedName found = tags_of(row.scope);
    EXPECT_EQ(found.name, row.name);
    EXPECT_EQ(found.tags, row.tags);
  }
}

TEST(StatTagsTest, OddNamesHaveNoTags) {
  for (std::string_view scope :
       {"cluster.", "cluster..", "http.", "listener.", "vhost.", "server.worker_.", "server.worker_x."}) {
    SCOPED_TRACE(scope);
    TaggedName found = tags_of(scope);
    EXPECT_EQ(found.name, scope);
    EXPECT_TRUE(found.tags.empty());
  }
}

TEST(StatTagsTest, AnIpv6ListenerHasItsAddress) {
  TaggedName found = tags_of("listener.[__1]_8080.worker_0.");
  EXPECT_EQ(found.name, "listener.worker.");
  EXPECT_EQ(found.tags, (std::vector<StatTag>{{"envoy_worker_id", "0"}, {"envoy_listener_address", "[__1]_8080"}}));
}

TEST(StatTagsTest, AreFoundInWholeNames) {
  StatsOptions options;
  options.tags.push_back({"total", {}, [](std::string_view name, StatsOptions::Found& found) {
                            if (!name.ends_with("_total")) return false;
                            found = {name.size() - 6, 6, std::string(name.substr(0, 7))};
                            return true;
                          }});
  options.tags.push_back({"fixed", "yes", {}});
  EXPECT_TRUE(options.finds_tags());
  TaggedName found = tags_of("cluster.a.", "upstream_cx_total", options);
  EXPECT_EQ(found.name, "cluster.upstream_cx");
  EXPECT_EQ(found.tags, (std::vector<StatTag>{{"envoy_cluster_name", "a"}, {"total", "cluster"}, {"fixed", "yes"}}));
  found = tags_of("cluster.a.", "upstream_rq_2xx", options);
  EXPECT_EQ(found.name, "cluster.upstream_rq_xx");
  options.default_tags = false;
  found = tags_of("cluster.a.", "upstream_rq_503", options);
  EXPECT_EQ(found.name, "cluster.a.upstream_rq_503");
  EXPECT_EQ(found.tags, (std::vector<StatTag>{{"fixed", "yes"}}));
  options.named_defaults = {"envoy_response_code"};
  EXPECT_EQ(tags_of("cluster.a.", "upstream_rq_503", options).name, "cluster.a.upstream_rq");
}

TEST(StatTagsTest, TheResponseClassIsTheEndOfAName) {
  char digit = 0;
  EXPECT_TRUE(response_class_of("downstream_rq_2xx", digit));
  EXPECT_EQ(digit, '2');
  EXPECT_TRUE(response_class_of("upstream_rq_5xx", digit));
  EXPECT_EQ(digit, '5');
  EXPECT_FALSE(response_class_of("downstream_rq_xx", digit));
  EXPECT_FALSE(response_class_of("downstream_rq_2xx_total", digit));
  EXPECT_FALSE(response_class_of("downstream_2xx", digit));
}

}  // namespace
}  // namespace outrider
