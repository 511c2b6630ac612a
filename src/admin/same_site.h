// Whether an order to the admin page comes from a page of its own, or from no browser at all.
#pragma once
#include <string>

#include "http/exchange.h"

namespace outrider {

// Why the order of another site's page is refused; empty if it is not one. Only browsers send `origin` and
// `sec-fetch-site`; without them nothing is refused. A browser that reaches a loopback address by a name other than
// localhost may have been led there by that name's owner (DNS rebinding).
std::string foreign_order(const Exchange& x);

}  // namespace outrider
