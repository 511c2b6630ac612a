// Which filter chain of a listener takes a connection.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "net/cidr.h"

namespace outrider {

enum class SourceType : std::uint8_t { any, same_machine, external };

// What a chain asks of a connection without TLS; what is empty or not set, it does not ask for.
struct FilterChainMatch {
  std::optional<std::uint16_t> destination_port;
  std::vector<CidrRange> destinations;
  std::string transport_protocol;  // "raw_buffer" is what there is without TLS.
  std::vector<CidrRange> direct_sources;
  SourceType source_type = SourceType::any;
  std::vector<CidrRange> sources;
  std::vector<std::uint32_t> source_ports;

  // Asks for nothing: takes every connection.
  bool takes_all() const;
  // There is a connection that both take, with the same right.
  bool collides_with(const FilterChainMatch& other) const;
};

// The number of the chain that takes a connection to `local` from `peer`: what is asked for more exactly comes first,
// in the order of the members above, and there is no way back (Envoy's document of FilterChainMatch). -1: none does.
int find_filter_chain(const std::vector<FilterChainMatch>& chains, const Address& local, const Address& peer);

}  // namespace outrider
