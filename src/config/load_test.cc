#include "config/load.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "config/schema.h"

namespace outrider::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string joined(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& one : problems) out += to_text(one) + "\n";
  return out;
}

const Schema& schema() {
  static const Schema schema;
  return schema;
}

// The serialized bootstrap, or the problems.
std::string bytes_of(std::string_view name, std::string_view text) {
  const auto loaded = load_text(schema(), name, std::string(text));
  return loaded ? loaded->bootstrap : "refused:\n" + joined(loaded.error());
}

std::string json_of(std::string_view name, std::string_view text) {
  const auto loaded = load_text(schema(), name, std::string(text));
  return loaded ? to_json(schema(), "envoy.config.bootstrap.v3.Bootstrap", loaded->bootstrap)
                : "refused:\n" + joined(loaded.error());
}

// A whole file around an entry of the HTTP connection manager, which stands in line 9 from column 11 on.
std::string with_hcm(std::string_view entry) {
  const bool has_routes = entry.starts_with("route_config");
  return fmt::format(R"(static_resources:
  listeners:
  - filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s
          {}
          {}
)",
                     entry, has_routes ? "" : "route_config: {virtual_hosts: []}");
}
// The same around a route, which stands in line 14 from column 17 on.
std::string with_route(std::string_view route) {
  return with_hcm(fmt::format(R"(route_config:
            virtual_hosts:
            - name: v
              domains: ['*']
              routes:
              - {})",
                              route));
}
std::string with_cluster(std::string_view cluster) {
  return fmt::format("static_resources: {{clusters: [{{name: c, {}}}]}}\n", cluster);
}

// Each problem as `line:column: path: message (hint)`.
std::vector<std::string> problems_of(const std::string& text, std::string_view name = "f.yaml") {
  std::vector<std::string> out;
  const auto loaded = load_text(schema(), name, text);
  for (const Problem& one : loaded ? loaded->notes : loaded.error()) {
    out.push_back(to_text(one).substr(name.size() + 1));
  }
  return out;
}

TEST(Load, TheSameConfigurationInEveryDialectGivesTheSameBytes) {
  constexpr std::string_view kV1 = R"({
    "listeners": [{"address": "tcp://0.0.0.0:80", "filters": [{"type": "read", "name": "http_connection_manager", "config": {
      "codec_type": "auto", "stat_prefix": "in", "idle_timeout_s": 30, "drain_timeout_ms": 1500,
      "access_log": [{"path": "/dev/null", "format": "%PROTOCOL%"}],
      "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
        {"prefix": "/ws", "cluster": "c", "use_websocket": true, "timeout_ms": 0},
        {"path": "/old", "host_redirect": "h", "path_redirect": "/new"},
        {"regex": "/r.*", "cluster": "c", "prefix_rewrite": "/x", "host_rewrite": "host", "case_sensitive": false, "priority": "high"}]}]},
      "filters": [{"type": "decoder", "name": "router", "config": {}}]}}]}],
    "admin": {"access_log_path": "/tmp/a.log", "address": "tcp://127.0.0.1:8001/"},
    "cluster_manager": {"clusters": [{"name": "c", "connect_timeout_ms": 250, "type": "strict_dns", "lb_type": "round_robin",
      "max_requests_per_connection": 7, "dns_refresh_rate_ms": 5000, "dns_lookup_family": "auto",
      "circuit_breakers": {"default": {"max_connections": 1}, "high": {"max_requests": 2}},
      "hosts": [{"url": "tcp://a_b:80"}, {"url": "tcp://[::1]:81"}]}]}})";
  constexpr std::string_view kV2 = R"(
static_resources:
  listeners:
    address: {socket_address: {address: 0.0.0.0, port_value: 80}}
    filter_chains:
      filters:
        name: envoy.http_connection_manager
        config:
          codec_type: auto
          stat_prefix: in
          idle_timeout: 30s
          drain_timeout: 1.5s
          access_log: {name: envoy.file_access_log, config: {path: /dev/null, format: '%PROTOCOL%'}}
          route_config:
            virtual_hosts:
            - name: v
              domains: '*'
              routes:
              - {match: {prefix: /ws}, route: {cluster: c, use_websocket: true, timeout: 0s}}
              - {match: {path: /old}, redirect: {host_redirect: h, path_redirect: /new}}
              - match: {regex: '/r.*', case_sensitive: false}
                route: {cluster: c, prefix_rewrite: /x, host_rewrite: host, priority: high}
          http_filters: [{name: envoy.router}]
  clusters:
    name: c
    connect_timeout: {nanos: 250000000}
    type: strict_dns
    lb_policy: round_robin
    max_requests_per_connection: 7
    dns_refresh_rate: 5s
    circuit_breakers: {thresholds: [{max_connections: 1, priority: DEFAULT}, {max_requests: 2, priority: HIGH}]}
    hosts:
    - socket_address: {address: a_b, port_value: 80}
    - socket_address: {address: '::1', port_value: 81}
