#include "config/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/schema.h"
#include "config/write_tree.h"

namespace outrider::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const Schema& schema() {
  static const Schema schema;
  return schema;
}

std::string told(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& one : problems) out += to_text(one) + "\n";
  return out;
}

std::string converted(std::string_view name, std::string_view text, Form form = Form::yaml) {
  const auto out = convert_text(schema(), name, std::string(text), {.substitute_environment = false}, form);
  return out ? out->text : "refused:\n" + told(out.error());
}

std::string notes_of(std::string_view name, std::string_view text) {
  const auto out = convert_text(schema(), name, std::string(text), {}, Form::yaml);
  return told(out ? out->notes : out.error());
}

std::string bytes_of(std::string_view name, std::string_view text) {
  const auto loaded = load_text(schema(), name, std::string(text));
  return loaded ? loaded->bootstrap : "refused:\n" + told(loaded.error());
}

constexpr std::string_view kV1 = R"({
  "listeners": [{"address": "tcp://0.0.0.0:80", "filters": [{"name": "http_connection_manager", "config": {
    "stat_prefix": "in", "idle_timeout_s": 30, "access_log": [{"path": "/dev/null", "format": "%PROTOCOL%\n"}],
    "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
      {"timeout_ms": 1500, "prefix": "/", "cluster": "c", "host_rewrite": "h"}]}]},
    "filters": [{"name": "router", "config": {}}]}}]}],
  "cluster_manager": {"clusters": [
    {"name": "c", "connect_timeout_ms": 250, "type": "strict_dns", "lb_type": "random",
     "hosts": [{"url": "tcp://h:1"}]}]}})";

constexpr std::string_view kV2 = R"(
static_resources:
  listeners:
    address: {socket_address: {address: 0.0.0.0, port_value: 80}}
    filter_chains:
      filters:
        name: envoy.http_connection_manager
        config:
          stat_prefix: in
          idle_timeout: 30s
          access_log: {name: envoy.file_access_log, config: {path: /dev/null, format: "%PROTOCOL%\n"}}
          route_config:
            virtual_hosts:
            - {name: v, domains: '*', routes: [{match: {prefix: /}, route: {timeout: {seconds: 1, nanos: 500000000}, cluster: c, host_rewrite: h}}]}
          http_filters: [{name: envoy.router}]
  clusters:
    {name: c, connect_timeout: 250ms, type: strict_dns, dns_lookup_family: v4_only, lb_policy: random, hosts: {socket_address: {address: h, port_value: 1}}}
)";

constexpr std::string_view kV3 = R"(static_resources:
  listeners:
  - address:
      socket_address:
        address: "0.0.0.0"
        port_value: 80
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          common_http_protocol_options:
            idle_timeout: "30s"
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/null
              format: |
                %PROTOCOL%
          route_config:
            virtual_hosts:
            - name: v
              domains:
              - "*"
              routes:
              - match:
                  prefix: /
                route:
                  timeout: "1.5s"
                  cluster: c
                  host_rewrite_literal: h
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: c
    connect_timeout: "0.25s"
    type: STRICT_DNS
    dns_lookup_family: V4_ONLY
    lb_policy: RANDOM
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address:
                address: h
                port_value: 1
)";

TEST(Convert, TheOrderOfTheFileIsKept) {
  EXPECT_EQ(converted("f.yaml", kV2), kV3);
  EXPECT_EQ(converted("f.yaml", kV3), kV3);
}

TEST(Convert, WhatItPrintsLoadsAsTheFileDoes) {
  EXPECT_THAT(bytes_of("f.yaml", kV3), HasSubstr("envoy.filters.http.router"));
  for (const auto& [name, text] : {std::pair{"f.json", kV1}, {"f.yaml", kV2}, {"f.yaml", kV3}}) {
    EXPECT_EQ(bytes_of("g.yaml", converted(name, text)), bytes_of(name, text)) << text;
    EXPECT_EQ(bytes_of("g.json", converted(name, text, Form::json)), bytes_of(name, text)) << text;
  }
}

