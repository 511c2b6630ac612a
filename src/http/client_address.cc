#include "http/client_address.h"

#include <algorithm>

#include "core/blanks.h"
#include "http/exchange.h"
#include "http/matcher.h"

namespace outrider {
namespace {

// As Envoy: an entry with a port is no address.
std::optional<Address> parse_entry(std::string_view entry) {
  auto address = Address::parse(entry, 0);
  return address ? std::optional<Address>(*address) : std::nullopt;
}

// x-forwarded-for is one list, however many fields it came in (RFC 9110 section 5.3).
void join_forwarded_for(Exchange& x) {
  Headers& headers = x.request.headers;
  if (headers.count(Known::x_forwarded_for) == 1) return;
  std::string joined;
  for (const Field& field : headers) {
    if (field.known != Known::x_forwarded_for) continue;
    if (!joined.empty()) joined += ',';
    joined += field.value;
  }
  headers.set(Known::x_forwarded_for, x.arena.copy(joined));
}

// The peer; where it is on this machine, the address that others know the machine by.
void append_forwarded_for(Exchange& x) {
  Headers& headers = x.request.headers;
  const Address& peer = *x.connection.peer;
  std::string list(headers.value(Known::x_forwarded_for));
  if (!list.empty()) list += ',';
  list += peer.is_loopback() ? x.options.machine_address : peer.ip_text();
  headers.set(Known::x_forwarded_for, x.arena.copy(list));
}

void set_forwarded_port(Exchange& x, bool believed) {
  if (believed && x.request.headers.has(Known::x_forwarded_port)) return;
  const Address& local = x.connection.local();
  if (local.is_pipe()) return;
  x.request.headers.set(Known::x_forwarded_port, x.arena.copy(std::to_string(local.port())));
}

// True if the address stands alone in the list, so that it may be that of an internal client.
bool identify_at_edge(Exchange& x) {
  const ClientIdentity& id = x.options.client;
  Headers& headers = x.request.headers;
  bool alone = !headers.has(Known::x_forwarded_for);
  ForwardedAddress found;
  if (id.trusted_hops > 0 && forwarded_address(headers.value(Known::x_forwarded_for), id.trusted_hops - 1, found)) {
    x.set_client(found.address);
  }
  if (!id.skip_xff_append && !x.connection.peer->is_pipe()) append_forwarded_for(x);
  bool believed = id.trusted_hops > 0;
  if (!believed || !headers.has(Known::x_forwarded_proto)) headers.set(Known::x_forwarded_proto, "http");
  if (id.append_forwarded_port) set_forwarded_port(x, believed);
  return alone;
}

// The entry of the list before those of trusted proxies.
bool detect_behind_proxies(const OriginalIpDetection& d, std::string_view list, ForwardedAddress& found) {
  for (bool last = true;; last = false) {
    ForwardedAddress entry;
    if (!forwarded_address(list, 0, entry)) return !last;
    found = {entry.address, entry.only && last};
    if (!any_contains(d.trusted_proxies, entry.address) || (!d.recurse && !last)) return true;
    std::size_t comma = list.rfind(',');
    if (comma == std::string_view::npos) return true;
    list = list.substr(0, comma);
  }
}

bool detect_forwarded(const OriginalIpDetection& d, Exchange& x, ForwardedAddress& found) {
  std::string_view list = x.request.headers.value(Known::x_forwarded_for);
  if (d.trusted_proxies.empty()) return forwarded_address(list, d.trusted_hops, found);
  if (!any_contains(d.trusted_proxies, *x.connection.peer)) return false;
  return detect_behind_proxies(d, list, found);
}

std::expected<bool, ProtocolError> detect(Exchange& x) {
  const ClientIdentity& id = x.options.client;
  for (const OriginalIpDetection& d : id.detection) {
    ForwardedAddress found;
    if (d.header.empty()) {
      bool is_found = detect_forwarded(d, x, found);
      bool believed = d.trusted_proxies.empty() || any_contains(d.trusted_proxies, *x.connection.peer);
      if ((!d.skip_append || !believed) && !x.connection.peer->is_pipe()) append_forwarded_for(x);
      if (!is_found) continue;
      x.set_client(found.address);
      return found.only;
    }
    std::string joined;
    std::optional<Address> address = parse_entry(without_blanks(one_value(x.request, d.header, joined)));
    if (!address && d.reject_status == 0) continue;
    if (!address) {
      return std::unexpected(
          ProtocolError{static_cast<std::uint16_t>(d.reject_status), kNoOriginalAddress, "no original address"});
    }
    x.set_client(*address);
    return d.address_is_trusted;
  }
  return false;
}

std::expected<bool, ProtocolError> identify_inside(Exchange& x) {
  const ClientIdentity& id = x.options.client;
  Headers& headers = x.request.headers;
  std::expected<bool, ProtocolError> alone = false;
  if (!id.detection.empty()) {
    alone = detect(x);
  } else if (headers.has(Known::x_forwarded_for)) {
    ForwardedAddress found;
    bool needed_now = id.trusted_hops > 0 || !id.internal.empty();  // Else the log asks, if anybody does.
    if (needed_now && forwarded_address(headers.value(Known::x_forwarded_for), id.trusted_hops, found)) {
      x.set_client(found.address);
      alone = found.only;
    }
  }
  if (!headers.has(Known::x_forwarded_proto)) headers.add(Known::x_forwarded_proto, "http");
  return alone;
}

bool is_internal(const ClientIdentity& id, const Address& client) {
  return client.is_pipe() ? id.internal_pipes : any_contains(id.internal, client);
}

}  // namespace

bool forwarded_address(std::string_view list, std::uint32_t skip, ForwardedAddress& found) {
  bool first = skip == 0;
  for (; skip > 0; skip--) {
    std::size_t comma = list.rfind(',');
    if (comma == std::string_view::npos) return false;
    list = list.substr(0, comma);
  }
  std::size_t comma = list.rfind(',');
  bool lone = comma == std::string_view::npos;
  if (!lone) list.remove_prefix(comma + 1);
  std::optional<Address> address = parse_entry(without_blanks(list));
  if (!address) return false;
  found = {*address, lone && first};
  return true;
}

const Address& Exchange::client_address() const {
  if (client_) return *client_;
  ForwardedAddress found;
  std::string_view list = request.headers.value(Known::x_forwarded_for);
  bool named = options.edge && !options.client.use_remote_address && options.client.detection.empty() && !list.empty();
  if (named && forwarded_address(list, options.client.trusted_hops, found)) {
    client_ = &const_cast<Exchange*>(this)->arena.make_owned<Address>(found.address);
  } else {
    client_ = connection.peer;
  }
  return *client_;
}

void Exchange::set_client(const Address& address) { client_ = &arena.make_owned<Address>(address); }

std::expected<void, ProtocolError> identify_client(Exchange& x) {
  const ClientIdentity& id = x.options.client;
  if (x.request.headers.has(Known::x_forwarded_for)) join_forwarded_for(x);
  bool alone;
  if (id.use_remote_address) {
    alone = identify_at_edge(x);
  } else {
    auto inside = identify_inside(x);
    if (!inside) return std::unexpected(inside.error());
    alone = *inside;
  }
  x.internal = alone && (id.internal_pipes || !id.internal.empty()) && is_internal(id, x.client_address());
  return {};
}

}  // namespace outrider
