#include "net/dns.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "core/scope.h"
#include "net/loopback_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What the test's nameserver says about one name.
struct Entry {
  std::vector<std::string> v4{};
  std::vector<std::string> v6{};
  std::uint32_t ttl = 60;
  int rcode = 0;
  bool silent = false;     // Answers nothing.
  bool silent_v6 = false;  // Answers no AAAA question.
  bool truncate = false;   // By UDP: nothing but the bit that asks for TCP.
  int many = 0;            // So many generated IPv4 addresses.
  std::string alias_of{};  // A CNAME, followed by that name's addresses.
  std::uint32_t alias_ttl = 60;
  bool garbage = false;  // The record's length runs past the message.
};
constexpr int kServfail = 2, kNxdomain = 3, kRefused = 5;

// A nameserver on a thread of its own, for UDP and TCP at one port of the loopback address.
class NameServer {
 public:
  explicit NameServer(std::map<std::string, Entry> zone) : zone_(std::move(zone)) {
    // UDP and TCP must have the same port: try until a free UDP port is free for TCP too.
    for (int attempt = 0; attempt < 100; attempt++) {
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      udp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      bind(udp_, reinterpret_cast<sockaddr*>(&at), sizeof at);
      address_ = bound_address(udp_);
      if (auto tcp = listen_on(address_, {})) {
        tcp_ = *tcp;
        break;
      }
      close(udp_);
    }
    EXPECT_EQ(pipe(end_), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    close(end_[1]);
    thread_.join();
    for (int fd : {udp_, tcp_, end_[0]}) close(fd);
    for (int fd : connections_) close(fd);
  }

  const Address& address() const { return address_; }
  std::atomic<int> udp_questions{0};
  std::atomic<int> tcp_questions{0};

 private:
  void serve() {
    for (;;) {
      std::vector<pollfd> watched{{end_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
      for (int fd : connections_) watched.push_back({fd, POLLIN, 0});
      poll(watched.data(), watched.size(), -1);
      if (watched[0].revents) return;
      if (watched[1].revents) serve_udp();
      if (watched[2].revents) {
        if (int fd = accept(tcp_, nullptr, nullptr); fd >= 0) connections_.push_back(fd);
      }
      for (std::size_t i = 3; i < watched.size(); i++) {
        if (watched[i].revents) serve_tcp(watched[i].fd);
      }
    }
  }
  void serve_udp() {
    char buffer[1500];
    sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t n = recvfrom(udp_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (n < 12) return;
    udp_questions++;
    auto reply = answer({buffer, static_cast<std::size_t>(n)}, false);
    if (reply) sendto(udp_, reply->data(), reply->size(), 0, reinterpret_cast<sockaddr*>(&from), length);
  }
  void serve_tcp(int fd) {
    unsigned char head[2];
    char buffer[1500];
    ssize_t n = recv(fd, head, 2, MSG_WAITALL);
    ssize_t size = n == 2 ? head[0] << 8 | head[1] : 0;
    if (size < 12 || size > 1500 || recv(fd, buffer, static_cast<std::size_t>(size), MSG_WAITALL) != size) {
      close(fd);
      std::erase(connections_, fd);
      return;
    }
    tcp_questions++;
    auto reply = answer({buffer, static_cast<std::size_t>(size)}, true);
    if (!reply) return;
    std::string framed = u16(static_cast<unsigned>(reply->size())) + *reply;
    // In two parts, so that the resolver has to put them together.
    send(fd, framed.data(), 1, MSG_NOSIGNAL);
    send(fd, framed.data() + 1, framed.size() - 1, MSG_NOSIGNAL);
  }

  static std::string u16(unsigned v) { return {static_cast<char>(v >> 8), static_cast<char>(v)}; }
  static std::string u32(std::uint32_t v) { return u16(v >> 16) + u16(v & 0xffff); }
  static std::string labels(std::string_view name) {
    std::string wire;
    while (!name.empty()) {
      std::size_t dot = std::min(name.find('.'), name.size());
      wire += static_cast<char>(dot);
      wire += name.substr(0, dot);
      name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return wire + '\0';
  }
  static std::string record(unsigned type, std::uint32_t ttl, const std::string& value, const std::string& owner) {
    return owner + u16(type) + u16(1) + u32(ttl) + u16(static_cast<unsigned>(value.size())) + value;
  }

  std::string records(const Entry& e, unsigned type, const std::string& owner, int* count) {
    std::string all;
    if (type == 1) {
      for (const std::string& ip : e.v4) {
        in_addr a;
        inet_pton(AF_INET, ip.c_str(), &a);
        all += record(1, e.ttl, std::string(reinterpret_cast<char*>(&a), 4), owner);
        (*count)++;
      }
      for (int i = 0; i < e.many; i++, (*count)++) {
        all += record(1, e.ttl, u32(0x0a000000u + static_cast<std::uint32_t>(i)), owner);
      }
    } else if (type == 28) {
      for (const std::string& ip : e.v6) {
        in6_addr a;
        inet_pton(AF_INET6, ip.c_str(), &a);
        all += record(28, e.ttl, std::string(reinterpret_cast<char*>(&a), 16), owner);
        (*count)++;
      }
    }
    return all;
  }

  std::optional<std::string> answer(std::string_view query, bool tcp) {
    std::string name;
    std::size_t at = 12;
    while (at < query.size() && query[at]) {
      if (!name.empty()) name += '.';
      name += query.substr(at + 1, static_cast<unsigned char>(query[at]));
      at += static_cast<unsigned char>(query[at]) + 1u;
    }
    unsigned type = static_cast<unsigned char>(query[at + 2]);
    std::string question(query.substr(12, at + 5 - 12));
    auto found = zone_.find(name);
    Entry e = found == zone_.end() ? Entry{.rcode = kNxdomain} : found->second;
    if (e.silent || (e.silent_v6 && type == 28)) return std::nullopt;
    bool cut = e.truncate && !tcp;
    int count = 0;
    std::string body, owner = "\xc0\x0c";
    if (!cut && !e.rcode) {
      if (!e.alias_of.empty()) {
        body += record(5, e.alias_ttl, labels(e.alias_of), owner);
        count++;
        body += records(zone_.at(e.alias_of), type, labels(e.alias_of), &count);
      }
      body += records(e, type, owner, &count);
      if (e.garbage) {
        body += owner + u16(1) + u16(1) + u32(1) + u16(4000);
        count++;
      }
    }
    std::string head(query.substr(0, 2));
    head += static_cast<char>(0x84 | (cut ? 2 : 0));
    head += static_cast<char>(e.rcode);
    return head + u16(1) + u16(static_cast<unsigned>(count)) + u32(0) + question + body;
  }

  const std::map<std::string, Entry> zone_;
  Address address_;
  int udp_ = -1, tcp_ = -1;
  int end_[2];
  std::vector<int> connections_;
  std::thread thread_;
};

std::map<std::string, Entry> example_zone() {
  return {{"both.test", {.v4 = {"10.0.0.2", "10.0.0.1", "10.0.0.3"}, .v6 = {"2001:db8::2", "2001:db8::1"}, .ttl = 30}},
          {"v4.test", {.v4 = {"10.1.0.1"}, .ttl = 7}},
          {"v6.test", {.v6 = {"2001:db8::7"}}},
          {"service_a_envoy", {.v4 = {"172.18.0.4"}}},
          {"_under._score.test", {.v4 = {"172.18.0.5"}}},
          {"alias.test", {.ttl = 300, .alias_of = "real_name.test", .alias_ttl = 5}},
          {"real_name.test", {.v4 = {"10.2.0.1"}, .ttl = 300}},
          {"empty.test", {}},
          {"broken.test", {.rcode = kServfail}},
          {"refused.test", {.rcode = kRefused}},
          {"silent.test", {.silent = true}},
          {"half_silent.test", {.v4 = {"10.3.0.1"}, .silent_v6 = true}},
          {"large.test", {.truncate = true, .many = 2000}},
          {"forever.test", {.v4 = {"10.4.0.1"}, .ttl = 0x80000001u}},
          {"twice.test", {.v4 = {"10.5.0.1"}, .garbage = true}}};
}

class Dns : public testing::Test {
 protected:
  NameServer server{example_zone()};
  Loopback loopback;
  CaresResolver resolver{loopback.poller, options()};

  CaresResolver::Options options() {
    return {.nameservers = {server.address()},
            .no_default_search_domain = true,
            .query_timeout = milliseconds(50),
            .query_tries = 2};
  }

  using Result = std::expected<DnsAnswer, DnsFailure>;
  Result ask(Resolver& of, std::string_view name, DnsFamily family) {
    std::optional<Result> result;
    struct Ask {
      static Task<> run(Resolver& of, std::string_view name, DnsFamily family, std::optional<Result>& result) {
        result = co_await of.resolve(name, family);
      }
    };
    EXPECT_TRUE(loopback.worker.run(Ask::run(of, name, family, result)));
    return result ? std::move(*result) : std::unexpected(DnsFailure{"no result"});
  }
  Result ask(std::string_view name, DnsFamily family) { return ask(resolver, name, family); }

  static std::vector<std::string> texts(const Result& result) {
    std::vector<std::string> all;
    if (!result) return {result.error().reason};
    for (const Address& a : result->addresses) all.push_back(a.ip_text());
    return all;
  }
  using Texts = std::vector<std::string>;
};

TEST_F(Dns, AnswersComeInTheServersOrderWithoutPortAndWithTheTtl) {
  Result result = ask("both.test", DnsFamily::v4_only);
  EXPECT_EQ(texts(result), (Texts{"10.0.0.2", "10.0.0.1", "10.0.0.3"}));
  EXPECT_EQ(result->ttl, seconds(30));
  EXPECT_EQ(result->addresses[0].port(), 0);
  EXPECT_EQ(resolver.in_flight(), 0);
}

TEST_F(Dns, EachFamilyAsksForWhatItSays) {
  Texts v4{"10.0.0.2", "10.0.0.1", "10.0.0.3"}, v6{"2001:db8::2", "2001:db8::1"};
  EXPECT_EQ(texts(ask("both.test", DnsFamily::v6_only)), v6);
  EXPECT_EQ(texts(ask("both.test", DnsFamily::automatic)), v6);
  EXPECT_EQ(texts(ask("both.test", DnsFamily::v4_preferred)), v4);
  EXPECT_EQ(ask("both.test", DnsFamily::all)->addresses.size(), 5u);
  EXPECT_EQ(texts(ask("v4.test", DnsFamily::automatic)), Texts{"10.1.0.1"});
  EXPECT_EQ(texts(ask("v4.test", DnsFamily::all)), Texts{"10.1.0.1"});
  EXPECT_EQ(texts(ask("v6.test", DnsFamily::v4_preferred)), Texts{"2001:db8::7"});
}

TEST_F(Dns, NamesWithUnderscoresResolve) {
  EXPECT_EQ(texts(ask("service_a_envoy", DnsFamily::v4_only)), Texts{"172.18.0.4"});
  EXPECT_EQ(texts(ask("service_a_envoy", DnsFamily::automatic)), Texts{"172.18.0.4"});
  EXPECT_EQ(texts(ask("_under._score.test", DnsFamily::v4_only)), Texts{"172.18.0.5"});
}

TEST_F(Dns, AnAliasIsFollowedAndItsTtlCounts) {
  Result result = ask("alias.test", DnsFamily::v4_only);
  EXPECT_EQ(texts(result), Texts{"10.2.0.1"});
  EXPECT_EQ(result->ttl, seconds(5));
}

TEST_F(Dns, ATtlWithItsHighBitSetIsZero) { EXPECT_EQ(ask("forever.test", DnsFamily::v4_only)->ttl, seconds(0)); }

TEST_F(Dns, AMissingNameAndAMissingFamilyAreAnswers) {
  for (DnsFamily family : {DnsFamily::v4_only, DnsFamily::v6_only, DnsFamily::automatic, DnsFamily::all}) {
    for (const char* name : {"nobody.test", "empty.test"}) {
      Result result = ask(name, family);
      ASSERT_FALSE(result);
      EXPECT_TRUE(result.error().no_such_name) << result.error().reason;
      EXPECT_NE(result.error().reason.find(name), std::string::npos);
    }
  }
  EXPECT_TRUE(ask("v4.test", DnsFamily::v6_only).error().no_such_name);
}

TEST_F(Dns, AServerThatFailsOrRefusesIsAnOutageAndAskedOnce) {
  Result failed = ask("broken.test", DnsFamily::v4_only);
  ASSERT_FALSE(failed);
  EXPECT_FALSE(failed.error().no_such_name);
  EXPECT_EQ(failed.error().reason, "cannot resolve 'broken.test': DNS server returned general failure");
  EXPECT_EQ(server.udp_questions, 1);
  Result refused = ask("refused.test", DnsFamily::v4_only);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().no_such_name);
  EXPECT_EQ(refused.error().reason, "cannot resolve 'refused.test': DNS server refused query");
}

TEST_F(Dns, SilenceIsATimeoutAfterAllTries) {
  Result result = ask("silent.test", DnsFamily::v4_only);
  ASSERT_FALSE(result);
  EXPECT_FALSE(result.error().no_such_name);
  EXPECT_EQ(result.error().reason, "cannot resolve 'silent.test': Timeout while contacting DNS servers");
  EXPECT_EQ(server.udp_questions, 2);
}

TEST_F(Dns, TheSecondFamilyIsAskedWhenTheFirstIsNotAnswered) {
  EXPECT_EQ(texts(ask("half_silent.test", DnsFamily::automatic)), Texts{"10.3.0.1"});
}

TEST_F(Dns, AMissingNameNeedsBothFamiliesToSaySo) {
  // AAAA times out, A says that there is none: the name may still exist.
  NameServer half({{"half.test", {.silent_v6 = true}}});
  CaresResolver::Options of_half = options();
  of_half.nameservers = {half.address()};
  CaresResolver asks_half(loopback.poller, of_half);
  Result result = ask(asks_half, "half.test", DnsFamily::automatic);
  ASSERT_FALSE(result);
  EXPECT_FALSE(result.error().no_such_name);
}

TEST_F(Dns, ATruncatedAnswerIsAskedForAgainByTcp) {
  Result result = ask("large.test", DnsFamily::v4_only);
  ASSERT_TRUE(result) << result.error().reason;
  EXPECT_EQ(result->addresses.size(), 2000u);
  EXPECT_EQ(result->addresses[0].ip_text(), "10.0.0.0");
  EXPECT_EQ(result->addresses[1999].ip_text(), "10.0.7.207");
  EXPECT_EQ(server.udp_questions, 1);
  EXPECT_EQ(server.tcp_questions, 1);
}

TEST_F(Dns, UseTcpNeverAsksByUdp) {
  CaresResolver::Options tcp = options();
  tcp.use_tcp = true;
  CaresResolver by_tcp(loopback.poller, tcp);
  EXPECT_EQ(texts(ask(by_tcp, "v4.test", DnsFamily::automatic)), Texts{"10.1.0.1"});
  EXPECT_EQ(server.udp_questions, 0);
  EXPECT_EQ(server.tcp_questions, 2);
}

TEST_F(Dns, AMalformedAnswerIsAFailure) {
  Result result = ask("twice.test", DnsFamily::v4_only);
  ASSERT_FALSE(result);
  EXPECT_FALSE(result.error().no_such_name);
}

TEST_F(Dns, LiteralsNeedNoServerAndNamesInTheHostsFileNeither) {
  EXPECT_EQ(texts(ask("10.9.8.7", DnsFamily::v4_only)), Texts{"10.9.8.7"});
  EXPECT_EQ(texts(ask("10.9.8.7", DnsFamily::automatic)), Texts{"10.9.8.7"});
  EXPECT_EQ(texts(ask("::1", DnsFamily::all)), Texts{"::1"});
  EXPECT_EQ(ask("::1", DnsFamily::all)->ttl, seconds(0));
  EXPECT_FALSE(ask("::1", DnsFamily::v4_only));
  EXPECT_EQ(texts(ask("localhost", DnsFamily::v4_only)), Texts{"127.0.0.1"});
  EXPECT_TRUE(ask("localhost", DnsFamily::automatic));
  EXPECT_EQ(server.udp_questions, 0);
}

TEST_F(Dns, ANameThatCannotBeOneIsRefusedUnasked) {
  using std::string_view_literals::operator""sv;
  std::string too_long(256, 'x'), long_label = std::string(64, 'x') + ".test";
  for (std::string_view name : {""sv, "a\0b"sv, std::string_view(too_long), std::string_view(long_label), "a..b"sv}) {
    EXPECT_FALSE(ask(name, DnsFamily::automatic)) << name;
  }
  EXPECT_EQ(server.udp_questions, 0);
}

TEST_F(Dns, AnUnreachableServerFailsAtOnceAndTheNextOneIsAsked) {
  int closed = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(closed, reinterpret_cast<sockaddr*>(&at), sizeof at);
  Address nobody = bound_address(closed);
  close(closed);

  CaresResolver::Options alone = options();
  alone.nameservers = {nobody};
  alone.query_timeout = seconds(30);
  CaresResolver resolver_alone(loopback.poller, alone);
  Result result = ask(resolver_alone, "v4.test", DnsFamily::v4_only);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, "cannot resolve 'v4.test': no DNS server was reachable and able to answer");

  CaresResolver::Options with_second = alone;
  with_second.nameservers = {nobody, server.address()};
  CaresResolver resolver_with_second(loopback.poller, with_second);
  EXPECT_EQ(texts(ask(resolver_with_second, "v4.test", DnsFamily::v4_only)), Texts{"10.1.0.1"});
}

TEST_F(Dns, AServerThatFailsIsReplacedByTheNext) {
  NameServer failing({{"v4.test", {.rcode = kServfail}}});
  CaresResolver::Options both = options();
  both.nameservers = {failing.address(), server.address()};
  CaresResolver of_both(loopback.poller, both);
  EXPECT_EQ(texts(ask(of_both, "v4.test", DnsFamily::v4_only)), Texts{"10.1.0.1"});
}

Task<> expect_resolves(CaresResolver& resolver, const char* name, int& answered) {
  EXPECT_TRUE(co_await resolver.resolve(name, DnsFamily::v4_only)) << name;
  answered++;
}
Task<> ask_many(Scope& scope, CaresResolver& resolver, int& answered) {
  for (int i = 0; i < 200; i++) {
    scope.spawn(expect_resolves, resolver, i % 2 ? "both.test" : "service_a_envoy", answered);
  }
  while (scope.live()) co_await scope.idle().wait();
}

TEST_F(Dns, ManyQuestionsAtOnceAreAllAnswered) {
  Scope scope;
  int answered = 0;
  struct Many {
    static Task<> run(Scope& scope, CaresResolver& resolver, int& answered) {
      co_await scope.run(ask_many(scope, resolver, answered));
    }
  };
  EXPECT_TRUE(loopback.worker.run(Many::run(scope, resolver, answered)));
  EXPECT_EQ(answered, 200);
}

TEST_F(Dns, AStoppedQuestionIsLeftBehindAndItsLateEndIsHarmless) {
  struct Stopped {
    static Task<> run(CaresResolver& resolver) {
      for (int i = 0; i < 20; i++) {
        EXPECT_FALSE(co_await within(milliseconds(1), resolver.resolve("silent.test", DnsFamily::automatic)));
      }
      EXPECT_GT(resolver.in_flight(), 0);
      EXPECT_TRUE(co_await resolver.resolve("v4.test", DnsFamily::v4_only));
      while (resolver.in_flight()) co_await sleep(milliseconds(10));
    }
  };
  EXPECT_TRUE(loopback.worker.run(Stopped::run(resolver)));
}

TEST_F(Dns, AStopThatComesWithTheAnswerIsHarmless) {
  struct Racing {
    static Task<> run(CaresResolver& resolver) {
      for (int i = 0; i < 300; i++) {
        co_await within(std::chrono::microseconds(i * 10), resolver.resolve("both.test", DnsFamily::all));
      }
      while (resolver.in_flight()) co_await sleep(milliseconds(1));
    }
  };
  EXPECT_TRUE(loopback.worker.run(Racing::run(resolver)));
}

TEST_F(Dns, AResolverMayEndWithQuestionsInFlight) {
  auto ends = std::make_unique<CaresResolver>(loopback.poller, options());
  struct Leaves {
    static Task<> run(CaresResolver& resolver) {
      co_await within(milliseconds(1), resolver.resolve("silent.test", DnsFamily::all));
    }
  };
  EXPECT_TRUE(loopback.worker.run(Leaves::run(*ends)));
  EXPECT_EQ(ends->in_flight(), 1);
  ends.reset();
}

TEST_F(Dns, WithoutNameserversOfItsOwnItTakesThoseOfTheSystem) {
  CaresResolver system(loopback.poller);
  EXPECT_EQ(texts(ask(system, "localhost", DnsFamily::v4_only)), Texts{"127.0.0.1"});
}

}  // namespace
}  // namespace outrider
