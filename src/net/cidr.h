// A range of IP addresses, such as 10.0.0.0/8 (RFC 4632).
#pragma once
#include <vector>

#include "net/address.h"

namespace outrider {

struct CidrRange {
  Address base;
  unsigned bits = 0;  // At most 32 or 128.

  // An IPv4 range holds no IPv6 address, and no range a path.
  bool contains(const Address& address) const;
};

bool any_contains(const std::vector<CidrRange>& ranges, const Address& address);

}  // namespace outrider
