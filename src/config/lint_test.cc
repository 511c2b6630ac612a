#include "config/lint.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/schema.h"

namespace outrider::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Schema& schema() {
  static const Schema schema;
  return schema;
}

// "line:column check: why" of everything that is found.
std::vector<std::string> found(std::string_view text) {
  const auto findings = lint_text(schema(), "f.yaml", std::string(text));
  std::vector<std::string> out;
  if (!findings) {
    for (const Problem& each : findings.error()) out.push_back(to_text(each));
    return out;
  }
  for (const Finding& each : *findings) {
    out.push_back(
        fmt::format("{}:{} {}: {}", each.problem.line, each.problem.column, each.check, each.problem.message));
  }
  return out;
}

// A listener at 127.0.0.1:80 with these virtual hosts from line 9 on, and the cluster `c` at 10.0.0.1:81.
std::string with_hosts(std::string_view hosts, std::string_view manager = "", std::string_view cluster = "") {
  return fmt::format(R"(static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}}
    filter_chains:
    - filters:
      - name: http_connection_manager
        config: {{stat_prefix: s, http_filters: [{{name: envoy.filters.http.router}}], {}
          route_config: {{virtual_hosts: [
{}
          ]}}}}
  clusters:
  - {{name: c, {} load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address:
      {{address: 10.0.0.1, port_value: 81}}}}}}}}]}}]}}}}
)",
                     manager, hosts, cluster);
}

// The same with one virtual host, whose routes stand from line 10 on.
std::string with_routes(std::string_view routes, std::string_view manager = "", std::string_view cluster = "") {
  return with_hosts(fmt::format("{{name: v, domains: ['*'], routes: [\n{}\n]}}", routes), manager, cluster);
}

TEST(Lint, FindsNothingInAFileThatIsRight) {
  EXPECT_THAT(found(with_routes("{match: {prefix: /}, route: {cluster: c}}")), IsEmpty());
}

TEST(Lint, AMistakeIsToldInsteadOfFindings) {
  EXPECT_THAT(found("admin: {adress: {}}"),
              ElementsAre("f.yaml:1:9: admin: envoy.config.bootstrap.v3.Admin has no field "
                          "`adress` (did you mean `address`?)"));
}

TEST(Lint, AClusterThatNothingUses) {
  constexpr std::string_view kText = R"(static_resources:
  clusters:
  - {name: a}
  - {name: b}
  - {name: c, typed_extension_protocol_options: {}, metadata: {filter_metadata: {x: {y: b}}}}
)";
  EXPECT_THAT(found(kText), ElementsAre("3:12 unused-cluster: nothing uses the cluster `a`",
                                        "5:12 unused-cluster: nothing uses the cluster `c`"));
  for (const std::string_view user :
       {"stats_sinks: [{name: envoy.statsd, config: {tcp_cluster_name: a}}]",
        "dynamic_resources: {cds_config: {api_config_source: {api_type: GRPC, cluster_names: [a]}}}",
        "cluster_manager: {local_cluster_name: a}"}) {
    EXPECT_THAT(found(fmt::format("static_resources: {{clusters: [{{name: a}}]}}\n{}\n", user)), IsEmpty()) << user;
  }
  EXPECT_THAT(found("static_resources: {clusters: [{name: a}]}\ndynamic_resources: {lds_config: {path: /l}}\n"),
              IsEmpty())
      << "listeners that are discovered may use it";
}

struct Routes {
  std::string_view first, second;
  bool shadowed;
};

