#include "config/schema.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <ranges>
#include <set>

#include "config/built.h"
#include "config/extensions.h"
#include "config/rules_of_field.h"
#include "config/upgrade.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

TEST(Schema, FindsMessagesOfEveryVersion) {
  const Schema schema;
  EXPECT_NE(schema.message("envoy.config.bootstrap.v3.Bootstrap"), nullptr);
  EXPECT_NE(schema.message("envoy.api.v2.Cluster"), nullptr);
  EXPECT_NE(schema.message("envoy.config.route.v3.RouteAction.UpgradeConfig"), nullptr);
  EXPECT_EQ(schema.message("envoy.config.route.v3.Nothing"), nullptr);
  EXPECT_EQ(schema.message(""), nullptr);
}

TEST(Schema, FieldsHaveTwoSpellings) {
  const Schema schema;
  const pb::Descriptor& cluster = *schema.message("envoy.config.cluster.v3.Cluster");
  EXPECT_EQ(schema.field(cluster, "connect_timeout"), schema.field(cluster, "connectTimeout"));
  EXPECT_EQ(schema.field(cluster, "Connect_timeout"), nullptr);
}

TEST(Schema, KnowsTheSuccessorsOfV2) {
  EXPECT_EQ(successor("envoy.api.v2.Cluster"), "envoy.config.cluster.v3.Cluster");
  EXPECT_EQ(successor("envoy.config.filter.http.router.v2.Router"), "envoy.extensions.filters.http.router.v3.Router");
  EXPECT_EQ(successor("envoy.config.cluster.v3.Cluster"), "");
}

TEST(Schema, SuggestsMessages) {
  EXPECT_THAT(near_messages("envoy.extensions.filters.http.router.v3.Ruoter"),
              testing::ElementsAre("envoy.extensions.filters.http.router.v3.Router"));
  EXPECT_THAT(near_messages("HttpConectionManager"),
              testing::Contains("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"));
  EXPECT_THAT(near_messages("com.example.filters.FilterConfig"), testing::IsEmpty());
}

TEST(Schema, EveryExtensionHasItsMessage) {
  const Schema schema;
  const std::set<std::string_view> kContrib = {// Envoy's contrib build has them, the API at hand has not
                                               "envoy.filters.network.client_ssl_auth",
                                               "envoy.filters.network.mysql_proxy",
                                               "envoy.filters.network.postgres_proxy",
                                               "envoy.filters.network.kafka_broker",
                                               "envoy.filters.network.rocketmq_proxy",
                                               "envoy.filters.network.sip_proxy",
                                               "envoy.filters.network.golang",
                                               "envoy.filters.http.golang",
                                               "envoy.filters.http.squash",
                                               "envoy.filters.http.dynamo"};
  for (const Extension& one : all_extensions()) {
    EXPECT_EQ(schema.message(one.type) == nullptr, kContrib.contains(one.name)) << one.name << " is " << one.type;
    const std::string_view per_route = per_route_type(one.name);
    if (!per_route.empty()) EXPECT_NE(schema.message(per_route), nullptr) << per_route;
  }
}

TEST(Schema, EveryRuleStandsOnAMessageOfTheApi) {
  const Schema schema;
  for (const RuleTables tables : {v1_rules(), v2_rules()}) {
    for (const Rule& rule : std::views::join(tables)) {
      const pb::Descriptor* message = schema.message(rule.message);
      ASSERT_NE(message, nullptr) << rule.message;
      if (!rule.rename.empty()) EXPECT_NE(schema.field(*message, rule.rename), nullptr) << rule.rename;
    }
  }
}

void check_rules(const Schema& schema, const pb::Descriptor& message) {
  for (int i = 0; i < message.field_count(); ++i) {
    const auto rules = rules_of(schema, *message.field(i));
    if (rules != nullptr) EXPECT_THAT(rules->unknown, testing::IsEmpty()) << message.field(i)->full_name();
  }
  for (int i = 0; i < message.nested_type_count(); ++i) check_rules(schema, *message.nested_type(i));
}

TEST(Rules, EveryConstraintThatTheApiUsesIsKnown) {
  const Schema schema;
  pb::FileDescriptorSet set;
  ASSERT_TRUE(set.ParseFromArray(envoy_descriptors().data(), static_cast<int>(envoy_descriptors().size())));
  for (const pb::FileDescriptorProto& file : set.file()) {
    if (file.name().find("/v3/") == std::string::npos || !file.name().starts_with("envoy/")) continue;
    for (const pb::DescriptorProto& message : file.message_type()) {
      const pb::Descriptor* descriptor = schema.message(file.package() + "." + message.name());
      ASSERT_NE(descriptor, nullptr) << message.name();
      check_rules(schema, *descriptor);
    }
  }
}

