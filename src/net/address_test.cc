#include "net/address.h"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace outrider {
namespace {

TEST(Address, PrintsWhatItParsedInEnvoysForm) {
  struct Case {
    const char* ip;
    std::uint16_t port;
    const char* text;
  };
  for (const Case& c : {Case{"10.0.0.1", 80, "10.0.0.1:80"},
                        {"0.0.0.0", 0, "0.0.0.0:0"},
                        {"255.255.255.255", 65535, "255.255.255.255:65535"},
                        {"::", 443, "[::]:443"},
                        {"::1", 1, "[::1]:1"},
                        {"2001:DB8:0:0:0:0:0:1", 80, "[2001:db8::1]:80"},
                        {"::ffff:10.0.0.1", 80, "[::ffff:10.0.0.1]:80"},
                        {"fe80::1", 9, "[fe80::1]:9"}}) {
    auto address = Address::parse(c.ip, c.port);
    ASSERT_TRUE(address) << c.ip;
    EXPECT_EQ(address->text(), c.text);
    EXPECT_EQ(address->port(), c.port);
    EXPECT_EQ(address->with_port(7).port(), 7);
    EXPECT_EQ(*Address::parse(address->ip_text(), c.port), *address);
  }
}

TEST(Address, RefusesWhatIsNoIpAddress) {
  using std::string_view_literals::operator""sv;
  for (std::string_view text :
       {""sv, "localhost"sv, "1.2.3"sv, "1.2.3.4.5"sv, "256.1.1.1"sv, "01.2.3.4"sv, " 1.2.3.4"sv, "1.2.3.4 "sv,
        "1.2.3.4:80"sv, "[::1]"sv, ":::"sv, "1::2::3"sv, "0x7f.1.1.1"sv, "1.2.3.4\0x"sv, "::1\0"sv, "::g"sv}) {
    auto address = Address::parse(text, 80);
    ASSERT_FALSE(address) << text;
    EXPECT_NE(address.error().find("malformed IP address"), std::string::npos);
  }
  std::string long_text(100'000, '1');
  EXPECT_LT(Address::parse(long_text, 80).error().size(), 100u);
}

TEST(Address, OfAPeerOfIpv4IsThatOfIpv4) {
  EXPECT_EQ(Address::parse("::ffff:10.0.0.1", 80)->unmapped().text(), "10.0.0.1:80");
  EXPECT_EQ(Address::parse("::1", 80)->unmapped().text(), "[::1]:80");
  EXPECT_EQ(Address::parse("10.0.0.1", 80)->unmapped().text(), "10.0.0.1:80");
}

TEST(Address, SurvivesTheWayThroughASockaddr) {
  for (const Address& address : {*Address::parse("10.1.2.3", 8080), *Address::parse("2001:db8::2", 53),
                                 Address::pipe("/run/x.sock"), Address::pipe("@abstract"), Address::any4(1)}) {
    sockaddr_storage storage;
    socklen_t length = address.fill(storage);
    EXPECT_EQ(Address::from(reinterpret_cast<sockaddr*>(&storage), length), address) << address.text();
  }
}

TEST(Address, AnAbstractPipeHasANulInFrontAndNoneBehind) {
  sockaddr_storage storage;
  socklen_t length = Address::pipe("@ab").fill(storage);
  EXPECT_EQ(length, offsetof(sockaddr_un, sun_path) + 3);
  EXPECT_EQ(std::memcmp(reinterpret_cast<sockaddr_un*>(&storage)->sun_path, "\0ab", 3), 0);
}

TEST(Address, APipeWhosePathIsTooLongFillsNothing) {
  sockaddr_storage storage;
  EXPECT_GT(Address::pipe(std::string(Address::kPipePathMax, 'x')).fill(storage), 0u);
  EXPECT_EQ(Address::pipe(std::string(Address::kPipePathMax + 1, 'x')).fill(storage), 0u);
}

TEST(Address, IsOrderedByFamilyThenAddressThenPort) {
  Address a = *Address::parse("10.0.0.1", 9), b = *Address::parse("10.0.0.2", 1), c = *Address::parse("10.0.0.2", 2);
  Address v6 = *Address::parse("::1", 1), pipe = Address::pipe("/a");
  EXPECT_TRUE(a < b);
  EXPECT_TRUE(b < c);
  EXPECT_FALSE(c < b);
  EXPECT_FALSE(a < a);
  EXPECT_TRUE(a < v6);
  EXPECT_FALSE(v6 < a);
  EXPECT_FALSE(pipe < pipe);
  EXPECT_NE(b, c);
  EXPECT_NE(a, v6);
  EXPECT_NE(pipe, Address::pipe("/b"));
}

TEST(Address, LinkLocalAddressesOfTwoInterfacesDiffer) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr.s6_addr[0] = 0xfe;
  v6.sin6_addr.s6_addr[1] = 0x80;
  v6.sin6_scope_id = 1;
  Address one = Address::from(reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  v6.sin6_scope_id = 2;
  Address two = Address::from(reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  EXPECT_NE(one, two);
  EXPECT_NE(one < two, two < one);
}

TEST(Address, AShortOrUnknownSockaddrIsNoAddress) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  EXPECT_EQ(Address::from(reinterpret_cast<sockaddr*>(&v4), 4).family(), AF_UNSPEC);
  v4.sin_family = AF_APPLETALK;
  EXPECT_EQ(Address::from(reinterpret_cast<sockaddr*>(&v4), sizeof v4).family(), AF_UNSPEC);
}

}  // namespace
}  // namespace outrider