TEST(Lint, ARouteThatNeverMatches) {
  constexpr Routes kCases[] = {
      {"prefix: /", "prefix: /", true},
      {"prefix: /a", "prefix: /ab", true},
      {"prefix: /ab", "prefix: /a", false},
      {"prefix: /a", "path: /a", true},
      {"path: /a", "prefix: /a", false},
      {"path: /a", "path: /a", true},
      {"path: /a", "path: /b", false},
      {"prefix: /", "safe_regex: {regex: '/a.*'}", true},
      {"prefix: /a", "safe_regex: {regex: '/a.*'}", false},
      {"safe_regex: {regex: a}", "safe_regex: {regex: a}", true},
      {"prefix: /A, case_sensitive: false", "prefix: /ab", true},
      {"prefix: /a", "prefix: /a, case_sensitive: false", false},
      {"path_separated_prefix: /a", "path: /a/b", true},
      {"path_separated_prefix: /a", "path: /ab", false},
      {"path_separated_prefix: /a", "prefix: /a", false},
      {"path_separated_prefix: /a", "prefix: /a/", true},
      {"path_separated_prefix: /a", "path_separated_prefix: /a", true},
      {"prefix: /, headers: [{name: a}]", "prefix: /", false},
      {"prefix: /, headers: [{name: a}]", "prefix: /a, headers: [{name: b}, {name: a}]", true},
      {"prefix: /, query_parameters: [{name: x}]", "prefix: /", false},
      {"prefix: /, grpc: {}", "prefix: /", false},
      {"prefix: /", "prefix: /, grpc: {}", true},
      {"prefix: /, runtime_fraction: {default_value: {numerator: 50}, runtime_key: k}", "prefix: /", false},
      {"prefix: /", "connect_matcher: {}", false},
  };
  for (const Routes& one : kCases) {
    const auto text = with_routes(fmt::format(
        "{{match: {{{}}}, route: {{cluster: c}}}},\n{{match: {{{}}}, redirect: {{}}}}", one.first, one.second));
    const std::vector<std::string> expected{
        "11:9 shadowed-route: never matches: the route in line 10 takes every request that it would"};
    EXPECT_EQ(found(text), one.shadowed ? expected : std::vector<std::string>{}) << one.first << " | " << one.second;
  }
}

TEST(Lint, ADomainThatTwoVirtualHostsHave) {
  EXPECT_THAT(
      found(with_hosts("{name: a, domains: [x.example, '*'], routes: [{match: {prefix: /}, route: {cluster: c}}]},\n"
                       "{name: b, domains: [y.example, X.example]}")),
      ElementsAre("10:32 duplicate-domain: `X.example` stands in line 9 already"));
}

TEST(Lint, AnAddressThatTwoListenersHave) {
  constexpr std::string_view kText = R"(static_resources:
  listeners:
  - address: {socket_address: {address: 0.0.0.0, port_value: 1}}
  - address: {socket_address: {address: 0.0.0.0, port_value: 1, protocol: UDP}}
  - address: {socket_address: {address: 0.0.0.0, port_value: 1}}
  - address: {socket_address: {address: 0.0.0.0, port_value: 0}}
  - address: {socket_address: {address: 0.0.0.0, port_value: 0}}
)";
  EXPECT_THAT(found(kText), ElementsAre("5:14 duplicate-address: a listener has this address already, in line 3"));
}

std::string loop(std::string_view listener, std::string_view endpoint) {
  return fmt::format(R"(static_resources:
  listeners:
  - address: {{socket_address: {{address: {}, port_value: 80}}}}
    filter_chains: [{{filters: [{{name: tcp_proxy, config: {{stat_prefix: s, cluster: a}}}}]}}]
  - address: {{socket_address: {{address: 127.0.0.1, port_value: 81}}}}
    filter_chains: [{{filters: [{{name: tcp_proxy, config: {{stat_prefix: s, cluster: b}}}}]}}]
  clusters:
  - {{name: a, hosts: [{{socket_address: {{address: 127.0.0.1, port_value: 81}}}}]}}
  - {{name: b, hosts: [{{socket_address: {{{}}}}}]}}
)",
                     listener, endpoint);
}

TEST(Lint, AListenerWhoseRequestsComeBackToIt) {
  const std::vector<std::string> both{
      "4:84 loop: the cluster `a` leads back to this listener: each request makes requests without end",
      "6:84 loop: the cluster `b` leads back to this listener: each request makes requests without end"};
  EXPECT_EQ(found(loop("127.0.0.1", "address: 127.0.0.1, port_value: 80")), both);
  EXPECT_EQ(found(loop("0.0.0.0", "address: localhost, port_value: 80")), both);
  EXPECT_THAT(found(loop("10.0.0.1", "address: 127.0.0.1, port_value: 80")), IsEmpty());
  EXPECT_THAT(found(loop("127.0.0.1", "address: 127.0.0.1, port_value: 82")), IsEmpty()) << "a chain is no loop";
}

