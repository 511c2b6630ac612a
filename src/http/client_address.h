// Who the client is: the peer of the connection, or whom a trusted proxy in front of us names. Envoy's document:
// "HTTP header manipulation", x-forwarded-for.
#pragma once
#include <expected>
#include <string>
#include <vector>

#include "net/cidr.h"
#include "wire/protocol_error.h"

namespace outrider {

struct Exchange;

// One way to find the client's address where the peer's is not it (original_ip_detection_extensions).
struct OriginalIpDetection {
  std::string header;  // The field that holds the address; empty: x-forwarded-for.
  // Of x-forwarded-for: so many entries from its end are proxies of ours.
  std::uint32_t trusted_hops = 0;
  std::vector<CidrRange> trusted_proxies;  // Or those in these ranges, if any are given.
  bool recurse = false;                    // Goes on past each trusted entry; else only the last one may be trusted.
  bool skip_append = true;                 // x-forwarded-for gets no entry for the peer.
  // Of a field: it decides whether the request is internal, too.
  bool address_is_trusted = false;
  int reject_status = 0;  // Of a field: the answer where it holds no address; 0: the next way is tried.
};

struct ClientIdentity {
  bool use_remote_address = false;  // The peer is the client: this is the edge.
  std::uint32_t trusted_hops = 0;   // Proxies of ours in front of us (xff_num_trusted_hops).
  bool skip_xff_append = false;
  bool append_forwarded_port = false;
  std::vector<OriginalIpDetection> detection;  // Where the remote address is not used.
  std::vector<CidrRange> internal;             // Clients that are part of our own network.
  bool internal_pipes = false;
};

inline constexpr std::string_view kNoOriginalAddress = "rejecting_because_detection_failed";

// Sets the x-forwarded-* fields, and what the exchange knows of its client. The error is the answer.
std::expected<void, ProtocolError> identify_client(Exchange& x);

// The entry that `skip` others follow in an x-forwarded-for list, if that is an address. `only`: it stands alone.
struct ForwardedAddress {
  Address address;
  bool only = false;
};
bool forwarded_address(std::string_view list, std::uint32_t skip, ForwardedAddress& found);

}  // namespace outrider