TEST(Rules, NumbersHaveRanges) {
  NumberRules rules;
  rules.greater = 0;
  rules.at_most = 10;
  EXPECT_EQ(violation(rules, 10), "");
  EXPECT_EQ(violation(rules, 0), "more than 0 and at most 10");
  EXPECT_EQ(violation(rules, 11), "more than 0 and at most 10");
  NumberRules outside;
  outside.less = 1;
  outside.greater = 5;
  EXPECT_EQ(violation(outside, 0), "");
  EXPECT_EQ(violation(outside, 6), "");
  EXPECT_EQ(violation(outside, 3), "more than 5 or less than 1");
  NumberRules listed;
  listed.in = {1, 2};
  EXPECT_EQ(violation(listed, 3), "one of the listed values");
  NumberRules barred;
  barred.not_in = {3};
  EXPECT_EQ(violation(barred, 3), "another value");
  NumberRules fixed;
  fixed.equal = 4;
  EXPECT_EQ(violation(fixed, 5), "4");
}

TEST(Rules, TextsHaveLengthsPatternsAndHeaderSyntax) {
  TextRules lengths;
  lengths.characters_min = 1;
  lengths.characters_max = 3;
  EXPECT_EQ(violation(lengths, ""), "a text that is not empty");
  EXPECT_EQ(violation(lengths, "äöü"), "");
  EXPECT_EQ(violation(lengths, "abcd"), "at most 3 characters");
  TextRules bytes;
  bytes.bytes_max = 2;
  EXPECT_EQ(violation(bytes, "ä"), "");
  EXPECT_EQ(violation(bytes, "äb"), "at most 2 bytes");
  TextRules pattern;
  pattern.pattern = std::make_unique<RE2>("^a+$");
  EXPECT_EQ(violation(pattern, "aa"), "");
  EXPECT_EQ(violation(pattern, "ab"), "a text that matches ^a+$");
  TextRules name;
  name.header = TextRules::Header::name;
  EXPECT_EQ(violation(name, ":path"), "");
  EXPECT_EQ(violation(name, "x-a"), "");
  EXPECT_EQ(violation(name, "x a"), "the name of a header field");
  EXPECT_EQ(violation(name, ""), "the name of a header field");
  name.strict = false;
  EXPECT_EQ(violation(name, "x a"), "");
  EXPECT_EQ(violation(name, ""), "");
  EXPECT_EQ(violation(name, "x\n"), "the name of a header field");
  TextRules value;
  value.header = TextRules::Header::value;
  EXPECT_EQ(violation(value, "a\tb c"), "");
  EXPECT_EQ(violation(value, "a\r\nb"), "the value of a header field");
  TextRules affixes;
  affixes.prefix = "/";
  affixes.suffix = ".x";
  EXPECT_EQ(violation(affixes, "/a.x"), "");
  EXPECT_EQ(violation(affixes, "a.x"), "a text that begins with `/`");
  EXPECT_EQ(violation(affixes, "/a"), "a text that ends with `.x`");
  TextRules listed;
  listed.in = {"a", "b"};
  EXPECT_EQ(violation(listed, "c"), "one of a, b");
}

TEST(Built, KnowsMessagesFieldsAndEnumValues) {
  const Built& built = Built::get();
  EXPECT_TRUE(built.field("envoy.config.cluster.v3.Cluster", "name"));
  EXPECT_FALSE(built.field("envoy.config.cluster.v3.Cluster", "nothing"));
  EXPECT_FALSE(built.message("envoy.extensions.filters.http.wasm.v3.Wasm"));
  EXPECT_TRUE(built.field("google.protobuf.Duration", "seconds"));
  EXPECT_TRUE(built.enum_value("envoy.config.cluster.v3.Cluster.LbPolicy", "ROUND_ROBIN"));
  EXPECT_FALSE(built.enum_value("envoy.config.cluster.v3.Cluster.LbPolicy", "LOAD_BALANCING_POLICY_CONFIG"));
  EXPECT_TRUE(built.enum_value("envoy.config.core.v3.HealthStatus", "DRAINING"))
      << "an enum that is not listed is whole";
}

}  // namespace
}  // namespace outrider::config