admin:
  access_log_path: /tmp/a.log
  address: {socket_address: {address: 127.0.0.1, port_value: 8001}}
)";
  constexpr std::string_view kV3 = R"({
    "admin": {"accessLog": [{"name": "envoy.access_loggers.file", "typedConfig":
        {"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": "/tmp/a.log"}}],
      "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 8001}}},
    "staticResources": {
      "clusters": [{"name": "c", "connectTimeout": "0.250s", "type": "STRICT_DNS", "lbPolicy": "ROUND_ROBIN", "dnsRefreshRate": "5s",
        "circuitBreakers": {"thresholds": [{"maxConnections": 1}, {"priority": "HIGH", "maxRequests": "2"}]},
        "typedExtensionProtocolOptions": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          "commonHttpProtocolOptions": {"maxRequestsPerConnection": 7}, "explicitHttpConfig": {"httpProtocolOptions": {}}}},
        "loadAssignment": {"clusterName": "c", "endpoints": [{"lbEndpoints": [
          {"endpoint": {"address": {"socketAddress": {"address": "a_b", "portValue": 80}}}},
          {"endpoint": {"address": {"socketAddress": {"address": "::1", "portValue": 81}}}}]}]}}],
      "listeners": [{"address": {"socketAddress": {"address": "0.0.0.0", "portValue": 80}}, "filterChains": [{"filters": [{
        "name": "NAME", "typedConfig": {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          "statPrefix": "in", "codecType": 0, "commonHttpProtocolOptions": {"idleTimeout": "30s"}, "drainTimeout": "1.5s",
          "accessLog": [{"name": "envoy.LOG", "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": "/dev/null", "format": "%PROTOCOL%"}}],
          "httpFilters": [{"name": "ROUTER", "typedConfig": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
          "routeConfig": {"virtualHosts": [{"name": "v", "domains": ["*"], "routes": [
            {"match": {"prefix": "/ws"}, "route": {"cluster": "c", "timeout": "0s", "upgradeConfigs": [{"upgradeType": "websocket"}]}},
            {"match": {"path": "/old"}, "redirect": {"hostRedirect": "h", "pathRedirect": "/new"}},
            {"match": {"safeRegex": {"regex": "/r.*"}, "caseSensitive": false},
             "route": {"cluster": "c", "prefixRewrite": "/x", "hostRewriteLiteral": "host", "priority": "HIGH"}}
          ]}]}}}]}]}]}})";
  const auto named = [&](std::string_view filter, std::string_view router, std::string_view log) {
    std::string out(kV3);
    out.replace(out.find("NAME"), 4, filter);
    out.replace(out.find("ROUTER"), 6, router);
    out.replace(out.find("envoy.LOG"), 9, log);
    return out;
  };
  EXPECT_EQ(json_of("f.json", kV1),
            json_of("f.json", named("http_connection_manager", "router", "envoy.access_loggers.file")));
  EXPECT_EQ(json_of("f.yaml", kV2),
            json_of("f.json", named("envoy.http_connection_manager", "envoy.router", "envoy.file_access_log")));
  EXPECT_EQ(load_text("f.json", std::string(kV1))->dialect, Dialect::v1);
  EXPECT_EQ(load_text("f.yaml", std::string(kV2))->dialect, Dialect::v2);
  EXPECT_EQ(load_text("f.json", named("a", "b", "c"))->dialect, Dialect::v3);
}

TEST(Load, PiecesOfSeveralDialectsMayStandInOneFile) {
  EXPECT_EQ(bytes_of("f.yaml", R"(
listeners: [{name: old, address: 'tcp://127.0.0.1:1', filters: []}]
static_resources:
  listeners: [{name: new, address: {socket_address: {address: 127.0.0.1, port_value: 2}}}]
  clusters: [{name: c, hosts: [{url: 'tcp://127.0.0.1:3'}]}]
)"),
            bytes_of("f.yaml", R"(
static_resources:
  listeners:
  - {name: new, address: {socket_address: {address: 127.0.0.1, port_value: 2}}}
  - {name: old, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, filter_chains: [{filters: []}]}
  clusters:
  - name: c
    load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 3}}}}]}]}
)"));
}

