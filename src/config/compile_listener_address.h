// Where a listener listens, and what its sockets are given.
#pragma once
#include <string>
#include <vector>

#include "config/compile_parts.h"

namespace outrider::config {

// The address and the additional ones; at least one, which may be a wrong one that was reported.
std::vector<ListenerAddress> compile_listener_addresses(Compilation& c,
                                                        const envoy::config::listener::v3::Listener& proto,
                                                        const std::string& path);
// Its addresses are its own from now on; reports those that another listener has already.
void take_addresses(Compilation& c, const ListenerConfig& listener, const std::string& path);

}  // namespace outrider::config
