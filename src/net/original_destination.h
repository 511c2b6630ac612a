// Where a connection was going before the kernel led it here (iptables REDIRECT, TPROXY).
#pragma once
#include <optional>

#include "net/address.h"

namespace outrider {

// Nothing where the kernel tells none, or the descriptor is no socket of IP. A transparent socket (IP_TRANSPARENT) has
// it as its own address.
std::optional<Address> original_destination(int fd);

}  // namespace outrider