TEST(Convert, FormatsOfV1MayNameTheClientByItsOldName) {
  const std::string text = R"({"listeners": [{"address": "tcp://0.0.0.0:80", "filters": [{"name":
    "http_connection_manager", "config": {"codec_type": "auto", "stat_prefix": "in", "route_config": {"virtual_hosts": [
      {"name": "v", "domains": ["*"], "request_headers_to_add": [{"key": "x", "value": "a%CLIENT_IP%b%CLIENT_IP%"}],
       "routes": [{"prefix": "/", "cluster": "c"}]}]},
    "filters": [{"name": "router", "config": {"dynamic_stats": false}}]}}], "use_original_dst": false}],
    "cluster_manager": {"clusters": [{"name": "c", "connect_timeout_ms": 250, "type": "static", "lb_type": "random",
      "hosts": [{"url": "tcp://127.0.0.1:1"}]}]}})";
  EXPECT_THAT(converted("f.json", text),
              HasSubstr("a%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%b%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"));
  EXPECT_THAT(converted("f.json", text), HasSubstr("dynamic_stats: false"));
}

TEST(Convert, OldRegularExpressionsSayHowLargeTheyAre) {
  const auto route = [](const std::string& regex) {
    return "static_resources: {listeners: [{address: {socket_address: {address: 0.0.0.0, port_value: 80}}, "
           "filter_chains: "
           "[{filters: [{name: envoy.http_connection_manager, config: {stat_prefix: in, route_config: {virtual_hosts: "
           "[{name: v, domains: ['*'], routes: [{match: {regex: " +
           regex +
           "}, redirect: {host_redirect: h}}]}]}, "
           "http_filters: [{name: envoy.router}]}}]}]}]}";
  };
  EXPECT_THAT(converted("f.yaml", route(std::string(200, 'a'))), HasSubstr("max_program_size: 204"));
  EXPECT_THAT(converted("f.yaml", route("aaa")), testing::Not(HasSubstr("max_program_size")));
}

TEST(Convert, FieldsOfAnEarlyAuthorizationServiceBecomeMatchers) {
  const std::string text =
      "static_resources: {listeners: [{address: {socket_address: {address: 0.0.0.0, port_value: 80}}, filter_chains: "
      "[{filters: [{name: envoy.http_connection_manager, config: {stat_prefix: in, route_config: {}, http_filters: "
      "[{name: envoy.ext_authz, config: {http_service: {server_uri: {uri: u, cluster: c, timeout: 1s}, "
      "allowed_request_headers: [x-a], allowed_authorization_headers: [x-b, x-c]}}}, {name: envoy.router}]}}]}]}]}";
  const std::string v3 = converted("f.yaml", text);
  EXPECT_THAT(v3, HasSubstr("allowed_headers:"));
  EXPECT_THAT(v3, HasSubstr("exact: x-a"));
  EXPECT_THAT(v3, HasSubstr("allowed_upstream_headers:"));
  EXPECT_THAT(v3, HasSubstr("allowed_client_headers:"));
  EXPECT_THAT(v3, HasSubstr("ignore_case: true"));
}

TEST(Convert, ClustersOfV1AskForIPv4UnlessToldOtherwise) {
  EXPECT_THAT(converted("f.json", kV1), HasSubstr("dns_lookup_family: V4_ONLY"));
}

TEST(Convert, WhatIsNotBuiltIsConvertedToo) {
  EXPECT_EQ(converted("f.yaml",
                      "tracing: {http: {name: envoy.zipkin, config: {collector_cluster: c, "
                      "collector_endpoint: /s}}}\ndynamic_resources: {lds_config: {path: /l}}\n"),
            R"(tracing:
  http:
    name: envoy.tracers.zipkin
    typed_config:
      "@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig
      collector_cluster: c
      collector_endpoint: /s
      collector_endpoint_version: HTTP_JSON
dynamic_resources:
  lds_config:
    path_config_source:
      path: /l
    resource_api_version: V3
)");
}

