#include "http/edge.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "core/uuid.h"
#include "core/worker.h"

namespace outrider {
namespace {

// A random UUID (RFC 9562, version 4) as text.
std::string_view make_uuid(Exchange& x) {
  char* out = static_cast<char*>(x.arena.allocate(kUuidBytes, 1));
  write_uuid(x.worker.random(), out);
  return {out, kUuidBytes};
}

// x-forwarded-for is one list, however many fields it came in (RFC 9110 section 5.3).
void join_forwarded_for(Exchange& x) {
  Headers& headers = x.request.headers;
  if (!headers.has(Known::x_forwarded_for) || headers.count(Known::x_forwarded_for) == 1) return;
  std::string joined;
  for (const Field& field : headers) {
    if (field.known != Known::x_forwarded_for) continue;
    if (!joined.empty()) joined += ',';
    joined += field.value;
  }
  headers.set(Known::x_forwarded_for, x.arena.copy(joined));
}

// The client's address; where the client is on this machine, the address that others know the machine by.
void add_forwarded_for(Exchange& x) {
  Headers& headers = x.request.headers;
  const Address& peer = *x.connection.peer;
  std::string list(headers.value(Known::x_forwarded_for));
  if (!list.empty()) list += ',';
  list += peer.is_loopback() ? x.options.machine_address : peer.ip_text();
  headers.set(Known::x_forwarded_for, x.arena.copy(list));
}

// What only proxies of one's own may say to each other. Nobody else counts as one here: there are no internal
// addresses.
constexpr std::uint64_t kInternal =
    Headers::bit(Known::x_forwarded_client_cert) | Headers::bit(Known::x_envoy_internal) |
    Headers::bit(Known::x_envoy_upstream_rq_timeout_ms) | Headers::bit(Known::x_envoy_upstream_rq_per_try_timeout_ms) |
    Headers::bit(Known::x_envoy_upstream_rq_timeout_alt_response) | Headers::bit(Known::x_envoy_max_retries) |
    Headers::bit(Known::x_envoy_retry_on) | Headers::bit(Known::x_envoy_retry_grpc_on) |
    Headers::bit(Known::x_envoy_retriable_status_codes) | Headers::bit(Known::x_envoy_retriable_header_names) |
    Headers::bit(Known::x_envoy_hedge_on_per_try_timeout) | Headers::bit(Known::x_envoy_ip_tags);
// And where clients of the world connect (use_remote_address).
constexpr std::uint64_t kInternalAtEdge =
    Headers::bit(Known::x_envoy_decorator_operation) | Headers::bit(Known::x_envoy_downstream_service_cluster) |
    Headers::bit(Known::x_envoy_downstream_service_node) | Headers::bit(Known::x_envoy_original_host) |
    Headers::bit(Known::x_envoy_original_path);
constexpr std::string_view kInternalNames[] = {"x-envoy-force-trace", "x-envoy-original-url",
                                               "x-envoy-upstream-alt-stat-name", "x-envoy-upstream-stream-duration-ms"};

void remove_internal(Headers& headers, bool at_edge) {
  std::uint64_t internal = at_edge ? kInternal | kInternalAtEdge : kInternal;
  auto named = [](const Field& f) {
    return f.known == Known::none && f.name.starts_with("x-envoy-") &&
           std::ranges::find(kInternalNames, f.name) != std::end(kInternalNames);
  };
  if (!(headers.present() & internal) && std::none_of(headers.begin(), headers.end(), named)) return;
  headers.remove_if([&](const Field& f) { return (Headers::bit(f.known) & internal) != 0 || named(f); });
}

}  // namespace

std::expected<void, ProtocolError> prepare_request(Exchange& x) {
  Headers& headers = x.request.headers;
  x.upgrade = h1::requested_upgrade(headers);
  if (auto error = h1::strip_hop_by_hop(headers, !x.upgrade.empty())) return std::unexpected(*error);
  if (!x.options.edge) return {};
  bool at_edge = x.options.use_remote_address;
  remove_internal(headers, at_edge);
  join_forwarded_for(x);
  if (at_edge) {  // What a client says of itself is not believed.
    if (!x.connection.peer->is_pipe()) {
      add_forwarded_for(x);
      headers.set(Known::x_envoy_external_address, x.arena.copy(x.connection.peer->ip_text()));
    }
    headers.set(Known::x_forwarded_proto, "http");
  } else if (!headers.has(Known::x_forwarded_proto)) {
    headers.add(Known::x_forwarded_proto, "http");
  }
  bool believed = !at_edge || x.options.preserve_external_request_id;
  if (x.options.generate_request_id && !(believed && headers.has(Known::x_request_id))) {
    headers.set(Known::x_request_id, make_uuid(x));
  }
  return {};
}

void prepare_response(Exchange& x, ResponseHead& head, bool closing, bool tunnel) {
  Headers& headers = head.headers;
  if (!headers.has(Known::date)) headers.add(Known::date, x.arena.copy(http_date(x.worker.wall())));
  if (x.options.server_header == ServerHeader::overwrite) {
    headers.set(Known::server, x.options.server_name);
  } else if (x.options.server_header == ServerHeader::append_if_absent) {
    headers.add_if_absent(Known::server, x.options.server_name);
  }
  if (tunnel) return;
  if (closing) {
    headers.set(Known::connection, "close");
  } else if (x.request.version == Version::http10) {
    headers.set(Known::connection, "keep-alive");
  }
}

std::string_view http_date(WallTime now) {
  static thread_local std::time_t second = -1;
  static thread_local std::array<char, 40> text;
  static thread_local std::size_t length = 0;
  std::time_t t = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(std::chrono::floor<std::chrono::seconds>(now)));
  if (t != second) {
    std::tm utc{};
    gmtime_r(&t, &utc);
    length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    second = t;
  }
  return {text.data(), length};
}

}  // namespace outrider
