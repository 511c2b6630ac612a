#include "config/source_map.h"

#include <gtest/gtest.h>

#include "config/load.h"
#include "config/problem.h"

namespace outrider {
namespace {

constexpr std::string_view kConfig = R"(static_resources:
  clusters:
  - name: a
  - {name: b}
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /x}
                route: {cluster: a}
              - match: {prefix: /}
                route: {cluster: b}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
)";

TEST(SourceMap, KnowsTheLineOfEachPart) {
  auto loaded = config::load_text("envoy.yaml", std::string(kConfig));
  ASSERT_TRUE(loaded) << config::to_text(loaded.error().front());
  SourceMap map = config::source_map(*loaded->tree);
  const std::string hosts =
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts";
  EXPECT_EQ(map.find("static_resources.clusters", 0), "envoy.yaml:3");
  EXPECT_EQ(map.find("static_resources.clusters", 1), "envoy.yaml:4");
  EXPECT_EQ(map.find("static_resources.listeners", 0), "envoy.yaml:6");
  EXPECT_EQ(map.find(hosts, 0), "envoy.yaml:16");
  EXPECT_EQ(map.find(hosts, 0, 1), "envoy.yaml:21");
  EXPECT_EQ(map.find(hosts, 0, 2), "");
  EXPECT_EQ(map.path(map.places.back()), hosts + "[0].routes[1]");
}

}  // namespace
}  // namespace outrider