TEST(Lint, ARequestThatComesBackWithAnotherPathIsNoLoop) {
  const auto with = [](std::string_view rewrite) {
    return found(fmt::format(R"(static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}}
    filter_chains: [{{filters: [{{name: envoy.http_connection_manager, config: {{stat_prefix: s, route_config: {{
      virtual_hosts: [{{name: h, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: a{}}}}}]}}]}}}}}}]}}]
  clusters:
  - {{name: a, hosts: [{{socket_address: {{address: 127.0.0.1, port_value: 80}}}}]}}
)",
                             rewrite));
  };
  EXPECT_THAT(with(""), ElementsAre(testing::HasSubstr("loop: ")));
  EXPECT_THAT(with(", prefix_rewrite: /z"), IsEmpty());
  EXPECT_THAT(with(", host_rewrite: other"), IsEmpty());
}

TEST(Lint, AClusterThatAScriptCallsIsUsed) {
  const auto with = [](std::string_view code) {
    return found(fmt::format(R"(static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}}
    filter_chains: [{{filters: [{{name: envoy.http_connection_manager, config: {{stat_prefix: s, route_config: {{}},
      http_filters: [{{name: envoy.lua, config: {{inline_code: '{}'}}}}]}}}}]}}]
  clusters: [{{name: a, hosts: [{{socket_address: {{address: 127.0.0.1, port_value: 81}}}}]}}]
)",
                             code));
  };
  EXPECT_THAT(with("h:httpCall(\"a\", {}, nil, 100)"), IsEmpty());
  EXPECT_THAT(with("h:httpCall(\"b\", {}, nil, 100)"), ElementsAre(testing::HasSubstr("nothing uses the cluster `a`")));
}

TEST(Lint, AnAdminPageForEveryone) {
  const auto at = [](std::string_view host) {
    return found(fmt::format("admin: {{address: {{socket_address: {{address: '{}', port_value: 1}}}}}}\n", host));
  };
  for (const std::string_view host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) EXPECT_THAT(at(host), IsEmpty());
  for (const std::string_view host : {"0.0.0.0", "::", "10.0.0.1"}) {
    EXPECT_THAT(at(host), ElementsAre(testing::StartsWith("1:45 open-admin: whoever reaches this port")));
  }
}

struct Timeouts {
  std::string_view action, manager, cluster;
  std::string_view found;  // empty: nothing
};

TEST(Lint, TimeoutsThatAnotherOneAlwaysComesBefore) {
  constexpr Timeouts kCases[] = {
      {"timeout: 10s", "", "", ""},
      {"timeout: 0s, retry_policy: {per_try_timeout: 20s}", "", "connect_timeout: 30s,", ""},
      {"timeout: 400s", "", "", "ends after 300 s without bytes, which is `stream_idle_timeout`"},
      {"timeout: 400s", "stream_idle_timeout: 0s,", "", ""},
      {"timeout: 20s, idle_timeout: 10s", "", "", "ends after 10 s without bytes, which is the route's `idle_timeout`"},
      {"retry_policy: {per_try_timeout: 20s}", "", "",
       "never comes: the route's `timeout` ends the request after 15 s"},
      {"timeout: 1s, retry_policy: {per_try_timeout: 1s}", "", "",
       "never comes: the route's `timeout` ends the request"},
      {"timeout: 2s, retry_policy: {per_try_timeout: 1s}", "", "", ""},
      {"timeout: 1s", "", "connect_timeout: 2s,",
       "ends after 1 s, before `connect_timeout` of the cluster `c` does (2 s"},
      {"timeout: 1s", "", "", ""},
      {"timeout: 3s, max_stream_duration: {max_stream_duration: 2s}", "", "",
       "never comes: `max_stream_duration` ends"},
      {"timeout: 1s", "request_headers_timeout: 5s, request_timeout: 4s,", "", "never comes: `request_timeout` ends"},
  };
  for (const Timeouts& one : kCases) {
    const auto text = with_routes(fmt::format("{{match: {{prefix: /}}, route: {{cluster: c, {}}}}}", one.action),
                                  one.manager, one.cluster);
    if (one.found.empty()) {
      EXPECT_THAT(found(text), IsEmpty()) << one.action;
    } else {
      EXPECT_THAT(found(text), ElementsAre(testing::HasSubstr(one.found))) << one.action;
    }
  }
}

TEST(Lint, EveryCheckIsDescribed) {
  EXPECT_EQ(lint_checks().size(), 7u);
  for (const CheckName& check : lint_checks()) EXPECT_FALSE(check.about.empty()) << check.name;
}

}  // namespace
}  // namespace outrider::config
