// Sockets of another network namespace of this machine (Linux).
#pragma once
#include <expected>
#include <functional>
#include <string>

namespace outrider {

// Calls `open` while this thread is in the namespace of that file (/run/netns/name, /proc/1/ns/net); sockets stay in
// the namespace where they were opened. An empty path: calls it where the thread is.
std::expected<int, std::string> in_network_namespace(const std::string& path,
                                                     const std::function<std::expected<int, std::string>()>& open);

}  // namespace outrider
