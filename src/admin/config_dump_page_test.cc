#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "admin/admin_for_test.h"
#include "admin/redact.h"
#include "config/load.h"
#include "config/schema.h"

namespace outrider {
namespace {

namespace pb = google::protobuf;
using testing::ElementsAre;

constexpr std::string_view kConfig = R"(
node: {id: n1, cluster: c1}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config:
            name: local
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: "b\"<>"}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: "b\"<>"
    connect_timeout: 1.5s
)";

class ConfigDumpPage : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = config::load_text("test.yaml", std::string(kConfig));
    ASSERT_TRUE(loaded) << config::to_text(loaded.error().front());
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->bootstrap = loaded->bootstrap;
    admin_.snapshot = snapshot;
  }

  // The answer, parsed. Fails the test if it is no JSON.
  pb::Struct dump() {
    Answered a = admin_.get("/config_dump");
    EXPECT_EQ(a.status, 200);
    EXPECT_EQ(a.header("content-type"), "application/json");
    pb::Struct parsed;
    EXPECT_TRUE(pb::util::JsonStringToMessage(a.body, &parsed).ok());
    return parsed;
  }

  AdminForTest admin_;
};

const pb::Value& member(const pb::Value& of, const char* name) { return of.struct_value().fields().at(name); }
const pb::Value& element(const pb::Value& of, int index) { return of.list_value().values(index); }

TEST_F(ConfigDumpPage, HasEnvoysSectionsInEnvoysOrder) {
  pb::Struct parsed = dump();
  std::vector<std::string> types;
  for (const pb::Value& config : parsed.fields().at("configs").list_value().values()) {
    types.push_back(member(config, "@type").string_value());
  }
  const std::string prefix = "type.googleapis.com/envoy.admin.v3.";
  EXPECT_THAT(
      types, ElementsAre(prefix + "BootstrapConfigDump", prefix + "ClustersConfigDump", prefix + "ListenersConfigDump",
                         prefix + "ScopedRoutesConfigDump", prefix + "RoutesConfigDump", prefix + "SecretsConfigDump"));
}

TEST_F(ConfigDumpPage, ShowsEachResourceOnceMoreInItsSection) {
  admin_.configured = [] { return WallTime(std::chrono::milliseconds(1'600'000'000'250)); };
  pb::Struct parsed = dump();
  const pb::Value& configs = parsed.fields().at("configs");
  const pb::Value& bootstrap = member(element(configs, 0), "bootstrap");
  EXPECT_EQ(member(member(bootstrap, "node"), "id").string_value(), "n1");
  EXPECT_EQ(member(element(configs, 0), "last_updated").string_value(), "2020-09-13T12:26:40.250Z");

  const pb::Value& cluster = element(member(element(configs, 1), "static_clusters"), 0);
  EXPECT_EQ(member(cluster, "last_updated").string_value(), "2020-09-13T12:26:40.250Z");
  EXPECT_EQ(member(member(cluster, "cluster"), "@type").string_value(),
            "type.googleapis.com/envoy.config.cluster.v3.Cluster");
  EXPECT_EQ(member(member(cluster, "cluster"), "name").string_value(), "b\"<>");
  EXPECT_EQ(member(member(cluster, "cluster"), "connect_timeout").string_value(), "1.500s");

  const pb::Value& listener = element(member(element(configs, 2), "static_listeners"), 0);
  EXPECT_EQ(member(member(listener, "listener"), "name").string_value(), "main");

  const pb::Value& routes = element(member(element(configs, 4), "static_route_configs"), 0);
  EXPECT_EQ(member(member(routes, "route_config"), "name").string_value(), "local");
}

