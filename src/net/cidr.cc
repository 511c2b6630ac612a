#include "net/cidr.h"

#include <algorithm>

namespace outrider {

bool CidrRange::contains(const Address& address) const {
  if (address.family() != base.family()) return false;
  auto given = address.ip_bytes(), wanted = base.ip_bytes();
  if (given.empty()) return false;
  std::size_t whole = bits / 8, rest = bits % 8;
  if (!std::equal(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(whole), wanted.begin())) return false;
  return rest == 0 || (given[whole] ^ wanted[whole]) >> (8 - rest) == 0;
}

bool any_contains(const std::vector<CidrRange>& ranges, const Address& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const CidrRange& range) { return range.contains(address); });
}

}  // namespace outrider