TEST(Load, AV1PieceInsideAV2FilterIsRead) {
  EXPECT_EQ(bytes_of("f.yaml",
                     R"(static_resources: {listeners: [{filter_chains: [{filters: [{name: envoy.http_connection_manager,
    config: {deprecated_v1: true, value: {stat_prefix: s, filters: [{type: decoder, name: router, config: {}}],
      route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: [{prefix: /, cluster: c}]}]}}}}]}]}]})"),
            bytes_of("f.yaml",
                     R"(static_resources: {listeners: [{filter_chains: [{filters: [{name: envoy.http_connection_manager,
    config: {stat_prefix: s, http_filters: [{name: router}],
      route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c}}]}]}}
      }]}]}]})"));
}

TEST(Load, TypeUrlsOfV2AndTypedStructsBecomeThoseOfV3) {
  EXPECT_EQ(bytes_of("f.yaml", with_hcm("http_filters: [{name: r, typed_config: {'@type': "
                                        "type.googleapis.com/envoy.config.filter.http.router.v2.Router}}]")),
            bytes_of("f.yaml", with_hcm("http_filters: [{name: r, typed_config: {'@type': "
                                        "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]")));
  EXPECT_EQ(
      bytes_of(
          "f.yaml",
          with_hcm("http_filters: [{name: r, typed_config: {'@type': type.googleapis.com/udpa.type.v1.TypedStruct, "
                   "type_url: type.googleapis.com/envoy.config.filter.http.router.v2.Router, "
                   "value: {suppress_envoy_headers: true}}}]")),
      bytes_of("f.yaml", with_hcm("http_filters: [{name: r, typed_config: {'@type': "
                                  "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, "
                                  "suppress_envoy_headers: true}}]")));
}

TEST(Load, TheOldRequestLimitOfAClusterCountsBesideItsNewOptions) {
  const auto options = [](std::string_view common) {
    return fmt::format(
        "typed_extension_protocol_options: {{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {{'@type': "
        "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
        "explicitHttpConfig: {{httpProtocolOptions: {{}}}}, {}}}}}",
        common);
  };
  const std::string expected =
      bytes_of("f.yaml", with_cluster(options("commonHttpProtocolOptions: {maxRequestsPerConnection: 7}")));
  EXPECT_THAT(expected, testing::Not(HasSubstr("refused")));
  EXPECT_EQ(bytes_of("f.yaml", with_cluster("max_requests_per_connection: 7, " + options(""))), expected);
  EXPECT_EQ(bytes_of("f.yaml", with_cluster("maxRequestsPerConnection: 9, " +
                                            options("commonHttpProtocolOptions: {maxRequestsPerConnection: 7}"))),
            expected);
  EXPECT_EQ(problems_of(with_cluster("http_protocol_options: {}, " + options("")))[0].substr(0, 66),
            "1:41: static_resources.clusters[0].http_protocol_options: set besi");
}

