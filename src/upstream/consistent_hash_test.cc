#include "upstream/consistent_hash.h"

#include <gtest/gtest.h>

#include <map>

#include "upstream/host_set.h"
#include "upstream/upstream_for_test.h"

namespace outrider {
namespace {

using Kind = HashOptions::Kind;
constexpr std::uint64_t kKeys = 10000;

std::uint64_t key(std::uint64_t i) { return i * 0x9e3779b97f4a7c15; }

class Hashing : public testing::TestWithParam<Kind> {
 public:
  Hashing() { options.kind = GetParam(); }
  EndpointPtr add(std::uint32_t weight = 1, std::uint32_t priority = 0, HostHealth health = HostHealth::healthy) {
    hosts.push_back(test_endpoint(static_cast<int>(hosts.size()), weight, priority, health));
    return hosts.back();
  }
  // The host of each key.
  std::vector<const Endpoint*> choices(std::uint32_t attempt = 0) {
    set = make_host_set(hosts, kPanicPercent, &options);
    std::vector<const Endpoint*> chosen;
    for (std::uint64_t i = 0; i < kKeys; i++) {
      std::uint32_t priority = set->hash->priority_of(key(i));
      chosen.push_back(set->hash->by_priority[priority].pick(key(i), attempt, 0));
    }
    return chosen;
  }
  std::map<const Endpoint*, double> percents() {
    std::map<const Endpoint*, double> result;
    for (const Endpoint* each : choices()) result[each] += 100.0 / static_cast<double>(kKeys);
    return result;
  }

  HashOptions options;
  std::vector<EndpointPtr> hosts;
  std::shared_ptr<HostSet> set;
};

INSTANTIATE_TEST_SUITE_P(Tables, Hashing, testing::Values(Kind::ring, Kind::maglev),
                         [](const auto& info) { return info.param == Kind::ring ? "Ring" : "Maglev"; });

TEST_P(Hashing, FewKeysMoveWhenAHostLeaves) {
  for (int i = 0; i < 5; i++) add();
  auto before = choices();
  const EndpointPtr gone = hosts[2];
  hosts.erase(hosts.begin() + 2);
  auto after = choices();
  std::uint64_t moved = 0;
  for (std::size_t i = 0; i < kKeys; i++) {
    if (before[i] == gone.get()) continue;
    moved += before[i] != after[i];
  }
  EXPECT_LT(moved, kKeys / 5);  // Those that stay get more points on a ring, and so some of each other's keys.
}

TEST_P(Hashing, TheOrderOfTheHostsMakesNoDifference) {
  for (int i = 0; i < 4; i++) add();
  auto before = choices();
  std::ranges::reverse(hosts);
  EXPECT_EQ(choices(), before);
}

TEST_P(Hashing, WeightsAreRespected) {
  EndpointPtr light = add(1), heavy = add(4);
  auto shares = percents();
  EXPECT_NEAR(shares[light.get()], 20, 5);
  EXPECT_NEAR(shares[heavy.get()], 80, 5);
}

TEST_P(Hashing, ADeclinedHostIsFollowedByAnother) {
  for (int i = 0; i < 4; i++) add();
  auto first = choices(), second = choices(1);
  std::uint64_t other = 0;
  for (std::size_t i = 0; i < kKeys; i++) other += first[i] != second[i];
  EXPECT_GT(other, kKeys / 2);
}

TEST_P(Hashing, UnhealthyHostsGetNoKeys) {
  add();
  EndpointPtr down = add(1, 0, HostHealth::unhealthy);
  add();
  EXPECT_FALSE(percents().contains(down.get()));
}

TEST_P(Hashing, InAPanicAllHostsGetKeys) {
  add();
  for (int i = 0; i < 3; i++) add(1, 0, HostHealth::unhealthy);
  EXPECT_EQ(percents().size(), 4u);
}

TEST_P(Hashing, PrioritiesShareTheKeys) {
  EndpointPtr up = add();
  add(1, 0, HostHealth::unhealthy);
  EndpointPtr spare = add(1, 1);
  auto shares = percents();
  EXPECT_NEAR(shares[up.get()], 70, 2);
  EXPECT_NEAR(shares[spare.get()], 30, 2);
}

TEST_P(Hashing, WhereOnlyDegradedHostsAreLeftThereIsNone) {
  add(1, 0, HostHealth::degraded);
  add(1, 0, HostHealth::degraded);
  EXPECT_EQ(percents(), (std::map<const Endpoint*, double>{{nullptr, percents()[nullptr]}}));
}

TEST_P(Hashing, AFullHostIsPassedOver) {
  options.balance_factor = 100;
  for (int i = 0; i < 4; i++) add();
  const Endpoint* first = choices()[0];
  auto* full = const_cast<Endpoint*>(first);
  full->numbers.rq_active = 8;
  const HashedHosts& table = set->hash->by_priority[0];
  EXPECT_EQ(table.pick(key(0), 0, 31), first);  // 8 of 32 are its part.
  Endpoint* next = table.pick(key(0), 0, 8);
  EXPECT_NE(next, first);
  EXPECT_EQ(table.pick(key(0), 0, 8), next) << "and always for the same one";
  for (const EndpointPtr& each : hosts) each->numbers.rq_active = each.get() == next ? 4 : 9;
  EXPECT_EQ(table.pick(key(0), 0, 8), next) << "where all are full, the least loaded one";
}

TEST_P(Hashing, PlacesAreCounted) {
  options.ring_size_min = 8;
  options.maglev_table_size = 11;
  for (int i = 0; i < 4; i++) add();
  choices();
  PlacesPerHost places = set->hash->places();
  bool ring = GetParam() == Kind::ring;
  EXPECT_EQ(places.size, ring ? 8u : 11u);
  EXPECT_EQ(places.min, 2u);
  EXPECT_EQ(places.max, ring ? 2u : 3u);
}

TEST(HashKeys, AreTheMetadatasOrTheAddressOrTheName) {
  Endpoint host(*Address::parse("::1", 80), "name", 1, 0, 1);
  EXPECT_EQ(hash_key_of(host, false), "[::1]:80");
  EXPECT_EQ(hash_key_of(host, true), "name");
  auto says = [&](Value value) {
    auto metadata = std::make_shared<Metadata>();
    metadata->space(kLbMetadata)["hash_key"] = std::move(value);
    host.set_metadata(metadata);
  };
  says(Value(std::string("key")));
  EXPECT_EQ(hash_key_of(host, true), "key");
  says(Value(7.0));
  EXPECT_EQ(hash_key_of(host, true), "name");
}

}  // namespace
}  // namespace outrider