TEST_F(ConfigDumpPage, GivesTheEntriesOfAResource) {
  Answered a = admin_.get("/config_dump?resource=static_clusters&mask=cluster.name");
  EXPECT_EQ(a.status, 200);
  EXPECT_THAT(a.body, testing::HasSubstr("ClustersConfigDump.StaticCluster\""));
  EXPECT_THAT(a.body, testing::HasSubstr("\"name\": \"b"));
  EXPECT_THAT(a.body, testing::Not(testing::HasSubstr("connect_timeout")));
  EXPECT_EQ(admin_.get("/config_dump?resource=static_clusters&name_regex=b").body, "{}\n");
  EXPECT_THAT(admin_.get("/config_dump?resource=static_listeners&name_regex=m.*n").body,
              testing::HasSubstr("\"main\""));
  EXPECT_THAT(admin_.get("/config_dump?resource=static_route_configs").body, testing::HasSubstr("\"local\""));
}

TEST_F(ConfigDumpPage, GivesTheSectionsThatAMaskFits) {
  std::string body = admin_.get("/config_dump?mask=bootstrap.node.id").body;
  EXPECT_THAT(body, testing::HasSubstr("\"id\": \"n1\""));
  EXPECT_THAT(body, testing::Not(testing::HasSubstr("c1")));
  EXPECT_THAT(body, testing::Not(testing::HasSubstr("ClustersConfigDump")));
}

TEST_F(ConfigDumpPage, RefusesWhatItHasNot) {
  const std::pair<const char*, int> kRefused[] = {
      {"resource=nosuch", 404},
      {"resource=static_endpoint_configs", 404},
      {"resource=bootstrap", 400},
      {"resource=static_clusters&mask=nosuch", 400},
      {"resource=static_clusters&mask=cluster", 400},
      {"resource=static_clusters&mask=cluster.nosuch", 400},
      {"resource=static_clusters&mask=cluster.load_assignment.endpoints.x", 400},
      {"mask=nosuch", 400},
      {"mask=static_clusters.cluster.name", 400},
      {"name_regex=(", 400}};
  for (const auto& [query, status] : kRefused) {
    EXPECT_EQ(admin_.get(std::string("/config_dump?") + query).status, status) << query;
  }
}

TEST_F(ConfigDumpPage, HasNoTimesIfNobodyKnowsThem) {
  pb::Struct parsed = dump();
  const pb::Value& first = element(parsed.fields().at("configs"), 0);
  EXPECT_FALSE(first.struct_value().fields().contains("last_updated"));
}

TEST_F(ConfigDumpPage, OfAnEmptyBootstrapHasEmptySections) {
  admin_.snapshot = std::make_shared<Snapshot>();
  EXPECT_EQ(dump().fields().at("configs").list_value().values_size(), 6);
}

std::string redacted(const std::string& type, const std::string& text) {
  config::Schema schema;
  std::unique_ptr<pb::Message> message(schema.factory().GetPrototype(schema.message(type))->New());
  EXPECT_TRUE(pb::TextFormat::ParseFromString(text, message.get()));
  redact(*message, schema);
  std::string out;
  pb::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.PrintToString(*message, &out);
  return out;
}

TEST(Redact, HidesPrivateKeysAndPasswordsAndNothingElse) {
  EXPECT_EQ(redacted("envoy.extensions.transport_sockets.tls.v3.TlsCertificate",
                     R"(certificate_chain { filename: "c" } private_key { inline_string: "k" }
                        password { filename: "p" })"),
            R"(certificate_chain { filename: "c" } private_key { inline_string: "[redacted]" } )"
            R"(password { filename: "[redacted]" } )");
}

TEST(Redact, LooksIntoAnyFields) {
  std::string out = redacted("envoy.config.core.v3.TransportSocket",
                             R"(name: "tls" typed_config {
           [type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext] {
             common_tls_context { tls_certificates { private_key { inline_string: "k" } } } } })");
  EXPECT_THAT(out, testing::HasSubstr("[redacted]"));
  EXPECT_THAT(out, testing::Not(testing::HasSubstr("\"k\"")));
}

}  // namespace
}  // namespace outrider