TEST(Load, TheFirstFilesOfAllHadPortsOnly) {
  EXPECT_EQ(bytes_of("f.json", R"({"listeners": [{"port": 80, "filters": []}]})"),
            bytes_of("f.json", R"({"listeners": [{"address": "tcp://0.0.0.0:80", "filters": []}]})"));
}

TEST(Load, AnOverlayIsMergedOverTheFile) {
  Source source;
  source.overlay_yaml =
      "admin: {address: {socket_address: {port_value: 2}}}\nstatic_resources: {clusters: [{name: b}]}\n";
  const auto loaded = load_text("f.yaml",
                                "admin: {address: {socket_address: {address: 127.0.0.1, port_value: "
                                "1}}}\nstatic_resources: {clusters: [{name: a}]}\n",
                                source);
  ASSERT_TRUE(loaded) << joined(loaded.error());
  EXPECT_EQ(loaded->bootstrap, bytes_of("f.yaml",
                                        "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 2}}}\n"
                                        "static_resources: {clusters: [{name: a}, {name: b}]}\n"));
  EXPECT_EQ(loaded->at("static_resources.clusters[1].name", "m").file, "--config-yaml");
  Source alone;
  alone.overlay_yaml = "node: {id: x}\n";
  EXPECT_TRUE(load(alone));
}

TEST(Load, MarksAreFoundByPathAfterwards) {
  const auto loaded = load_text("f.yaml",
                                "static_resources:\n  clusters:\n  - name: a\n    hosts:\n    - socket_address:\n"
                                "        address: h\n        port_value: 5\n");
  ASSERT_TRUE(loaded) << joined(loaded.error());
  const std::string host =
      "static_resources.clusters[0].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address";
  EXPECT_EQ(to_text(loaded->at(host + ".port_value", "no")), "f.yaml:7:21: " + host + ".port_value: no");
  EXPECT_EQ(loaded->at("static_resources.clusters[0].health_checks[3]", "no").line, 3);
  EXPECT_EQ(loaded->at("dynamic_resources", "no").line, 1);
}

TEST(Load, AnUnknownFieldIsANoteIfAllowed) {
  Source source;
  source.allow_unknown_fields = true;
  const auto loaded = load_text("f.yaml", "nothing: 1\n", source);
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->notes.size(), 1u);
  EXPECT_FALSE(loaded->notes[0].fatal);
}

TEST(Load, AnUnknownFieldThatIsAllowedHidesNoError) {
  Source source;
  source.allow_unknown_fields = true;
  const auto loaded = load_text("f.yaml", "static_resources: {clusters: [{nothing: 1}]}\n", source);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(joined(loaded.error()), HasSubstr("clusters[0].name: a text that is not empty was expected"));
}

TEST(Load, AnExtensionThatIsTurnedOffIsRefused) {
  for (const char* name : {"envoy.access_loggers.stdout", "envoy.access_loggers/envoy.access_loggers.stdout"}) {
    Source source;
    source.disabled_extensions = {"envoy.filters.http.fault", name};
    const auto loaded =
        load_text("f.yaml",
                  "admin:\n  access_log:\n  - name: envoy.access_loggers.stdout\n    typed_config: "
                  "{\"@type\": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}\n",
                  source);
    ASSERT_FALSE(loaded);
    EXPECT_THAT(joined(loaded.error()), HasSubstr("f.yaml:4:29: "));
    EXPECT_THAT(joined(loaded.error()), HasSubstr("an access logger, is turned off by --disable-extensions"));
  }
}

TEST(Load, SubstitutionCanBeTurnedOff) {
  Source source;
  source.substitute_environment = false;
  const auto loaded = load_text("f.yaml", "node: {id: \"${NO_SUCH_VARIABLE}\"}\n", source);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->bootstrap, HasSubstr("${NO_SUCH_VARIABLE}"));
}

TEST(Load, AFileThatCannotBeReadIsAnError) {
  EXPECT_EQ(joined(load({.path = "/no/such/file.yaml"}).error()),
            "/no/such/file.yaml: cannot be opened: No such file or directory\n");
  EXPECT_EQ(joined(load({.path = "/"}).error()), "/: is a directory\n");
  EXPECT_EQ(joined(load_text("f.yaml", "").error()), "f.yaml:1:1: holds no configuration\n");
  EXPECT_EQ(joined(load_text("f.yaml", "[1]\n").error()),
            "f.yaml:1:1: a mapping was expected: `static_resources`, `admin`, ...\n");
}

TEST(Load, MetadataKeepsItsKindsOfValues) {
  EXPECT_THAT(json_of("f.yaml", "node: {metadata: {a: 1.5, b: 'x', c: true, d: ~, e: [1, '1'], f: {g: yes}}}\n"),
              testing::AllOf(HasSubstr("\"a\": 1.5"), HasSubstr("\"b\": \"x\""), HasSubstr("\"c\": true"),
                             HasSubstr("\"d\": null"), HasSubstr("\"g\": true"), HasSubstr("\"1\"")));
}

