// Operators that tell of addresses, connections and hosts, and of TLS.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "http/format_step.h"

namespace outrider::format {
namespace {

Failure read_mask(Step& step, std::string_view arguments) {
  unsigned bits = 0;
  auto [end, error] = std::from_chars(arguments.data(), arguments.data() + arguments.size(), bits);
  if (error == std::errc() && end == arguments.data() + arguments.size()) {
    step.mask = static_cast<std::uint8_t>(std::min(bits, 128u));
  }
  step.part = AddressPart::ip;
  return std::nullopt;
}

Failure read_port(Step& step, std::string_view) {
  step.part = AddressPart::port;
  return std::nullopt;
}

Failure read_ip(Step& step, std::string_view) {
  step.part = AddressPart::ip;
  return std::nullopt;
}

Failure read_hostname(Step& step, std::string_view) {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return std::nullopt;
  step.value = nullptr;
  step.text = name;
  return std::nullopt;
}

void clear_behind(unsigned char* bytes, std::size_t size, unsigned bits) {
  for (std::size_t i = 0; i < size; i++) {
    unsigned left = bits > 8 * i ? std::min(8u, bits - static_cast<unsigned>(8 * i)) : 0;
    bytes[i] &= static_cast<unsigned char>(0xff00 >> left);
  }
}

bool append_ip(const Address& address, const Step& step, std::string& out) {
  sockaddr_storage storage;
  address.fill(storage);
  bool v6 = address.family() == AF_INET6;
  auto* bytes = v6 ? reinterpret_cast<unsigned char*>(&reinterpret_cast<sockaddr_in6&>(storage).sin6_addr)
                   : reinterpret_cast<unsigned char*>(&reinterpret_cast<sockaddr_in&>(storage).sin_addr);
  std::size_t size = v6 ? 16 : 4;
  unsigned bits = std::min<unsigned>(step.mask.value_or(128), static_cast<unsigned>(8 * size));
  if (step.mask) clear_behind(bytes, size, bits);
  char text[INET6_ADDRSTRLEN];
  if (!inet_ntop(address.family(), bytes, text, sizeof text)) return false;
  bool brackets = v6 && step.part == AddressPart::whole;
  if (brackets) out += '[';
  out += text;
  if (brackets) out += ']';
  if (!step.mask) return true;
  out += '/';
  return append_number(bits, out);
}

bool append_address(const Address* address, const Step& step, std::string& out) {
  if (!address || address->family() == AF_UNSPEC) return false;
  if (address->is_pipe()) return step.part != AddressPart::port && append_text(address->text(), out);
  if (step.part == AddressPart::port) return append_number(address->port(), out);
  if (!append_ip(*address, step, out)) return false;
  if (step.part == AddressPart::ip) return true;
  out += ':';
  return append_number(address->port(), out);
}

bool downstream_remote(const Exchange& x, const Step& step, std::string& out) {
  return append_address(&x.client_address(), step, out);
}

bool downstream_direct_remote(const Exchange& x, const Step& step, std::string& out) {
  return append_address(x.connection.peer, step, out);
}

bool downstream_local(const Exchange& x, const Step& step, std::string& out) {
  return append_address(&x.connection.local(), step, out);
}

bool upstream_host(const Exchange& x, const Step& step, std::string& out) {
  return append_address(x.record.upstream_peer, step, out);
}

bool upstream_remote(const Exchange& x, const Step& step, std::string& out) {
  return x.record.upstream_local && append_address(x.record.upstream_peer, step, out);
}

bool upstream_local(const Exchange& x, const Step& step, std::string& out) {
  return append_address(x.record.upstream_local, step, out);
}

std::string_view without_port(std::string_view name) {
  std::size_t colon = name.rfind(':');
  bool port = colon != name.npos && name.find_first_not_of("0123456789", colon + 1) == name.npos;
  bool v6 = name.find(':') != colon && !name.starts_with('[');
  return port && !v6 ? name.substr(0, colon) : name;
}

// The host's name; where it has none, its address.
bool append_host_name(std::string_view name, const Address* address, const Step& step, std::string& out) {
  if (!address) return false;
  if (name.empty()) return append_address(address, step, out);
  return append_text(step.part == AddressPart::ip ? without_port(name) : name, out);
}

bool upstream_host_name(const Exchange& x, const Step& step, std::string& out) {
  return append_host_name(x.record.upstream_hostname, x.record.upstream_peer, step, out);
}

// The oldest attempt first.
template <class Append>
bool append_attempts(const AttemptRecord* attempt, std::string& out, const Append& append) {
  if (!attempt) return false;
  if (append_attempts(attempt->previous, out, append)) out += ',';
  return append(*attempt);
}

bool hosts_attempted(const Exchange& x, const Step& step, std::string& out) {
  return append_attempts(x.record.last_attempt, out,
                         [&](const AttemptRecord& a) { return append_address(a.peer, step, out); });
}

bool host_names_attempted(const Exchange& x, const Step& step, std::string& out) {
  return append_attempts(x.record.last_attempt, out,
                         [&](const AttemptRecord& a) { return append_host_name(a.hostname, a.peer, step, out); });
}

bool connection_ids_attempted(const Exchange& x, const Step&, std::string& out) {
  return append_attempts(x.record.last_attempt, out,
                         [&](const AttemptRecord& a) { return append_number(a.connection_id, out); });
}

bool upstream_connection_id(const Exchange& x, const Step&, std::string& out) {
  return append_number(x.record.last_attempt ? x.record.last_attempt->connection_id : 0, out);
}

bool connection_id(const Exchange& x, const Step&, std::string& out) { return append_number(x.connection.id, out); }

bool protocol(const Exchange& x, const Step&, std::string& out) {
  return !x.record.without_protocol && append_text(name_of(x.request.version), out);
}

bool upstream_protocol(const Exchange& x, const Step&, std::string& out) {
  return x.record.upstream_version && append_text(name_of(*x.record.upstream_version), out);
}

bool empty(const Exchange&, const Step&, std::string&) { return true; }

bool upstream_empty(const Exchange& x, const Step&, std::string&) { return x.record.upstream_local != nullptr; }

bool filter_chain_name(const Exchange& x, const Step&, std::string& out) {
  return append_text(x.options.filter_chain_name, out);
}

bool listener_name(const Exchange& x, const Step&, std::string& out) {
  return append_text(x.options.listener_name, out);
}

// Streams of HTTP/1 never see how their connection is closed: Envoy's word for that.
bool close_type(const Exchange&, const Step&, std::string& out) { return append_text("Normal", out); }

bool upstream_close_type(const Exchange& x, const Step& step, std::string& out) {
  return x.record.upstream_peer && close_type(x, step, out);
}

// Only QUIC counts them.
bool zero(const Exchange&, const Step&, std::string& out) { return append_number(0, out); }

// The kernel's smoothed round-trip time, in milliseconds.
bool round_trip(const Exchange& x, const Step&, std::string& out) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int fd = x.connection.socket ? x.connection.socket->plain_fd() : -1;
  if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  return append_number(info.tcpi_rtt / 1000, out);
}

constexpr auto kText = Shape::text, kNumber = Shape::number;
constexpr auto kNone = Arguments::none, kOptional = Arguments::optional;

#define ADDRESS_ROWS(prefix, value)                                                        \
  {prefix "_ADDRESS", value}, {prefix "_PORT", value, kNumber, kNone, false, read_port}, { \
    prefix "_ADDRESS_WITHOUT_PORT", value, kText, kOptional, false, read_mask              \
  }
#define ATTEMPT_ROWS(name, value) \
  {name, value}, { name "_WITHOUT_PORT", value, kText, kNone, false, read_ip }

constexpr Row kRows[] = {
    ADDRESS_ROWS("DOWNSTREAM_REMOTE", downstream_remote),
    ADDRESS_ROWS("DOWNSTREAM_DIRECT_REMOTE", downstream_direct_remote),
    ADDRESS_ROWS("DOWNSTREAM_LOCAL", downstream_local),
    ADDRESS_ROWS("DOWNSTREAM_DIRECT_LOCAL", downstream_local),
    ADDRESS_ROWS("UPSTREAM_REMOTE", upstream_remote),
    ADDRESS_ROWS("UPSTREAM_LOCAL", upstream_local),
    ATTEMPT_ROWS("UPSTREAM_HOST_NAME", upstream_host_name),
    ATTEMPT_ROWS("UPSTREAM_HOSTS_ATTEMPTED", hosts_attempted),
    ATTEMPT_ROWS("UPSTREAM_HOST_NAMES_ATTEMPTED", host_names_attempted),
    {"UPSTREAM_HOST", upstream_host},
    {"UPSTREAM_CONNECTION_ID", upstream_connection_id, kNumber},
    {"UPSTREAM_CONNECTION_IDS_ATTEMPTED", connection_ids_attempted},
    {"CONNECTION_ID", connection_id, kNumber},
    {"PROTOCOL", protocol},
    {"UPSTREAM_PROTOCOL", upstream_protocol},
    {"HOSTNAME", absent, kText, kNone, false, read_hostname},
    {"FILTER_CHAIN_NAME", filter_chain_name},
    {"DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", empty},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", empty},
    {"UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", upstream_empty},
    {"LISTENER_NAME", listener_name},
    {"DOWNSTREAM_DETECTED_CLOSE_TYPE", close_type},
    {"UPSTREAM_DETECTED_CLOSE_TYPE", upstream_close_type},
    {"DOWNSTREAM_CX_RTT", round_trip, kNumber},
    {"BYTES_RETRANSMITTED", zero, kNumber},
    {"PACKETS_RETRANSMITTED", zero, kNumber},
    {"CONNECTION_TERMINATION_DETAILS", absent},
    {"DOWNSTREAM_HANDSHAKE_DURATION", absent},
    {"DOWNSTREAM_LOCAL_CLOSE_REASON", absent},
    {"DOWNSTREAM_LOCAL_DNS_SAN", absent},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", absent},
    {"DOWNSTREAM_LOCAL_IP_SAN", absent},
    {"DOWNSTREAM_LOCAL_OTHERNAME_SAN", absent},
    {"DOWNSTREAM_LOCAL_SUBJECT", absent},
    {"DOWNSTREAM_LOCAL_URI_SAN", absent},
    {"DOWNSTREAM_PEER_CERT", absent},
    {"DOWNSTREAM_PEER_CERT_V_END", absent, kText, kOptional},
    {"DOWNSTREAM_PEER_CERT_V_START", absent, kText, kOptional},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", absent},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", absent},
    {"DOWNSTREAM_PEER_CHAIN_SERIALS", absent},
    {"DOWNSTREAM_PEER_DNS_SAN", absent},
    {"DOWNSTREAM_PEER_EMAIL_SAN", absent},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", absent},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", absent},
    {"DOWNSTREAM_PEER_IP_SAN", absent},
    {"DOWNSTREAM_PEER_ISSUER", absent},
    {"DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256", absent},
    {"DOWNSTREAM_PEER_ISSUER_SERIAL", absent},
    {"DOWNSTREAM_PEER_OTHERNAME_SAN", absent},
    {"DOWNSTREAM_PEER_SERIAL", absent},
    {"DOWNSTREAM_PEER_SUBJECT", absent},
    {"DOWNSTREAM_PEER_URI_SAN", absent},
    {"DOWNSTREAM_TLS_CIPHER", absent},
    {"DOWNSTREAM_TLS_GROUP", absent},
    {"DOWNSTREAM_TLS_SESSION_ID", absent},
    {"DOWNSTREAM_TLS_VERSION", absent},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", absent},
    {"REQUESTED_SERVER_NAME", absent},
    {"TLS_JA3_FINGERPRINT", absent},
    {"TLS_JA4_FINGERPRINT", absent},
    {"UPSTREAM_LOCAL_CLOSE_REASON", absent},
    {"UPSTREAM_LOCAL_DNS_SAN", absent},
    {"UPSTREAM_LOCAL_IP_SAN", absent},
    {"UPSTREAM_LOCAL_URI_SAN", absent},
    {"UPSTREAM_PEER_CERT", absent},
    {"UPSTREAM_PEER_CERT_V_END", absent, kText, kOptional},
    {"UPSTREAM_PEER_CERT_V_START", absent, kText, kOptional},
    {"UPSTREAM_PEER_DNS_SAN", absent},
    {"UPSTREAM_PEER_IP_SAN", absent},
    {"UPSTREAM_PEER_ISSUER", absent},
    {"UPSTREAM_PEER_SUBJECT", absent},
    {"UPSTREAM_PEER_URI_SAN", absent},
    {"UPSTREAM_SERVER_NAME", absent},
    {"UPSTREAM_TLS_CIPHER", absent},
    {"UPSTREAM_TLS_GROUP", absent},
    {"UPSTREAM_TLS_SESSION_ID", absent},
    {"UPSTREAM_TLS_VERSION", absent},
};
#undef ADDRESS_ROWS
#undef ATTEMPT_ROWS

}  // namespace

std::span<const Row> connection_rows() { return kRows; }

}  // namespace outrider::format