TEST(Convert, AMistakeIsToldAndNothingPrinted) {
  EXPECT_EQ(
      converted("f.yaml", "static_resources:\n  clusters:\n  - {name: a, typ: STATIC}\n"),
      "refused:\nf.yaml:3:15: static_resources.clusters[0]: envoy.config.cluster.v3.Cluster has no field `typ` (did "
      "you mean `type`?)\n");
}

TEST(Convert, ATypeThatTheApiDoesNotHaveStaysAsItIs) {
  constexpr std::string_view kText = R"(stats_sinks:
- name: mine
  typed_config:
    "@type": type.googleapis.com/my.Sink
    count: 5
    on: true
    text: "5"
)";
  EXPECT_EQ(converted("f.yaml", kText), R"(stats_sinks:
- name: mine
  typed_config:
    "@type": type.googleapis.com/my.Sink
    count: 5
    "on": true
    text: "5"
)");
  EXPECT_THAT(notes_of("f.yaml", kText), HasSubstr("the API has no message `my.Sink`: not looked at"));
}

TEST(Convert, TextsKeepTheirLetters) {
  for (const std::string_view text :
       {"",     "a",          "true",   "Off",   "null", "~",     "1",      "0x1f",  "1e3",   ".5",   "-",     "- a",
        "a: b", "a #b",       "#",      "*",     "&a",   "!x",    "[a]",    "{a}",   "a\"b",  "a\\b", "a'b",   " a",
        "a ",   "a\nb",       "a\nb\n", "a\n\n", "\na",  " a\nb", "a\tb\n", "tab\t", "\x01",  "\x7f", "größe", "日本",
        "a:",   "%PROTOCOL%", "y",      "=",     "<<",   "@a",    "`a`",    "nan",   "a\r\nb"}) {
    Tree tree;
    Node* root = tree.make(Kind::mapping, {});
    Node* resources = tree.set_mapping(*tree.set_mapping(*root, "node", {}), "metadata", {});
    tree.set_scalar(*resources, text, text, false, {});
    Node* list = tree.set_sequence(*resources, "list", {});
    tree.append(*list, *tree.make_scalar(text, false, {}));
    for (const auto& [name, written] : {std::pair{"f.yaml", to_yaml(*root)}, {"f.json", to_json(*root)}}) {
      EXPECT_EQ(converted(name, written), to_yaml(*root)) << written;
      EXPECT_EQ(converted(name, written, Form::json), to_json(*root)) << written;
    }
  }
}

TEST(Convert, EveryKindOfValueIsWrittenAsJsonOfProtobufWritesIt) {
  EXPECT_EQ(converted("f.yaml", R"(
node: {metadata: {a: [1, 1.5, yes, ~, "x"], b: {}, c: []}}
stats_flush_interval: {seconds: 3, nanos: 5000000}
static_resources:
  clusters:
  - type: 2
    name: a
    connectTimeout: 250ms
    preconnect_policy: {per_upstream_preconnect_ratio: 1.50}
    lb_subset_config: ~
    max_requests_per_connection: {value: "5"}
    ring_hash_lb_config: {minimum_ring_size: 1e3}
)"),
            R"(node:
  metadata:
    a:
    - 1
    - 1.5
    - true
    - null
    - x
    b: {}
    c: []
stats_flush_interval: "3.005s"
static_resources:
  clusters:
  - name: a
    type: LOGICAL_DNS
    connect_timeout: "0.25s"
    preconnect_policy:
      per_upstream_preconnect_ratio: 1.5
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http_protocol_options: {}
        common_http_protocol_options:
          max_requests_per_connection: 5
    ring_hash_lb_config:
      minimum_ring_size: 1000
)");
}

}  // namespace
}  // namespace outrider::config