TEST(Load, MessagesAreNoDeeperThanTheirDecoderTakes) {
  const auto nested = [](int levels) {
    std::string value = "1";
    for (int i = 0; i < levels; i++) value = "{a: " + value + "}";
    return "node: {metadata: " + value + "}\n";
  };
  EXPECT_TRUE(load_text("f.yaml", nested(33)));
  const auto refused = load_text("f.yaml", nested(34));
  ASSERT_FALSE(refused);
  EXPECT_THAT(to_text(refused.error()[0]), HasSubstr(": nested deeper than 100 messages"));
  std::string text = "node { metadata ";
  for (int i = 0; i < 100'000; i++) text += "{ fields { key: \"a\" value { struct_value ";
  EXPECT_FALSE(load_text("f.pb_text", text));
}

TEST(Load, WhatIsNoUtf8IsToldAsUtf8) {
  EXPECT_THAT(joined(load_text("f.pb_text", "node { \xe9\xff: 'x' }").error()), HasSubstr("\xef\xbf\xbd"));
  EXPECT_EQ(to_text(Problem{.file = "f",
                            .message = "a\xff"
                                       "b\xc3\xa9"}),
            "f: a\xef\xbf\xbd"
            "b\xc3\xa9");
}

TEST(Load, AFileMayBeProtobufItself) {
  const std::string yaml = with_hcm("http_filters: [{name: router}]");
  const std::string bytes = bytes_of("f.yaml", yaml);
  EXPECT_EQ(bytes_of("f.pb", bytes), bytes);
  EXPECT_EQ(bytes_of("f.pb_text", "node { id: 'x' }"), bytes_of("f.yaml", "node: {id: x}"));
  EXPECT_EQ(bytes_of("f.pb_text",
                     "admin { access_log { name: 'l' typed_config { [type.googleapis.com/"
                     "envoy.extensions.access_loggers.file.v3.FileAccessLog] { path: '/a' } } } }"),
            bytes_of("f.yaml",
                     "admin: {access_log: [{name: l, typed_config: {'@type': type.googleapis.com/"
                     "envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /a}}]}"));
  EXPECT_EQ(joined(load_text("f.pb", "\xff").error()), "f.pb: is no serialized envoy.config.bootstrap.v3.Bootstrap\n");
  EXPECT_THAT(joined(load_text("f.pb_text", "node {\n  idd: 'x' }").error()), HasSubstr("f.pb_text:2:6: "));
}

TEST(Load, AMessageHasNoValuesThatJsonHasNoFormFor) {
  const auto said = [](std::string_view text) {
    testing::internal::CaptureStderr();
    const auto loaded = load_text("f.pb_text", std::string(text));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << text;
    return loaded ? std::string() : joined(loaded.error());
  };
  const std::string cluster = "static_resources { clusters {\n  name: 'c' connect_timeout { ";
  EXPECT_EQ(said("node {\n  id: 'a'\n  cluster: '\\xff' }"), "f.pb_text:3:3: `cluster` is not UTF-8\n");
  EXPECT_EQ(
      said("admin { access_log { name: 'l'\n typed_config { [type.googleapis.com/"
           "envoy.extensions.access_loggers.file.v3.FileAccessLog] {\n path: '\\xff' } } } }"),
      "f.pb_text:2:2: is no envoy.extensions.access_loggers.file.v3.FileAccessLog, or a text in it is not UTF-8\n");
  EXPECT_EQ(said(cluster + "seconds: 1 nanos: -5 } } }"),
            "f.pb_text:2:13: a duration has at most 999999999 nanos, of the same sign as its seconds\n");
  EXPECT_EQ(said(cluster + "seconds: 315576000001 } } }"),
            "f.pb_text:2:13: a duration has at most 315576000000 seconds\n");
}

TEST(Load, JsonOfAMessageShowsAnyContent) {
  EXPECT_THAT(
      json_of("f.yaml", with_hcm("http_filters: [{name: router}]")),
      testing::AllOf(HasSubstr("\"stat_prefix\": \"s\""),
                     HasSubstr("\"@type\": \"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\"")));
  EXPECT_EQ(to_json("no.such.Message", ""), "");
}

// --- Problems
// -----------------------------------------------------------------------------------------------------------

struct Case {
  std::string text;
  std::vector<std::string> problems;  // each as `line:column: path: message (hint)`
};

TEST(Load, EveryProblemHasItsPlaceItsPathAndWhatWasExpected) {
  const std::string hcm = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
  const std::string route = hcm + ".route_config.virtual_hosts[0].routes[0]";
  const std::string cluster = "static_resources.clusters[0]";
  const Case cases[] = {
      {"static_resources:\n  clusters:\n  - name: c\n    lb_policy: ROUNDROBIN\n",
       {"4:16: " + cluster +
        ".lb_policy: `ROUNDROBIN` is no LbPolicy: ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, "
        "CLUSTER_PROVIDED was expected "
        "(did you mean "
        "`ROUND_ROBIN`?)"}},
      {"node: {id: n, cluster: 'n', locality: {region: oFF}}\n",
       {"1:12: node.id: a text was expected, but here is `n`, which is true or false without quotes (in quotes it is a "
        "text: \"n\")"}},
      {"static_resources:\n  clusters:\n  - name: c\n    lb_policy: load_balancing_policy_config\n",
       {"4:16: " + cluster +
        ".lb_policy: LOAD_BALANCING_POLICY_CONFIG of envoy.config.cluster.v3.Cluster.LbPolicy is not built into "
        "outrider yet (built are "
        "ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED)"}},
      {"static_resources:\n  clusters:\n  - name: c\n    conect_timeout: 1s\n",
       {"4:5: " + cluster +
        ": envoy.config.cluster.v3.Cluster has no field `conect_timeout` (did you mean `connect_timeout`?)"}},
      {"static_resources:\n  clusters:\n  - name: c\n    connect_timeout: 250ms\n",
       {"4:22: " + cluster + ".connect_timeout: note: `250ms` is read, but Envoy knows seconds only (write 0.25s)"}},
      {"static_resources:\n  clusters:\n  - name: c\n    connect_timeout: 5\n",
       {"4:22: " + cluster +
        ".connect_timeout: a duration was expected: seconds with an `s`, such as 5s or 0.25s (did you mean `5s`?)"}},
      {"static_resources:\n  clusters:\n  - name: c\n    dns_refresh_rate: 9223372037s\n",
       {"4:23: " + cluster + ".dns_refresh_rate: 0 to 9223372036 seconds were expected"}},
      {"static_resources:\n  clusters:\n  - name: c\n    per_connection_buffer_limit_bytes: 1\n    dns_jitter: "
       "{seconds: -1}\n",
       {"5:5: " + cluster + ".dns_jitter: at least 0 seconds was expected"}},
      {"static_resources:\n  clusters:\n  - name: c\n    connect_timeout: {seconds: 1, nanos: -5}\n",
       {"4:42: " + cluster +
        ".connect_timeout.nanos: a duration has at most 999999999 nanos, of the same sign as its seconds"}},
      {"static_resources:\n  clusters:\n  - name: c\n    connect_timeout: {seconds: 315576000001}\n",
       {"4:32: " + cluster + ".connect_timeout.seconds: a duration has at most 315576000000 seconds"}},
      {"static_resources:\n  clusters:\n  - name: c\n    connect_timeout: 0s\n",
       {"4:22: " + cluster + ".connect_timeout: more than 0 seconds was expected"}},
      {"static_resources:\n  clusters:\n  - type: STATIC\n    name: ''\n",
       {"4:11: " + cluster + ".name: a text that is not empty was expected"}},
      {"static_resources:\n  clusters:\n  - type: STATIC\n",
       {"3:5: " + cluster + ".name: a text that is not empty was expected"}},
      {"admin:\n  address:\n    socket_address: {address: a, port_value: abc}\n",
       {"3:46: admin.address.socket_address.port_value: a whole number, not negative, was expected, but here is "
        "`abc`"}},
      {"admin:\n  address:\n    socket_address: {address: a, port_value: 70000}\n",
       {"3:46: admin.address.socket_address.port_value: at most 65535 was expected"}},
      {"admin:\n  address:\n    socket_address: {address: a}\n",
       {"3:5: admin.address.socket_address: `port_value` is missing"}},
      {"admin:\n  address:\n    socket_address: 127.0.0.1:80\n",
       {"3:21: admin.address.socket_address: a mapping was expected (envoy.config.core.v3.SocketAddress), but here is "
        "`127.0.0.1:80`"}},
      {"admin: {address: {pipe: {path: /a}, socket_address: {address: a, port_value: 1}}}\n",
       {"1:37: admin.address.socket_address: `socket_address` excludes `pipe`, which is set too"}},
      {"dynamic_resources: {ads_config: {}}\nhds_config: {}\n",
       {"1:21: dynamic_resources.ads_config: `ads_config` of envoy.config.bootstrap.v3.Bootstrap.DynamicResources is "
        "not built into outrider yet",
        "2:1: hds_config: `hds_config` of envoy.config.bootstrap.v3.Bootstrap is not built into outrider yet"}},
      {"staticResources: {}\nstatic_resources: {}\n",
       {"1:1: static_resources: `staticResources` and `static_resources` are the same field"}},
      {with_route("{match: {prefx: /}, route: {cluster: c}}"),
       {"14:26: " + route + ".match: envoy.config.route.v3.RouteMatch has no field `prefx` (did you mean `prefix`?)"}},
      {with_route("{match: {prefix: /}}"),
       {"14:17: " + route + ": one of route, redirect, direct_response, non_forwarding_action is missing"}},
      {with_route("{route: {cluster: c}}"), {"14:17: " + route + ".match: `match` is missing"}},
      {with_route("{match: {prefix: /}, route: {cluster: c, internal_redirect_policy: {max_internal_redirects: 3}}}"),
       {"14:58: " + route +
        ".route.internal_redirect_policy: `internal_redirect_policy` of envoy.config.route.v3.RouteAction is not built "
        "into outrider yet"}},
      {with_route("{match: {prefix: /}, direct_response: {status: 99}}"),
       {"14:64: " + route + ".direct_response.status: at least 200 and less than 600 was expected"}},
      {with_hcm("http_filters: [{name: envoy.filters.http.wasm}]"),
       {"9:33: " + hcm +
        ".http_filters[0].typed_config.@type: "
        "envoy.filters.http.wasm, an HTTP filter, is not built into outrider yet"}},
      {with_hcm("http_filters: [{name: envoy.ruoter}]"),
       {"9:33: " + hcm +
        ".http_filters[0].name: `envoy.ruoter` is no name of an HTTP filter (did you mean `envoy.router`?)"}},
      {with_hcm("http_filters: [{name: r, typed_config: {'@type': a/envoy.extensions.filters.http.router.v3.Ruoter}}]"),
       {"9:60: " + hcm +
        ".http_filters[0].typed_config.@type: the API has no message `envoy.extensions.filters.http.router.v3.Ruoter` "
        "(did you mean envoy.extensions.filters.http.router.v3.Router?)"}},
      {"static_resources:\n  listeners:\n  - filter_chains:\n    - filters:\n      - name: r\n        typed_config:\n"
       "          '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n",
       {"7:20: static_resources.listeners[0].filter_chains[0].filters[0].typed_config: envoy.filters.http.router is an "
        "HTTP filter, "
        "but a network filter was expected"}},
      {with_hcm("codec_type: HTTP4"),
       {"9:23: " + hcm +
        ".codec_type: `HTTP4` is no CodecType: AUTO, HTTP1, HTTP2 was expected (did you mean `HTTP1`?)"}},
      {with_hcm("generate_request_id: maybe"),
       {"9:32: " + hcm + ".generate_request_id: true or false was expected, but here is `maybe`"}},
      {with_cluster("hosts: [], load_assignment: {cluster_name: c}"),
       {"1:41: " + cluster + ".hosts: `hosts` is the old form of `load_assignment`, and both are here"}},
      {with_cluster("http2_protocol_options: {allow_metadata: true}"),
       {"1:66: " + cluster +
        ".typed_extension_protocol_options[\"envoy.extensions.upstreams.http.v3.HttpProtocolOptions\"]"
        ".explicit_http_config.http2_protocol_options.allow_metadata: `allow_metadata` of "
        "envoy.config.core.v3.Http2ProtocolOptions is not built into outrider yet"}},
      {with_cluster("circuit_breakers: {thresholds: [~]}"),
       {"1:73: " + cluster + ".circuit_breakers.thresholds[0]: nothing stands here, but a list has no gaps"}},
      {with_cluster("circuit_breakers: [1]"),
       {"1:41: " + cluster +
        ".circuit_breakers: a mapping was expected (envoy.config.cluster.v3.CircuitBreakers), but here is a list"}},
      {"a: 1\nb: 2\na: 3\n",
       {"1:1: envoy.config.bootstrap.v3.Bootstrap has no field `a` (outrider knows the API of Envoy 1.36-1.37)",
        "2:1: envoy.config.bootstrap.v3.Bootstrap has no field `b` (outrider knows the API of Envoy 1.36-1.37)",
        "3:1: `a` stands twice in the same mapping (first in line 1)",
        "3:1: envoy.config.bootstrap.v3.Bootstrap has no field `a` (outrider knows the API of Envoy 1.36-1.37)"}},
      {"node: {id: [1], cluster: {a: b}}\n",
       {"1:8: node.id: a text was expected, but here is a list",
        "1:17: node.cluster: a text was expected, but here is a mapping"}},
  };
  for (const Case& one : cases) EXPECT_EQ(problems_of(one.text), one.problems) << one.text;
}

TEST(Load, WhatSaysNoMoreThanSilenceNeedNotBeBuilt) {
  EXPECT_THAT(problems_of("bootstrap_extensions: []\nuse_tcp_for_dns_lookups: false\ndynamic_resources: {}\n"
                          "fatal_actions: null\ndefault_socket_interface: ''\n"),
              testing::IsEmpty());
  EXPECT_EQ(problems_of("dynamic_resources: {lds_config: {}}\nuse_tcp_for_dns_lookups: true\n").size(), 2U);
}

TEST(Load, ProblemsOfV1FilesNameTheirOldKeys) {
  const std::string listener = "static_resources.listeners[0]";
  const Case cases[] = {
      {R"({"listeners": [{"address": "tcp://0.0.0.0", "filters": []}]})",
       {"1:28: " + listener + ".address: `tcp://0.0.0.0` is no address (tcp://host:port or unix:///path)"}},
      {R"({"listeners": [{"addres": "tcp://0.0.0.0:1", "filters": []}]})",
       {"1:17: " + listener + ": envoy.config.listener.v3.Listener has no field `addres` (did you mean `address`?)"}},
      {R"({"listeners": [{"ssl_context": {}}]})",
       {"1:17: " + listener +
        ".filter_chains[0].transport_socket.typed_config.@type: envoy.transport_sockets.tls, a transport socket, is "
        "not "
        "built into outrider yet"}},
      {R"({"listeners": [], "cluster_manager": {"clusters": [], "sds": {}}})",
       {"1:55: cluster_manager.sds: `cluster` is missing"}},
      {R"({"cluster_manager": {"clusters": [], "sds": {"cluster": "c", "refresh_delay": 5}}})",
       {"1:62: cluster_manager.sds: v1's discovery has no field `refresh_delay` (did you mean `refresh_delay_ms`?)"}},
      {R"({"lds": {"clustre": {}}})",
       {"1:2: lds: `cluster` is missing",
        "1:10: lds: v1's discovery has no field `clustre` (did you mean `cluster`?)"}},
      {R"({"cluster_manager": {"clusters": [{"name": "c", "conect_timeout_ms": 5}]}})",
       {"1:49: static_resources.clusters[0]: envoy.config.cluster.v3.Cluster has no field `conect_timeout_ms` (did you "
        "mean `connect_timeout_ms`?)"}},
      {R"({"cluster_manager": {"clusters": [{"name": "c", "connect_timeout_ms": "x"}]}})",
       {"1:71: static_resources.clusters[0].connect_timeout_ms: a whole number of milliseconds was expected"}},
      {R"({"cluster_manager": {"clusters": [{"name": "c", "type": "static", "service_name": "s"}]}})",
       {"1:67: static_resources.clusters[0].service_name: note: has no effect unless the type is `sds`"}},
  };
  for (const Case& one : cases) EXPECT_EQ(problems_of(one.text, "f.json"), one.problems) << one.text;
}

TEST(Load, AllProblemsComeAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(problems_of("nothing: 1\nadmin: {address: {socket_address: {address: '', port_value: -1}}}\n"
                        "static_resources: {clusters: [{lb_policy: x}, {name: a, connect_timeout: -1s}]}\n")
                .size(),
            6u);
}

// --- The reference files
// --------------------------------------------------------------------------------------------------

std::filesystem::path reference(const char* name) {
  return std::filesystem::path(__FILE__).parent_path() / "../../test/configs" / name;
}

TEST(ReferenceFiles, AreReadToTheLetter) {
  ::setenv("ENVOY_LB_ALG", "LEAST_REQUEST", 1);
  ::setenv("SERVICE_NAME", "myapp", 1);
  for (const char* name :
       {"kubernetes-balancer.yaml.tmpl", "echo-simple.yaml", "echo-websocket.yaml", "sidecar-v1.json",
        "architecture.yaml", "mesh-front.yaml", "mesh-service-a.yaml", "mesh-service-b.yaml", "mesh-service-c.yaml"}) {
    const auto loaded = load({.path = reference(name)});
    EXPECT_TRUE(loaded) << joined(loaded.error());
  }
  const auto balancer = load({.path = reference("kubernetes-balancer.yaml.tmpl")});
  EXPECT_THAT(to_json("envoy.config.bootstrap.v3.Bootstrap", balancer->bootstrap),
              testing::AllOf(HasSubstr("\"lb_policy\": \"LEAST_REQUEST\""), HasSubstr("\"address\": \"myapp\""),
                             HasSubstr("\"host_rewrite_literal\": \"myapp\""), HasSubstr("\"timeout\": \"60s\"")));
}

TEST(ReferenceFiles, LoadAgainFromTheirOwnJson) {
  ::setenv("ENVOY_LB_ALG", "LEAST_REQUEST", 1);
  ::setenv("SERVICE_NAME", "myapp", 1);
  for (const char* name :
       {"kubernetes-balancer.yaml.tmpl", "echo-websocket.yaml", "sidecar-v1.json", "mesh-service-a.yaml"}) {
    const auto loaded = load({.path = reference(name)});
    ASSERT_TRUE(loaded) << joined(loaded.error());
    const std::string json = to_json(schema(), "envoy.config.bootstrap.v3.Bootstrap", loaded->bootstrap);
    EXPECT_EQ(bytes_of("f.json", json), loaded->bootstrap) << json;
  }
}

TEST(ReferenceFiles, AVariableThatIsNotSetIsNamed) {
  ::unsetenv("ENVOY_LB_ALG");
  ::setenv("SERVICE_NAME", "myapp", 1);
  const auto loaded = load({.path = reference("kubernetes-balancer.yaml.tmpl")});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(joined(loaded.error()), HasSubstr(":31:16: the environment variable ENVOY_LB_ALG is not set"));
}

}  // namespace
}  // namespace outrider::config
