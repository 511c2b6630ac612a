#include "upstream/discovery.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "core/simulated_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;

using Answer = std::expected<DnsAnswer, DnsFailure>;

Answer addresses(std::vector<std::string> ips, seconds ttl = seconds(0)) {
  DnsAnswer answer{{}, ttl};
  for (const std::string& ip : ips) answer.addresses.push_back(*Address::parse(ip, 0));
  return answer;
}
Answer no_such_name() { return std::unexpected(DnsFailure{"no such name", true}); }
Answer outage() { return std::unexpected(DnsFailure{"timed out", false}); }

// Answers each name with what the test says, after a delay; and remembers when it was asked.
class SimulatedResolver final : public Resolver {
 public:
  explicit SimulatedResolver(Clock& clock) : clock_(clock) {}
  Task<Answer> resolve(std::string_view name, DnsFamily family) override {
    std::string key(name);
    asked[key].push_back(clock_.now());
    family_asked = family;
    co_await sleep(delay);
    co_return answers.at(key);
  }

  std::map<std::string, Answer> answers;
  std::map<std::string, std::vector<TimePoint>> asked;
  DnsFamily family_asked = DnsFamily::automatic;
  Duration delay = milliseconds(0);

 private:
  Clock& clock_;
};

class DiscoveryTest : public Simulated {
 public:
  DiscoveryTest() {
    options.name = "c";
    options.discovery = DiscoveryType::strict_dns;
    options.dns_refresh_rate = options.dns_failure_rate = options.dns_failure_rate_max = seconds(5);
    add("a.example");
  }
  void add(std::string name, std::uint16_t port = 80) {
    ConfiguredHost host;
    host.address = std::move(name);
    host.port = port;
    options.hosts.push_back(std::move(host));
  }
  void run(Task<> (*body)(DiscoveryTest&)) {
    cluster = std::make_shared<Cluster>(options, stats, 0);
    EXPECT_TRUE(worker_.run(live(*this, body))) << "the test waits for something that never comes";
  }
  // The hosts that the cluster has now.
  Notes hosts() {
    Notes result;
    for (const EndpointPtr& e : cluster->hosts()->all) result.push_back(e->address.text());
    return result;
  }
  Endpoint* host(std::size_t i) { return cluster->hosts()->all[i].get(); }
  // When that name was asked for, in whole seconds.
  std::vector<std::int64_t> asked(const std::string& name = "a.example") {
    std::vector<std::int64_t> result;
    for (TimePoint t : resolver.asked[name]) result.push_back((t - began_) / seconds(1));
    return result;
  }
  void answer(Answer a) { resolver.answers.insert_or_assign("a.example", std::move(a)); }
  std::uint64_t count(ClusterStat stat) const { return stats->value(static_cast<std::size_t>(stat)); }

  SimulatedResolver resolver{clock_};
  StatRegistry registry;
  std::shared_ptr<StatScope> stats = registry.scope("cluster.c.", cluster_stat_table());
  ClusterOptions options;
  ClusterPtr cluster;
  int changes = 0;
  Discovery discovery{worker_, resolver, 1, [this](const Cluster& c) {
                        EXPECT_EQ(&c, cluster.get());
                        changes++;
                      }};
  Scope scope;

 private:
  static Task<> follow(Discovery& d) { co_await d.run(); }
  static Task<> beside(DiscoveryTest& t, Task<> (*body)(DiscoveryTest&)) {
    t.scope.spawn(follow, t.discovery);
    t.discovery.follow(t.cluster);
    co_await body(t);
  }
  static Task<> live(DiscoveryTest& t, Task<> (*body)(DiscoveryTest&)) { co_await t.scope.run(beside(t, body)); }
};

using StrictDns = DiscoveryTest;
using LogicalDns = DiscoveryTest;

TEST_F(StrictDns, TakesEveryAddressWithThePort) {
  answer(addresses({"10.0.0.2", "10.0.0.1", "10.0.0.2", "::1"}));
  options.dns_family = DnsFamily::all;
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    EXPECT_THAT(t.hosts(), testing::UnorderedElementsAre("10.0.0.1:80", "10.0.0.2:80", "[::1]:80"));
    EXPECT_EQ(t.host(0)->hostname, "a.example");
    EXPECT_EQ(t.resolver.family_asked, DnsFamily::all);
    EXPECT_EQ(t.changes, 1);
    EXPECT_EQ(t.count(ClusterStat::membership_total), 3u);
    EXPECT_EQ(t.count(ClusterStat::membership_change), 1u);
    EXPECT_EQ(t.count(ClusterStat::update_attempt), 1u);
    EXPECT_EQ(t.count(ClusterStat::update_success), 1u);
  });
}

TEST_F(StrictDns, AsksAgainAtTheRefreshRate) {
  answer(addresses({"10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(16));
    EXPECT_THAT(t.asked(), ElementsAre(0, 5, 10, 15));
    EXPECT_EQ(t.changes, 1);
    EXPECT_EQ(t.count(ClusterStat::update_no_rebuild), 3u);
    EXPECT_EQ(t.count(ClusterStat::membership_change), 1u);
  });
}

TEST_F(StrictDns, CountsTheRefreshRateFromTheAnswer) {
  answer(addresses({"10.0.0.1"}));
  resolver.delay = seconds(2);
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(15));
    EXPECT_THAT(t.asked(), ElementsAre(0, 7, 14));
  });
}

