#include "net/cidr.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

TEST(CidrRange, HoldsTheAddressesThatShareItsBits) {
  struct {
    const char* base;
    unsigned bits;
    const char* address;
    bool held;
  } cases[] = {
      {"10.0.0.0", 8, "10.255.1.2", true},
      {"10.0.0.0", 8, "11.0.0.0", false},
      {"192.168.128.0", 17, "192.168.200.1", true},
      {"192.168.128.0", 17, "192.168.127.1", false},
      {"1.2.3.4", 32, "1.2.3.4", true},
      {"1.2.3.4", 32, "1.2.3.5", false},
      {"0.0.0.0", 0, "9.9.9.9", true},
      {"0.0.0.0", 0, "::1", false},
      {"2001:db8::", 33, "2001:db8:7fff::1", true},
      {"2001:db8::", 33, "2001:db8:8000::1", false},
  };
  for (const auto& each : cases) {
    CidrRange range{*Address::parse(each.base, 0), each.bits};
    EXPECT_EQ(range.contains(*Address::parse(each.address, 80)), each.held) << each.address << " in " << each.base;
  }
  EXPECT_FALSE((CidrRange{*Address::parse("0.0.0.0", 0), 0}.contains(Address::pipe("/tmp/x"))));
}

}  // namespace
}  // namespace outrider
