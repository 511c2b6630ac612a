#include "discovery/registration.h"

#include <gmock/gmock.h>

namespace outrider {
namespace {

using testing::HasSubstr;

std::string refused(std::string_view text) {
  auto hosts = read_registration("sds", text);
  return hosts ? "taken" : config::to_text(hosts.error());
}

TEST(Registration, ReadsHostsWithTheirTagsAndPassesOverTheRest) {
  auto hosts = read_registration("sds", R"({"env": "prod", "hosts": [
    {"ip_address": "10.0.0.1", "port": 80, "last_check_in": "now", "revision": "1", "service": "s",
     "tags": {"az": "us-east-1a", "canary": true, "load_balancing_weight": 50, "instance_id": "i-1"}},
    {"ip_address": "::1", "port": 8080},
    {"ip_address": "10.0.0.1", "port": 80}]})");
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->size(), 2u) << "one stands there twice";
  const ConfiguredHost& first = hosts->front();
  EXPECT_EQ(first.address, "10.0.0.1");
  EXPECT_EQ(first.port, 80);
  EXPECT_EQ(first.zone, "us-east-1a");
  EXPECT_EQ(first.weight, 50u);
  ASSERT_TRUE(first.metadata);
  EXPECT_TRUE(*first.metadata->find(kLbMetadata, {"canary"})->boolean());
  EXPECT_EQ(hosts->back().address, "::1");
  EXPECT_EQ(hosts->back().weight, 1u);
  EXPECT_FALSE(hosts->back().metadata);
}

TEST(Registration, AnEmptyListIsRight) {
  auto hosts = read_registration("sds", R"({"hosts": []})");
  ASSERT_TRUE(hosts);
  EXPECT_TRUE(hosts->empty());
}

TEST(Registration, SaysWhatIsWrongAndWhere) {
  constexpr std::pair<std::string_view, std::string_view> kCases[] = {
      {"", "sds:1:1: "},
      {"[]", "sds:1:1: {\"hosts\": [...]} was expected"},
      {R"({"hosts": 1})", "sds:1:11: hosts: {\"hosts\": [...]} was expected"},
      {"{\"hosts\":\n [1]}", "sds:2:3: hosts[0]: "},
      {R"({"hosts": [{"port": 1}]})", "hosts[0].ip_address: an IP address was expected"},
      {R"({"hosts": [{"ip_address": "10.0.0.1", "port": "80"}]})", "hosts[0].port: a number from 1 to 65535"},
      {R"({"hosts": [{"ip_address": "10.0.0.1", "port": 65536}]})", "hosts[0].port: a number from 1 to 65535"},
      {R"({"hosts": [{"ip_address": "10.0.0.1", "port": 80, "tags": []}]})", "hosts[0].tags: a mapping"},
      {R"({"hosts": [{"ip_address": "10.0.0.1", "port": 80, "tags": {"az": 1}}]})", "tags.az: a text"},
      {R"({"hosts": [{"ip_address": "10.0.0.1", "port": 80, "tags": {"canary": 1}}]})", "tags.canary: true or false"},
      {R"({"hosts": [{"ip_address": "10.0.0.1", "port": 80, "tags": {"load_balancing_weight": 0}}]})",
       "tags.load_balancing_weight: a number from 1 to 100"},
  };
  for (const auto& [text, said] : kCases) EXPECT_THAT(refused(text), HasSubstr(said)) << text;
}

TEST(Registration, AFileHasNoFieldsThatNobodyKnows) {
  auto registry = read_registry("hosts.json", R"({"s": [
    {"ip_address": "10.0.0.1", "port": 80, "revision": "1", "last_check_in": "now", "tags": {"instance_id": "i-1"}},
    {"ip_address": "10.0.0.2", "port": 80, "tag": {},
     "tags": {"canery": true}}]})");
  ASSERT_FALSE(registry);
  const std::string said = config::to_text(registry.error());
  EXPECT_THAT(said, HasSubstr("hosts.json:3:44: s[1].tag: there is no such field (did you mean `tags`?)"));
  EXPECT_THAT(said, HasSubstr("hosts.json:4:15: s[1].tags.canery: there is no such field (did you mean `canary`?)"));
  EXPECT_EQ(registry.error().size(), 2u);
}

TEST(Registration, WhatIsPrintedIsReadAgain) {
  auto registry = read_registry("hosts.json", R"({"s": [{"ip_address": "10.0.0.1", "port": 80,
    "tags": {"az": "a", "canary": true, "load_balancing_weight": 3}}], "none": []})");
  ASSERT_TRUE(registry);
  EXPECT_EQ(registry->size(), 2u);
  std::string text;
  append_registration("s", registry->at("s"), text);
  EXPECT_EQ(text, R"({"hosts":[{"ip_address":"10.0.0.1","port":80,"service":"s",)"
                  R"("tags":{"az":"a","canary":true,"load_balancing_weight":3}}]})"
                  "\n");
  auto hosts = read_registration("sds", text);
  ASSERT_TRUE(hosts);
  EXPECT_EQ(hosts->front().zone, "a");
}

}  // namespace
}  // namespace outrider