TEST_F(StrictDns, RespectsTheTimeToLiveWhereToldTo) {
  answer(addresses({"10.0.0.1"}, seconds(20)));
  options.respect_dns_ttl = true;
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(41));
    EXPECT_THAT(t.asked(), ElementsAre(0, 20, 40));
    t.answer(addresses({"10.0.0.1"}, seconds(0)));  // Says nothing: the refresh rate holds.
    co_await sleep(seconds(25));
    EXPECT_THAT(t.asked(), ElementsAre(0, 20, 40, 60, 65));
  });
}

TEST_F(StrictDns, DoesNotCareForTheTimeToLiveOtherwise) {
  answer(addresses({"10.0.0.1"}, seconds(20)));
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(6));
    EXPECT_THAT(t.asked(), ElementsAre(0, 5));
  });
}

TEST_F(StrictDns, SpreadsItsQueriesByTheJitter) {
  answer(addresses({"10.0.0.1"}));
  options.dns_jitter = milliseconds(1000);
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(200));
    std::vector<TimePoint> asked = t.resolver.asked["a.example"];
    Duration shortest = seconds(100), longest{0};
    for (std::size_t i = 1; i < asked.size(); i++) {
      shortest = std::min(shortest, asked[i] - asked[i - 1]);
      longest = std::max(longest, asked[i] - asked[i - 1]);
    }
    EXPECT_THAT(shortest, Ge(seconds(5)));
    EXPECT_THAT(longest, Le(milliseconds(6002)));
    EXPECT_GT(longest - shortest, milliseconds(500));
  });
}

TEST_F(StrictDns, AHostThatPassesItsHealthChecksStaysWhenTheNameLosesIt) {
  answer(addresses({"10.0.0.1", "10.0.0.2"}));
  options.health_check = std::make_shared<HealthCheckOptions>();
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    for (std::size_t i : {0, 1}) t.host(i)->flags.clear(HealthFlag::failed_active_hc);
    t.answer(addresses({"10.0.0.1"}));
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:80", "10.0.0.2:80"));
    EXPECT_TRUE(t.host(1)->flags.has(HealthFlag::pending_dynamic_removal));
    t.host(1)->flags.set(HealthFlag::failed_active_hc);
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:80"));
  });
}

TEST_F(StrictDns, HealthIsIgnoredWhereItIsToBe) {
  answer(addresses({"10.0.0.1", "10.0.0.2"}));
  options.health_check = std::make_shared<HealthCheckOptions>();
  options.ignore_health_on_removal = true;
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    for (std::size_t i : {0, 1}) t.host(i)->flags.clear(HealthFlag::failed_active_hc);
    t.answer(addresses({"10.0.0.1"}));
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:80"));
  });
}

TEST_F(StrictDns, HostsThatStayKeepTheirPlaceAndTheirNumbers) {
  answer(addresses({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    Endpoint* third = t.host(2);
    third->numbers.rq_total = 7;
    t.answer(addresses({"10.0.0.0", "10.0.0.3", "10.0.0.1"}));
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:80", "10.0.0.3:80", "10.0.0.0:80"));
    EXPECT_EQ(t.host(1), third);
    EXPECT_EQ(t.changes, 2);
    t.answer(addresses({"10.0.0.3", "10.0.0.0", "10.0.0.1"}));  // Another order is no change.
    co_await sleep(seconds(5));
    EXPECT_EQ(t.changes, 2);
  });
}

TEST_F(StrictDns, AFailureKeepsTheLastHosts) {
  answer(addresses({"10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    t.answer(outage());
    co_await sleep(seconds(11));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:80"));
    EXPECT_EQ(t.count(ClusterStat::update_failure), 2u);
    EXPECT_EQ(t.count(ClusterStat::update_success), 1u);
    EXPECT_EQ(t.changes, 1);
  });
}

TEST_F(StrictDns, AsksLessAndLessOftenWhileItFails) {
  answer(outage());
  options.dns_failure_rate = seconds(1);
  options.dns_failure_rate_max = seconds(6);
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(20));
    EXPECT_THAT(t.asked(), ElementsAre(0, 1, 3, 7, 13, 19));
    t.answer(addresses({"10.0.0.1"}));
    co_await sleep(seconds(6));  // At 25.
    t.answer(outage());
    co_await sleep(seconds(6));  // At 30 and 31: the first failure again.
    EXPECT_THAT(t.asked(), ElementsAre(0, 1, 3, 7, 13, 19, 25, 30, 31));
  });
}

