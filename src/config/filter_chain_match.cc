#include "config/filter_chain_match.h"

#include <algorithm>

namespace outrider {
namespace {

using Chain = FilterChainMatch;
constexpr int kRefused = -2, kUnasked = -1;  // Better answers are 0 and more.

int nearness(const std::vector<CidrRange>& ranges, const Address& address) {
  if (ranges.empty()) return kUnasked;
  int best = kRefused;
  for (const CidrRange& range : ranges) {
    if (range.contains(address)) best = std::max(best, static_cast<int>(range.bits));
  }
  return best;
}

int exactly(bool asked, bool equal) { return !asked ? kUnasked : equal ? 0 : kRefused; }

bool from_this_machine(const Address& local, const Address& peer) {
  return peer.is_loopback() || (peer.family() == local.family() && peer.with_port(0) == local.with_port(0));
}

// A range without the bits that it does not look at.
bool same_range(const CidrRange& a, const CidrRange& b) {
  return a.bits == b.bits && a.base.family() == b.base.family() && a.contains(b.base);
}

bool share_a_range(const std::vector<CidrRange>& a, const std::vector<CidrRange>& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  return std::ranges::any_of(a, [&](const CidrRange& x) {
    return std::ranges::any_of(b, [&](const CidrRange& y) { return same_range(x, y); });
  });
}

bool share_a_port(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  return std::ranges::any_of(a, [&](std::uint32_t port) { return std::ranges::find(b, port) != b.end(); });
}

}  // namespace

bool FilterChainMatch::takes_all() const {
  return !destination_port && destinations.empty() && transport_protocol.empty() && direct_sources.empty() &&
         source_type == SourceType::any && sources.empty() && source_ports.empty();
}

bool FilterChainMatch::collides_with(const FilterChainMatch& other) const {
  return destination_port == other.destination_port && share_a_range(destinations, other.destinations) &&
         transport_protocol == other.transport_protocol && share_a_range(direct_sources, other.direct_sources) &&
         source_type == other.source_type && share_a_range(sources, other.sources) &&
         share_a_port(source_ports, other.source_ports);
}

int find_filter_chain(const std::vector<Chain>& chains, const Address& local, const Address& peer) {
  std::vector<const Chain*> left;
  for (const Chain& chain : chains) left.push_back(&chain);
  auto keep_best = [&](auto judge) {
    int best = kUnasked;
    for (const Chain* chain : left) best = std::max(best, judge(*chain));
    std::erase_if(left, [&](const Chain* chain) { return judge(*chain) != best; });
  };
  bool same_machine = from_this_machine(local, peer);
  keep_best(
      [&](const Chain& c) { return exactly(c.destination_port.has_value(), c.destination_port == local.port()); });
  keep_best([&](const Chain& c) { return nearness(c.destinations, local); });
  keep_best(
      [&](const Chain& c) { return exactly(!c.transport_protocol.empty(), c.transport_protocol == "raw_buffer"); });
  keep_best([&](const Chain& c) { return nearness(c.direct_sources, peer); });
  keep_best([&](const Chain& c) {
    return exactly(c.source_type != SourceType::any, (c.source_type == SourceType::same_machine) == same_machine);
  });
  keep_best([&](const Chain& c) { return nearness(c.sources, peer); });
  keep_best([&](const Chain& c) {
    return exactly(!c.source_ports.empty(), std::ranges::find(c.source_ports, peer.port()) != c.source_ports.end());
  });
  return left.empty() ? -1 : static_cast<int>(left.front() - chains.data());
}

}  // namespace outrider