TEST_F(StrictDns, ANameThatIsGoneEmptiesTheCluster) {
  answer(addresses({"10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    t.answer(no_such_name());
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), IsEmpty());
    EXPECT_EQ(t.count(ClusterStat::membership_total), 0u);
    EXPECT_EQ(t.count(ClusterStat::update_empty), 1u);
    EXPECT_EQ(t.count(ClusterStat::update_failure), 0u);
    t.answer(addresses({"10.0.0.9"}));
    co_await sleep(seconds(5));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.9:80"));
    EXPECT_EQ(t.changes, 3);
  });
}

TEST_F(StrictDns, EachNameOfAClusterIsFollowedByItself) {
  add("b.example", 81);
  answer(addresses({"10.0.0.1"}));
  resolver.answers.insert_or_assign("b.example", addresses({"10.0.0.1", "10.0.0.2"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:81"));
    t.answer(no_such_name());
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.1:81", "10.0.0.2:81"));
  });
}

TEST_F(StrictDns, HostsAreAsConfigured) {
  options.hosts[0].hostname = "named.example";
  options.hosts[0].weight = 3;
  options.hosts[0].priority = 1;
  options.hosts[0].health = HostHealth::degraded;
  options.hosts[0].region = "r";
  answer(addresses({"10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    EXPECT_EQ(t.host(0)->hostname, "named.example");
    EXPECT_EQ(t.host(0)->weight, 3u);
    EXPECT_EQ(t.host(0)->priority, 1u);
    EXPECT_EQ(t.host(0)->health, HostHealth::degraded);
    EXPECT_EQ(t.host(0)->region, "r");
    EXPECT_EQ(t.count(ClusterStat::membership_degraded), 1u);
  });
}

TEST_F(StrictDns, FirstAnswersWaitsForAFailureToo) {
  answer(outage());
  resolver.delay = seconds(3);
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    EXPECT_GE(t.elapsed(), seconds(3));
    EXPECT_LE(t.elapsed(), milliseconds(3002));
    EXPECT_THAT(t.hosts(), IsEmpty());
  });
}

TEST_F(StrictDns, FirstAnswersDoesNotWaitForWhatIsForgotten) {
  answer(outage());
  resolver.delay = std::chrono::hours(1);
  run([](DiscoveryTest& t) -> Task<> {
    static constexpr auto forget_later = [](DiscoveryTest& test) -> Task<> {
      co_await sleep(seconds(1));
      test.discovery.forget(*test.cluster);
    };
    t.scope.spawn(+forget_later, t);
    co_await t.discovery.first_answers();
    EXPECT_LE(t.elapsed(), milliseconds(1002));
  });
}

TEST_F(StrictDns, AClusterThatIsForgottenIsNotAskedForAgain) {
  answer(addresses({"10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    t.discovery.forget(*t.cluster);
    t.discovery.forget(*t.cluster);  // Nothing to do any more.
    co_await sleep(seconds(60));
    EXPECT_THAT(t.asked(), ElementsAre(0));
    EXPECT_EQ(t.cluster.use_count(), 1) << "nobody holds it any more";
  });
}

TEST_F(StrictDns, ForgettingInTheMiddleOfAQueryDropsItsAnswer) {
  answer(addresses({"10.0.0.1"}));
  resolver.delay = seconds(2);
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(1));
    t.discovery.forget(*t.cluster);
    co_await sleep(seconds(60));
    EXPECT_EQ(t.changes, 0);
    EXPECT_THAT(t.hosts(), IsEmpty());
  });
}

TEST_F(StrictDns, AClusterMayBeForgottenAndFollowedAgain) {
  answer(addresses({"10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await sleep(seconds(2));
    t.discovery.forget(*t.cluster);
    t.discovery.follow(t.cluster);
    t.discovery.follow(t.cluster);  // It is already.
    co_await sleep(seconds(6));
    EXPECT_THAT(t.asked(), ElementsAre(0, 2, 7));
  });
}

TEST_F(StrictDns, AClusterWithoutNamesIsNotFollowed) {
  options.discovery = DiscoveryType::static_;
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    co_await sleep(seconds(60));
    EXPECT_THAT(t.asked(), IsEmpty());
  });
}

// --- one logical host ---------------------------------------------------------------------------------------------

TEST_F(LogicalDns, IsTheFirstAddress) {
  options.discovery = DiscoveryType::logical_dns;
  answer(addresses({"10.0.0.9", "10.0.0.1"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.9:80"));
    t.answer(addresses({"10.0.0.2"}));
    co_await sleep(seconds(6));
    EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.2:80"));
  });
}

TEST_F(LogicalDns, KeepsItsHostWhateverFails) {
  options.discovery = DiscoveryType::logical_dns;
  answer(addresses({"10.0.0.9"}));
  run([](DiscoveryTest& t) -> Task<> {
    co_await t.discovery.first_answers();
    for (const Answer& a : {outage(), no_such_name()}) {
      t.answer(a);
      co_await sleep(seconds(6));
      EXPECT_THAT(t.hosts(), ElementsAre("10.0.0.9:80"));
    }
    EXPECT_EQ(t.count(ClusterStat::update_failure), 2u);
    EXPECT_EQ(t.changes, 1);
  });
}

}  // namespace
}  // namespace outrider
